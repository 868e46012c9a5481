// The logic of programs/latency.bt.
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <sys/syscall.h>
#include <bpf/bpf_helpers.h>
#include "log2_bucket.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, __u64);
} start SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 66);
	__type(key, __u32);
	__type(value, __u64);
} latency SEC(".maps");

SEC("raw_tp/sys_enter")
int enter(struct bpf_raw_tracepoint_args *ctx)
{
	__u64 tid, now;

	if (ctx->args[1] != SYS_read)
		return 0;
	tid = (__u32)bpf_get_current_pid_tgid();
	now = bpf_ktime_get_ns();
	bpf_map_update_elem(&start, &tid, &now, BPF_ANY);
	return 0;
}

SEC("raw_tp/sys_exit")
int leave(struct bpf_raw_tracepoint_args *ctx)
{
	struct pt_regs *regs = (struct pt_regs *)ctx->args[0];
	__u64 tid, nr, *started, *cell;
	__u32 bucket;

	bpf_probe_read_kernel(&nr, sizeof nr, &regs->orig_rax);
	if (nr != SYS_read)
		return 0;
	tid = (__u32)bpf_get_current_pid_tgid();
	started = bpf_map_lookup_elem(&start, &tid);
	if (!started || !*started)
		return 0;
	bucket = log2_bucket(bpf_ktime_get_ns() - *started);
	cell = bpf_map_lookup_elem(&latency, &bucket);
	if (cell)
		*cell += 1;
	bpf_map_delete_elem(&start, &tid);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
