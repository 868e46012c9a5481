// Workload: one kind of system call, each of them timed by itself.
// usage: each KIND COUNT PATH      prints: median and 99th percentile of a call in tenths of a nanosecond, mean too
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#define BINS 65536

static unsigned int bins[BINS];

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static double ns_per_cycle(void)
{
	double start = now_ns();
	unsigned long long from = __rdtsc();

	while (now_ns() - start < 5e7)
		;
	return (now_ns() - start) / (double)(__rdtsc() - from);
}

int main(int argc, char **argv)
{
	const char *kind = argc > 1 ? argv[1] : "getppid";
	long count = argc > 2 ? atol(argv[2]) : 1000000;
	const char *path = argc > 3 ? argv[3] : "/dev/zero";
	double scale = ns_per_cycle();
	int fd = open(path, O_RDONLY);
	int open_it = !strcmp(kind, "openat"), map_it = !strcmp(kind, "mmap"), read_it = !strcmp(kind, "read");
	unsigned long long sum = 0;
	unsigned int aux;
	char byte;

	for (long i = 0; i < count; i++) {
		unsigned long long from = __rdtscp(&aux), took;
		long got = open_it  ? syscall(SYS_openat, AT_FDCWD, path, O_RDONLY)
			   : map_it ? syscall(SYS_mmap, 0, 4096, PROT_READ, MAP_PRIVATE, fd, 0)
			   : read_it ? syscall(SYS_read, fd, &byte, 1)
				     : syscall(SYS_getppid);

		took = __rdtscp(&aux) - from;
		sum += took;
		bins[took < BINS ? took : BINS - 1]++;
		if (open_it)
			close((int)got);
		else if (map_it)
			munmap((void *)got, 4096);
	}
	long seen = 0, middle = -1, last = -1;
	for (long i = 0; i < BINS && last < 0; i++) {
		seen += bins[i];
		if (middle < 0 && seen * 2 >= count)
			middle = i;
		if (seen * 100 >= count * 99)
			last = i;
	}
	printf("%.0f %.0f %.0f\n", middle * scale * 10, last * scale * 10, sum * scale * 10 / count);
	return 0;
}
