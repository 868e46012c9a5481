// The logic of programs/written.bt.
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <sys/syscall.h>
#include <bpf/bpf_helpers.h>

struct key {
	char comm[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct key);
	__type(value, __u64);
} written SEC(".maps");

SEC("raw_tp/sys_exit")
int leave(struct bpf_raw_tracepoint_args *ctx)
{
	struct pt_regs *regs = (struct pt_regs *)ctx->args[0];
	__s64 ret = ctx->args[1];
	__u64 nr, *cell;
	struct key key;

	bpf_probe_read_kernel(&nr, sizeof nr, &regs->orig_rax);
	if (nr != SYS_write || ret <= 0)
		return 0;
	bpf_get_current_comm(key.comm, sizeof key.comm);
	cell = bpf_map_lookup_elem(&written, &key);
	if (cell)
		*cell += ret;
	else
		bpf_map_update_elem(&written, &key, &ret, BPF_ANY);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
