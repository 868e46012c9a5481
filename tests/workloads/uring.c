/* One operation through io_uring, no library: `uring open PATH`, `uring unlink PATH`, `uring connect PORT` (127.0.0.1).
   Prints what the operation returned. Layout of the rings: io_uring_setup(2). */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int count, char **words)
{
    struct io_uring_params params = {0};
    struct sockaddr_in address = {.sin_family = AF_INET};
    if (count != 3)
        return 2;
    int ring = (int)syscall(SYS_io_uring_setup, 4, &params);
    if (ring < 0) {
        perror("io_uring_setup");
        return 3;
    }
    size_t size = params.sq_off.array + params.sq_entries * sizeof(uint32_t);
    size_t completions = params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe);
    if (completions > size)
        size = completions;
    char *rings = mmap(0, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_SQ_RING);
    struct io_uring_sqe *entry = mmap(0, params.sq_entries * sizeof *entry, PROT_READ | PROT_WRITE,
                                      MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_SQES);
    memset(entry, 0, sizeof *entry);
    if (!strcmp(words[1], "connect")) {
        address.sin_port = htons((uint16_t)atoi(words[2]));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        entry->opcode = IORING_OP_CONNECT;
        entry->fd = socket(AF_INET, SOCK_STREAM, 0);
        entry->addr = (uintptr_t)&address;
        entry->off = sizeof address;
    } else {
        entry->opcode = strcmp(words[1], "open") ? IORING_OP_UNLINKAT : IORING_OP_OPENAT;
        entry->fd = AT_FDCWD;
        entry->addr = (uintptr_t)words[2];
        entry->open_flags = 0;
    }
    ((uint32_t *)(rings + params.sq_off.array))[0] = 0;
    __atomic_store_n((uint32_t *)(rings + params.sq_off.tail), 1, __ATOMIC_RELEASE);
    if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, 0, 0) < 0) {
        perror("io_uring_enter");
        return 3;
    }
    printf("%d\n", ((struct io_uring_cqe *)(rings + params.cq_off.cqes))->res);
    return 0;
}
