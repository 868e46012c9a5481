// One record per openat(2) of a process named "burst", with its path: what the printf program of the benchmark does.
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <sys/syscall.h>
#include <bpf/bpf_helpers.h>

struct record {
	__u32 pid;
	char path[256];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 64 << 20);
} records SEC(".maps");

SEC("raw_tp/sys_enter")
int lines(struct bpf_raw_tracepoint_args *ctx)
{
	struct pt_regs *regs = (struct pt_regs *)ctx->args[0];
	__u64 comm[2];
	struct record *record;
	__u64 path;

	if (ctx->args[1] != SYS_openat)
		return 0;
	bpf_get_current_comm(comm, sizeof comm);
	if (comm[0] != 0x7473727562ULL) // "burst", little endian, NUL padded
		return 0;
	record = bpf_ringbuf_reserve(&records, sizeof *record, 0);
	if (!record)
		return 0;
	record->pid = bpf_get_current_pid_tgid() >> 32;
	bpf_probe_read_kernel(&path, sizeof path, &regs->rsi);
	bpf_probe_read_user_str(record->path, sizeof record->path, (void *)path);
	bpf_ringbuf_submit(record, 0);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
