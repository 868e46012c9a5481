/* A program with static probes and with functions whose arguments have types, for cases that `built` names. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A probe as sys/sdt.h makes it, by the format of the SystemTap wiki's "User Space Probe Implementation". */
#define PROBE(provider, name, semaphore, arguments, ...) __asm__ volatile( \
    "990: nop\n" \
    ".pushsection .note.stapsdt, \"\", \"note\"\n.balign 4\n" \
    ".4byte 992f-991f, 994f-993f, 3\n" \
    "991: .asciz \"stapsdt\"\n992: .balign 4\n" \
    "993: .8byte 990b\n.8byte _.stapsdt.base\n.8byte " semaphore "\n" \
    ".asciz \"" provider "\"\n.asciz \"" name "\"\n.asciz \"" arguments "\"\n994: .balign 4\n.popsection\n" \
    ".ifndef _.stapsdt.base\n.pushsection .stapsdt.base, \"aG\", \"progbits\", .stapsdt.base, comdat\n" \
    ".weak _.stapsdt.base\n.hidden _.stapsdt.base\n_.stapsdt.base: .space 1\n" \
    ".size _.stapsdt.base, 1\n.popsection\n.endif\n" :: __VA_ARGS__)
#define HERE __attribute__((noipa))

enum color { RED = 1, GREEN = 2 };
struct inner { short a; unsigned b : 3; unsigned c : 5; };
struct item {
    int x;
    const char *name;
    struct inner in;
    char text[16];
    struct item *next;
    int grid[2][3];
    enum color color;
    bool ok;
};

volatile unsigned short app_watched_semaphore __attribute__((section(".probes")));
long app_table[4] = {100, 101, 102, 103};

HERE void step(int i, unsigned char byte, const char *text)
{
    PROBE("app", "step", "0", "-4@%[i] 1@%b[byte] 8@%[text] -8@(%[table],%[index],8) -4@$-7",
          [i] "r"(i), [byte] "r"(byte), [text] "r"(text), [table] "r"(app_table), [index] "r"((long)i & 3) : "memory");
}
HERE void other_place(long n, const char *text)
{
    const char *volatile kept = text;
    PROBE("app", "step", "0", "-8@%[n] 1@$200 8@%[kept]", [n] "r"(n), [kept] "m"(kept) : "memory");
    PROBE("second", "step", "0", "-2@%w[n]", [n] "r"(n));
}
HERE int watched(int i)
{
    if (!app_watched_semaphore)
        return 0;
    PROBE("app", "watched", "app_watched_semaphore", "-4@%[i]", [i] "r"(i));
    return 1;
}
HERE int typed(const char *name, struct item *p, enum color c, bool flag, int8_t small, unsigned short us)
{
    __asm__ volatile("" ::: "memory");
    return p->x + c + flag + small + us;
}

int main(int count, char **arguments)
{
    int rounds = count > 1 ? atoi(arguments[1]) : 2, sum = 0;
    char text[16];
    strcpy(text, "some text"); /* a constant may not be in memory yet when a probe wants to read it */
    struct item item = {5, text, {-3, 5, 17}, "hello", &item, {{1, 2, 3}, {4, 5, -6}}, GREEN, true};
    for (int i = 0; i < rounds; i++) {
        step(i, 250, text);
        other_place(-i, text);
        sum += watched(i) + typed(text, &item, RED, i % 2, -i, 65535 - i);
    }
    return sum > 1 << 30;
}
