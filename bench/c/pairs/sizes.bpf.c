// The logic of programs/sizes.bt.
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <sys/syscall.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 102);
	__type(key, __u32);
	__type(value, __u64);
} sizes SEC(".maps");

struct largest {
	__s64 value;
	__u64 seen;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct largest);
} largest SEC(".maps");

SEC("raw_tp/sys_exit")
int leave(struct bpf_raw_tracepoint_args *ctx)
{
	struct pt_regs *regs = (struct pt_regs *)ctx->args[0];
	__s64 ret = ctx->args[1];
	__u32 bucket, zero = 0;
	struct largest *most;
	__u64 nr, *cell;

	bpf_probe_read_kernel(&nr, sizeof nr, &regs->orig_rax);
	if (nr != SYS_read)
		return 0;
	if (bpf_get_current_pid_tgid() >> 32 == 1 || ret < 0)
		return 0;
	bucket = ret >= 100000 ? 101 : (__u64)ret / 1000 + 1;
	cell = bpf_map_lookup_elem(&sizes, &bucket);
	if (cell)
		*cell += 1;
	most = bpf_map_lookup_elem(&largest, &zero);
	if (most && (!most->seen || ret > most->value)) {
		most->value = ret;
		most->seen = 1;
	}
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
