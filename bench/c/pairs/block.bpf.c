// The logic of programs/block.bt.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct event {
	__u64 common;
	__u32 dev;
	__u64 sector;
};

struct request {
	__u64 dev, sector;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct request);
	__type(value, __u64);
} start SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, __u64);
} us SEC(".maps");

SEC("tracepoint/block/block_rq_issue")
int issue(struct event *ctx)
{
	struct request key = { ctx->dev, ctx->sector };
	__u64 now = bpf_ktime_get_ns();

	bpf_map_update_elem(&start, &key, &now, BPF_ANY);
	return 0;
}

SEC("tracepoint/block/block_rq_complete")
int complete(struct event *ctx)
{
	struct request key = { ctx->dev, ctx->sector };
	__u64 *started, *cell, dev, took;

	started = bpf_map_lookup_elem(&start, &key);
	if (!started || !*started)
		return 0;
	took = (bpf_ktime_get_ns() - *started) / 1000;
	dev = key.dev;
	cell = bpf_map_lookup_elem(&us, &dev);
	if (cell)
		*cell += took;
	else
		bpf_map_update_elem(&us, &dev, &took, BPF_ANY);
	bpf_map_delete_elem(&start, &key);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
