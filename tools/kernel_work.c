/*
 * What the programs of kernel_matrix.py have to see: threads, reads, packets, page faults, a static probe.
 * The note is laid out as https://sourceware.org/systemtap/wiki/UserSpaceProbeImplementation says.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

__attribute__((section(".watched"), aligned(8))) volatile long watched = 1;

__attribute__((noinline)) int step(int number)
{
	__asm__ volatile("990: nop\n"
			 ".pushsection .note.stapsdt,\"\",\"note\"\n"
			 ".balign 4\n"
			 ".4byte 992f-991f, 994f-993f, 3\n"
			 "991: .asciz \"stapsdt\"\n"
			 "992: .balign 4\n"
			 "993: .8byte 990b, 0, 0\n"
			 ".asciz \"work\"\n"
			 ".asciz \"step\"\n"
			 ".asciz \"-4@%0\"\n"
			 "994: .balign 4\n"
			 ".popsection\n" : : "r"(number));
	return number;
}

static void *nothing(void *unused)
{
	return unused;
}

int main(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	char text[64];

	for (int n = 0; n < 20; n++) {
		pthread_t thread;
		int file = open("/proc/self/comm", O_RDONLY), packets = socket(AF_INET, SOCK_DGRAM, 0);
		char *volatile memory = malloc(1 << 22);

		if (!pthread_create(&thread, NULL, nothing, NULL))
			pthread_join(thread, NULL);
		if (read(file, text, sizeof(text)) < 0)
			return 1;
		sendto(packets, text, 6, 0, (struct sockaddr *)&to, sizeof(to));
		memset(memory, step(n), 1 << 22);
		free(memory);
		close(file);
		close(packets);
		watched = n;
		usleep(10000);
	}
	return 0;
}
