// Times `call(number)`, which the including file defines, in a loop on one CPU, in slices.
// Arguments: COUNT SLICES CPU. Prints the median and the smallest slice, in ns of this thread's CPU time per call, and
// how many calls were made.
// CPU time rather than wall time, so that being preempted by other load does not count as cost of tracing.
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

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
	long each = count / slices;

	if (!ns)
		return 2;
	for (int slice = 0; slice < slices; slice++) {
		long long start = cpu_time_ns();

		for (long i = 0; i < each; i++)
			call(i);
		ns[slice] = (double)(cpu_time_ns() - start) / each;
	}
	qsort(ns, slices, sizeof *ns, by_value);
	printf("%.3f %.3f %ld\n", ns[slices / 2], ns[0], each * slices);
	return 0;
}
