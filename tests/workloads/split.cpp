/* The same as split.c by way of classes, a template, a virtual function and a call back from the standard library. */
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <stdexcept>
#include <vector>

#define OWN __attribute__((noinline, noclone))

namespace workload {

volatile unsigned sum;

long long now_ns(clockid_t clock) {
    timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

template <unsigned Constant> OWN void spin(unsigned rounds) {
    for (unsigned i = 0; i < rounds; i++)
        sum = sum * 31 + (i ^ Constant);
    sum = sum + Constant;
}

struct Part {
    long long taken = 0;
    virtual ~Part() = default;
    virtual void work(unsigned rounds) = 0;
};

struct Heavy : Part {
    OWN void work(unsigned rounds) override { spin<0x51>(rounds); sum = sum + 1; }
};

struct Medium : Part {
    OWN void work(unsigned rounds) override {
        int numbers[] = {2, 1};
        std::sort(numbers, numbers + 2, [rounds](int a, int b) { spin<0x61>(rounds / 2); return a < b; });
        sum = sum + numbers[0];
    }
};

struct Light : Part {
    OWN void work(unsigned rounds) override {
        try {
            spin<0x71>(rounds);
            throw std::runtime_error("caught at once");
        } catch (const std::exception &error) {
            sum = sum + error.what()[0];
        }
    }
};

} // namespace workload

int main(int argc, char **argv) {
    using namespace workload;
    std::vector<std::unique_ptr<Part>> parts;
    parts.emplace_back(new Heavy);
    parts.emplace_back(new Medium);
    parts.emplace_back(new Light);
    long long before = now_ns(CLOCK_THREAD_CPUTIME_ID);
    spin<0x51>(1000000);
    unsigned rounds_per_ms = 1 + 1000000LL * 1000000 / (now_ns(CLOCK_THREAD_CPUTIME_ID) - before + 1);
    std::puts("ready");
    std::fflush(stdout);
    std::getchar();
    const long long weights[] = {7, 2, 1};
    long long began = now_ns(CLOCK_MONOTONIC);
    long long end = now_ns(CLOCK_THREAD_CPUTIME_ID) + (long long)((argc > 1 ? atof(argv[1]) : 1) * 1e9);
    unsigned state = 12345;
    while (now_ns(CLOCK_THREAD_CPUTIME_ID) < end) {
        int which = 0; // the part that is furthest behind its share
        for (int i = 1; i < 3; i++)
            if (parts[i]->taken * weights[which] < parts[which]->taken * weights[i])
                which = i;
        state = state * 1664525 + 1013904223;
        unsigned rounds = rounds_per_ms * (10 + (state >> 8) % 30);
        before = now_ns(CLOCK_THREAD_CPUTIME_ID);
        parts[which]->work(rounds);
        parts[which]->taken += now_ns(CLOCK_THREAD_CPUTIME_ID) - before;
    }
    std::printf("workload::Heavy::work %lld\nworkload::Medium::work %lld\nworkload::Light::work %lld\n",
                parts[0]->taken, parts[1]->taken, parts[2]->taken);
    std::printf("elapsed %lld\n", now_ns(CLOCK_MONOTONIC) - began);
}
