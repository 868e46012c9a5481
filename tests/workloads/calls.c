/* System calls of known number, by two functions: `calls`. */
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>

#define OWN __attribute__((noinline, noclone))
enum { PRIORITIES = 300, PARENTS = 700, SLEEPS = 20, SLEEP_NS = 5000000 };

static volatile unsigned done;

OWN static void ask_priorities(void) {
    for (int i = 0; i < PRIORITIES; i++)
        getpriority(PRIO_PROCESS, 0);
    done++;
}

OWN static void ask_parents(void) {
    for (int i = 0; i < PARENTS; i++)
        syscall(SYS_getppid);
    done++;
}

static long long now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

OWN static void sleep_often(void) {
    struct timespec t = {0, SLEEP_NS};
    for (int i = 0; i < SLEEPS; i++)
        nanosleep(&t, NULL);
    done++;
}

int main(void) {
    puts("ready");
    fflush(stdout);
    getchar();
    ask_priorities();
    ask_parents();
    long long before = now_ns();
    sleep_often();
    printf("ask_priorities %d\nask_parents %d\nsleep_often %d\nsleep_ns %lld\n", PRIORITIES, PARENTS, SLEEPS,
           now_ns() - before);
    return 0;
}
