/* Three functions that share the processor about 70 : 20 : 10: `split SECONDS`, which are seconds of processor time.
 *
 * They take turns of 10 to 40 ms by chance, so that no rate of sampling keeps step with them. What each really took, in
 * nanoseconds of the thread's processor time, is printed at the end: other load cannot change it. What it all took by
 * the clock is told apart from that: `elapsed`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define OWN __attribute__((noinline, noclone))
#define SPIN(constant)                                                                                       \
    for (unsigned i = 0; i < rounds; i++)                                                                    \
        sum = sum * 31 + (i ^ constant)

static volatile unsigned sum;

OWN static void heavy(unsigned rounds) { SPIN(0x51); sum += 1; }
OWN static void medium(unsigned rounds) { SPIN(0x61); sum += 2; }
OWN static void light(unsigned rounds) { SPIN(0x71); sum += 3; }

static long long now_ns(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static unsigned state = 12345;
static unsigned chance(unsigned below) {
    state = state * 1664525 + 1013904223;
    return (state >> 8) % below;
}

/* Which part is furthest behind its share. */
static int next_part(const long long taken[3]) {
    int which = taken[1] * 7 < taken[0] * 2;
    return taken[2] * (which ? 2 : 7) < taken[which] ? 2 : which;
}

OWN static void turn(unsigned rounds_per_ms, long long taken[3]) {
    int which = next_part(taken);
    unsigned rounds = rounds_per_ms * (10 + chance(30));
    long long before = now_ns(CLOCK_THREAD_CPUTIME_ID);
    if (which == 0)
        heavy(rounds);
    else if (which == 1)
        medium(rounds);
    else
        light(rounds);
    taken[which] += now_ns(CLOCK_THREAD_CPUTIME_ID) - before;
}

OWN static void run(double seconds, unsigned rounds_per_ms, long long taken[3]) {
    long long end = now_ns(CLOCK_THREAD_CPUTIME_ID) + (long long)(seconds * 1e9);
    while (now_ns(CLOCK_THREAD_CPUTIME_ID) < end)
        turn(rounds_per_ms, taken);
}

int main(int argc, char **argv) {
    long long taken[3] = {0}, before = now_ns(CLOCK_THREAD_CPUTIME_ID);
    heavy(1000000);
    unsigned rounds_per_ms = 1 + 1000000LL * 1000000 / (now_ns(CLOCK_THREAD_CPUTIME_ID) - before + 1);
    puts("ready");
    fflush(stdout);
    getchar();
    before = now_ns(CLOCK_MONOTONIC);
    run(argc > 1 ? atof(argv[1]) : 1, rounds_per_ms, taken);
    printf("heavy %lld\nmedium %lld\nlight %lld\nelapsed %lld\n", taken[0], taken[1], taken[2],
           now_ns(CLOCK_MONOTONIC) - before);
    return 0;
}
