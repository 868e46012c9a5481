# what: a hidden program connects to a machine
# rules: Connection of a hidden program
# needs: gcc
cat >/srv/x.c <<'END'
#include <arpa/inet.h>
#include <sys/socket.h>
int main(void) {
    int listener = socket(AF_INET, SOCK_STREAM, 0), s = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(4600), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    if (bind(listener, (void *)&a, sizeof a) || listen(listener, 1)) return 1;
    return connect(s, (void *)&a, sizeof a) != 0;
}
END
gcc -o /dev/shm/.x /srv/x.c
/dev/shm/.x
