// The logic of programs/opens.bt.
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <sys/syscall.h>
#include <bpf/bpf_helpers.h>

struct record {
	__u32 pid;
	char comm[16];
	__s64 ret;
	char path[256];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 64 << 20);
} records SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, __u64);
} name SEC(".maps");

SEC("raw_tp/sys_enter")
int enter(struct bpf_raw_tracepoint_args *ctx)
{
	struct pt_regs *regs = (struct pt_regs *)ctx->args[0];
	__u64 tid, path;

	if (ctx->args[1] != SYS_openat)
		return 0;
	bpf_probe_read_kernel(&path, sizeof path, &regs->rsi);
	tid = (__u32)bpf_get_current_pid_tgid();
	bpf_map_update_elem(&name, &tid, &path, BPF_ANY);
	return 0;
}

SEC("raw_tp/sys_exit")
int leave(struct bpf_raw_tracepoint_args *ctx)
{
	struct pt_regs *regs = (struct pt_regs *)ctx->args[0];
	struct record *record;
	__u64 nr, tid, *path;

	bpf_probe_read_kernel(&nr, sizeof nr, &regs->orig_rax);
	if (nr != SYS_openat)
		return 0;
	tid = (__u32)bpf_get_current_pid_tgid();
	path = bpf_map_lookup_elem(&name, &tid);
	if (!path || !*path)
		return 0;
	record = bpf_ringbuf_reserve(&records, sizeof *record, 0);
	if (record) {
		record->pid = bpf_get_current_pid_tgid() >> 32;
		bpf_get_current_comm(record->comm, sizeof record->comm);
		record->ret = ctx->args[1];
		bpf_probe_read_user_str(record->path, sizeof record->path, (void *)*path);
		bpf_ringbuf_submit(record, 0);
	}
	bpf_map_delete_elem(&name, &tid);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
