// Workload: getppid(2) in a tight loop on one CPU, timed in slices (see slices.h).
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <unistd.h>

static inline void call(long number)
{
	(void)number;
	syscall(SYS_getppid);
}

#include "slices.h"
