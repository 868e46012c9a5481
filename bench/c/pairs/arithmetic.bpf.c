// The logic of programs/arithmetic.bt.
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <sys/syscall.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 4096);
	__type(key, __s64);
	__type(value, __u64);
} mixed_counts SEC(".maps");

SEC("raw_tp/sys_enter")
int arithmetic(struct bpf_raw_tracepoint_args *ctx)
{
	struct pt_regs *regs = (struct pt_regs *)ctx->args[0];
	__u64 offset, one = 1, *cell;
	__s64 mixed;

	if (ctx->args[1] != SYS_lseek)
		return 0;
	bpf_probe_read_kernel(&offset, sizeof offset, &regs->rsi);
	__u64 whole = offset / 4096, rest = offset % 4096, pid = bpf_get_current_pid_tgid() >> 32;

	mixed = ((whole << 3) ^ (rest & 0xff)) | (pid << 20);
	if (mixed > 1000000)
		mixed -= whole * 7;
	else
		mixed += rest * 3;
	mixed &= 1023;
	cell = bpf_map_lookup_elem(&mixed_counts, &mixed);
	if (cell)
		*cell += 1;
	else
		bpf_map_update_elem(&mixed_counts, &mixed, &one, BPF_ANY);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
