/* Names a file that another thread changes: `path_race unlink|rename FOLDER COUNT`.
   In FOLDER are the directories `h` (harmless), `t` and `w` (watched). Each round makes one file of the same name in `h` and in `w`
   and removes, or moves to `t`, the one whose path is in memory at the moment, while the other thread writes `h` and `w` into
   the path in turn. Prints the names of those that were taken from `w`. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[4096];
static volatile char *which;
static volatile int over;

static void *flip(void *unused)
{
    while (!over) {
        *which = 'w';
        *which = 'h';
    }
    return unused;
}

static void make(const char *folder, char of, int number)
{
    char name[4096];
    snprintf(name, sizeof name, "%s/%c/%06d", folder, of, number);
    int file = open(name, O_CREAT | O_WRONLY, 0600);
    if (file < 0) {
        perror(name);
        exit(1);
    }
    close(file);
}

int main(int count, char **words)
{
    pthread_t other;
    if (count != 4)
        return 2;
    const char *folder = words[2];
    int moves = !strcmp(words[1], "rename");
    which = path + strlen(folder) + 1;
    snprintf(path, sizeof path, "%s/h/%06d", folder, 0);
    if (pthread_create(&other, NULL, flip, NULL))
        return 1;
    for (int number = 0; number < atoi(words[3]); number++) {
        char to[4096], watched[4096];
        make(folder, 'h', number);
        make(folder, 'w', number);
        snprintf((char *)which + 2, 16, "%06d", number);
        snprintf(to, sizeof to, "%s/t/%06d", folder, number);
        if (moves ? rename(path, to) : unlink(path)) {
            perror(path);
            return 1;
        }
        snprintf(watched, sizeof watched, "%s/w/%06d", folder, number);
        if (access(watched, F_OK))
            puts(watched);
    }
    over = 1;
    pthread_join(other, NULL);
    return 0;
}
