/* Memory of known size by two ways, half of one given back, and every page of a third part touched: `memory`. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define OWN __attribute__((noinline, noclone))
enum { SMALL = 128 << 10, SMALLS = 40, LARGE = 1 << 20, LARGES = 10, PAGES = 600, PAGE = 4096 };

static volatile unsigned done;

static char *ask(size_t bytes) {
    char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        abort();
    return memory;
}

OWN static void many_small(void) {
    for (int i = 0; i < SMALLS; i++) {
        char *memory = ask(SMALL);
        if (i % 2)
            munmap(memory, SMALL);
    }
    done++;
}

OWN static void some_large(void) {
    for (int i = 0; i < LARGES; i++)
        ask(LARGE);
    done++;
}

OWN static void touch_pages(char *memory) {
    for (int i = 0; i < PAGES; i++)
        memory[(size_t)i * PAGE] = 1;
    done++;
}

int main(void) {
    char *memory = ask((size_t)PAGES * PAGE);
    madvise(memory, (size_t)PAGES * PAGE, MADV_NOHUGEPAGE);
    puts("ready");
    fflush(stdout);
    getchar();
    many_small();
    some_large();
    touch_pages(memory);
    printf("many_small %d\nmany_small_kept %d\nsome_large %d\ntouch_pages %d\n", SMALLS * SMALL, SMALLS * SMALL / 2,
           LARGES * LARGE, PAGES);
    return 0;
}
