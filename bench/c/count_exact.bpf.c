// Counts system calls by number with exactly the meaning of tracepoint:syscalls:sys_enter_*: only numbers that have
// such a tracepoint, and not for 32-bit compat tasks, which the kernel's own tracepoints leave out
// (kernel/trace/trace_syscalls.c, arch/x86/include/asm/ftrace.h).
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define TS_COMPAT 2

struct thread_info {
	unsigned long flags;
	unsigned long syscall_work;
	__u32 status;
} __attribute__((preserve_access_index));

struct task_struct {
	struct thread_info thread_info;
} __attribute__((preserve_access_index));

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 512);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

// Filled by the loader before loading: 1 where the number has a tracepoint.
const volatile __u8 has_tracepoint[512];

SEC("tp_btf/sys_enter")
int count_exact(__u64 *ctx)
{
	__u64 nr = ctx[1];
	struct task_struct *task;
	__u64 *cell;
	__u32 key;

	if (nr >= 512 || !has_tracepoint[nr])
		return 0;
	task = bpf_get_current_task_btf();
	if (task->thread_info.status & TS_COMPAT)
		return 0;
	key = nr;
	cell = bpf_map_lookup_elem(&counts, &key);
	if (cell)
		*cell += 1;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
