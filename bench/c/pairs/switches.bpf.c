// The logic of programs/switches.bt.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct event {
	__u64 common;
	char prev_comm[16];
	__s32 prev_pid, prev_prio;
	__s64 prev_state;
};

struct key {
	char comm[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, __u64);
} by_cpu SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct key);
	__type(value, __u64);
} preempted SEC(".maps");

__u64 waiting;

SEC("tracepoint/sched/sched_switch")
int switched(struct event *ctx)
{
	__u64 cpu, *cell, one = 1;
	struct key key;

	if (!ctx->prev_pid)
		return 0;
	cpu = bpf_get_smp_processor_id();
	cell = bpf_map_lookup_elem(&by_cpu, &cpu);
	if (cell)
		*cell += 1;
	else
		bpf_map_update_elem(&by_cpu, &cpu, &one, BPF_ANY);
	if (ctx->prev_state) {
		__sync_fetch_and_add(&waiting, 1);
		return 0;
	}
	__builtin_memcpy(key.comm, ctx->prev_comm, sizeof key.comm);
	cell = bpf_map_lookup_elem(&preempted, &key);
	if (cell)
		*cell += 1;
	else
		bpf_map_update_elem(&preempted, &key, &one, BPF_ANY);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
