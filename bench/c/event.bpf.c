// Counts the events of one probe: the cheapest program there is. SECTION is what libbpf attaches it to.
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#ifdef USDT
#include <bpf/usdt.bpf.h>
#endif

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

SEC(SECTION)
int event(void *ctx)
{
	__u32 zero = 0;
	__u64 *cell = bpf_map_lookup_elem(&counts, &zero);

	if (cell)
		*cell += 1;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
