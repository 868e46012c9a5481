// Workload: one function with a static probe in a loop on one CPU, timed in slices as calls.c does.
// usage: probed COUNT SLICES CPU      prints: the median and the smallest slice, in ns of this thread's CPU time per call
// The note is laid out as https://sourceware.org/systemtap/wiki/UserSpaceProbeImplementation says.
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

__attribute__((noinline)) long marked(long number)
{
	__asm__ volatile("990: nop\n"
			 ".pushsection .note.stapsdt,\"\",\"note\"\n"
			 ".balign 4\n"
			 ".4byte 992f-991f, 994f-993f, 3\n"
			 "991: .asciz \"stapsdt\"\n"
			 "992: .balign 4\n"
			 "993: .8byte 990b, 0, 0\n"
			 ".asciz \"probed\"\n"
			 ".asciz \"mark\"\n"
			 ".asciz \"-8@%0\"\n"
			 "994: .balign 4\n"
			 ".popsection\n" : : "r"(number));
	return number + 1;
}

// Begins with a push, as most functions do: the kernel carries it out itself, without a step on the copied instruction.
__attribute__((noinline)) long step(long number)
{
	return marked(number) * 2;
}

static long long cpu_time_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	long count = argc > 1 ? atol(argv[1]) : 1000000;
	int slices = argc > 2 ? atoi(argv[2]) : 20;
	int cpu = argc > 3 ? atoi(argv[3]) : 0;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof set, &set);
	if (slices < 1 || count < slices)
		return 2;
	double *ns = calloc(slices, sizeof *ns);
	long each = count / slices, sum = 0;

	if (!ns)
		return 2;
	for (int slice = 0; slice < slices; slice++) {
		long long start = cpu_time_ns();

		for (long i = 0; i < each; i++)
			sum += step(i);
		ns[slice] = (double)(cpu_time_ns() - start) / each;
	}
	qsort(ns, slices, sizeof *ns, by_value);
	printf("%.3f %.3f %ld\n", ns[slices / 2], ns[0], each * slices);
	return sum == 42;
}
