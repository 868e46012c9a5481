/* Functions to probe: `calls N` calls each of add, add_more and hidden N times, and factorial(5) once. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HERE __attribute__((noinline))

int counter = 5;
short small = -7;

HERE int add(int a, int b)
{
    __asm__ volatile("" ::: "memory");
    return a + b;
}

HERE int add_more(int a, const char *text)
{
    __asm__ volatile("" ::: "memory");
    return a + (text != 0);
}

HERE int factorial(int n)
{
    __asm__ volatile("" ::: "memory");
    return n < 2 ? 1 : n * factorial(n - 1);
}

HERE static int hidden(int n)
{
    __asm__ volatile("" ::: "memory");
    return n - 1;
}

int main(int count, char **arguments)
{
    int n = count > 1 ? atoi(arguments[1]) : 3;
    long sum = 0;
    char text[16];
    strcpy(text, "some text"); /* a constant may not be in memory yet when a probe wants to read it */
    for (int i = 0; i < n; i++)
        sum += add(i, 2) + add_more(i, text) + hidden(i);
    sum += factorial(5);
    return sum < 0;
}
