/* A thread that waits in four ways: `waits SECONDS FILE`; a second thread fills the pipe and holds the lock.
 *
 * How long the first thread was not on a processor in each function is printed at the end, in nanoseconds: what the
 * clock says without the thread's processor time.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define OWN __attribute__((noinline, noclone))

static int to_waiter[2], to_helper[2], file = -1;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char block[65536];

static long long now_ns(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void pause_ms(int ms) {
    struct timespec t = {0, ms * 1000000L};
    nanosleep(&t, NULL);
}

static void tell(int pipe, char what) {
    if (write(pipe, &what, 1) != 1)
        abort();
}

static char hear(int pipe) {
    char what = 0;
    if (read(pipe, &what, 1) != 1)
        abort();
    return what;
}

/* Words after the last calls: without them these would be jumps, and the functions in no stack. */
static volatile unsigned done, helped;
OWN static void fill_pipe(void) { pause_ms(20); tell(to_waiter[1], 'p'); helped++; }
OWN static void hold_lock(void) {
    pthread_mutex_lock(&lock);
    tell(to_waiter[1], 'l');
    pause_ms(10);
    pthread_mutex_unlock(&lock);
    helped++;
}
OWN static void *helper(void *unused) {
    for (char what; (what = hear(to_helper[0])) != 'q';)
        what == 'p' ? fill_pipe() : hold_lock();
    return unused;
}

OWN static void wait_in_sleep(void) { pause_ms(60); done++; }
OWN static void wait_for_pipe(void) { hear(to_waiter[0]); done++; }
OWN static void wait_for_lock(void) { pthread_mutex_lock(&lock); done++; }
OWN static void wait_for_disk(void) {
    if (pwrite(file, block, sizeof block, 0) < 0 || fsync(file) < 0)
        abort();
    done++;
}

static void timed(void (*wait)(void), long long *taken) {
    long long clock = now_ns(CLOCK_MONOTONIC), processor = now_ns(CLOCK_THREAD_CPUTIME_ID);
    wait();
    processor = now_ns(CLOCK_THREAD_CPUTIME_ID) - processor;
    *taken += now_ns(CLOCK_MONOTONIC) - clock - processor;
}

int main(int argc, char **argv) {
    long long taken[4] = {0};
    pthread_t thread;
    if (argc > 2)
        file = open(argv[2], O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (argc < 2 || pipe(to_waiter) || pipe(to_helper) || pthread_create(&thread, NULL, helper, NULL))
        return 1;
    puts("ready");
    fflush(stdout);
    getchar();
    long long end = now_ns(CLOCK_MONOTONIC) + (long long)(atof(argv[1]) * 1e9);
    while (now_ns(CLOCK_MONOTONIC) < end) {
        timed(wait_in_sleep, &taken[0]);
        tell(to_helper[1], 'p');
        timed(wait_for_pipe, &taken[1]);
        tell(to_helper[1], 'l');
        hear(to_waiter[0]);
        timed(wait_for_lock, &taken[2]);
        pthread_mutex_unlock(&lock);
        if (file >= 0)
            timed(wait_for_disk, &taken[3]);
    }
    tell(to_helper[1], 'q');
    pthread_join(thread, NULL);
    printf("wait_in_sleep %lld\nwait_for_pipe %lld\nwait_for_lock %lld\nwait_for_disk %lld\n", taken[0], taken[1],
           taken[2], taken[3]);
    return 0;
}
