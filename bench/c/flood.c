// Workload: getppid(2) for SECONDS, as fast as one process can.    prints: calls made
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	time_t end = time(NULL) + (argc > 1 ? atol(argv[1]) : 5);
	long made = 0;

	while (time(NULL) < end)
		for (int i = 0; i < 10000; i++, made++)
			syscall(SYS_getppid);
	printf("%ld\n", made);
	return 0;
}
