// Workload: one function with a static probe in a loop on one CPU, timed in slices (see slices.h).
// The note is laid out as https://sourceware.org/systemtap/wiki/UserSpaceProbeImplementation says.
#define _GNU_SOURCE

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

static volatile long sum;

static inline void call(long number)
{
	sum += step(number);
}

#include "slices.h"
