// The logic of programs/runqueue.bt.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "log2_bucket.h"

struct wakeup {
	__u64 common;
	char comm[16];
	__s32 pid;
};

struct switched {
	__u64 common;
	char prev_comm[16];
	__s32 prev_pid, prev_prio;
	__s64 prev_state;
	char next_comm[16];
	__s32 next_pid;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __s64);
	__type(value, __u64);
} woken SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 66);
	__type(key, __u32);
	__type(value, __u64);
} waited SEC(".maps");

SEC("tracepoint/sched/sched_wakeup")
int wakeup(struct wakeup *ctx)
{
	__u64 now = bpf_ktime_get_ns();
	__s64 pid = ctx->pid;

	bpf_map_update_elem(&woken, &pid, &now, BPF_ANY);
	return 0;
}

SEC("tracepoint/sched/sched_switch")
int switched(struct switched *ctx)
{
	__s64 pid = ctx->next_pid;
	__u64 *since, *cell;
	__u32 bucket;

	since = bpf_map_lookup_elem(&woken, &pid);
	if (!since || !*since)
		return 0;
	bucket = log2_bucket((bpf_ktime_get_ns() - *since) / 1000);
	cell = bpf_map_lookup_elem(&waited, &bucket);
	if (cell)
		*cell += 1;
	bpf_map_delete_elem(&woken, &pid);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
