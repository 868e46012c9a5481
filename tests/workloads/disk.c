/* Writes of known number and size that go to the disk at once: `disk FILE`. Exit code 9: FILE cannot do that. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OWN __attribute__((noinline, noclone))
enum { WRITES = 25, BYTES = 64 << 10 };

static volatile unsigned done;

OWN static void write_directly(int file, char *block) {
    for (int i = 0; i < WRITES; i++)
        if (pwrite(file, block, BYTES, (off_t)i * BYTES) != BYTES)
            exit(9);
    done++;
}

int main(int argc, char **argv) {
    char *block = aligned_alloc(4096, BYTES), *large = calloc(WRITES, BYTES);
    int plain = argc > 1 ? open(argv[1], O_RDWR | O_CREAT | O_TRUNC, 0600) : -1;
    if (plain < 0 || write(plain, large, (size_t)WRITES * BYTES) < 0 || fsync(plain))
        return 1; /* every block has its place now */
    int file = open(argv[1], O_RDWR | O_DIRECT);
    if (file < 0)
        return 9;
    memset(block, 7, BYTES);
    puts("ready");
    fflush(stdout);
    getchar();
    write_directly(file, block);
    printf("write_directly %d\nbytes %d\n", WRITES, BYTES);
    return 0;
}
