// The logic of programs/signals.bt.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct event {
	__u64 common;
	__s32 sig, error, code;
	char comm[16];
	__s32 pid;
};

struct key {
	__s64 sig, pid;
	char comm[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct key);
	__type(value, __u64);
} sent SEC(".maps");

SEC("tracepoint/signal/signal_generate")
int generate(struct event *ctx)
{
	__u64 *cell, one = 1;
	struct key key;

	key.sig = ctx->sig;
	key.pid = ctx->pid;
	bpf_get_current_comm(key.comm, sizeof key.comm);
	cell = bpf_map_lookup_elem(&sent, &key);
	if (cell)
		*cell += 1;
	else
		bpf_map_update_elem(&sent, &key, &one, BPF_ANY);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
