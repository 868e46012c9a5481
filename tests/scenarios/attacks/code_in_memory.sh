# what: a program makes memory that can be written and run
# rules: Writable and executable memory in a temporary program
# needs: gcc
cat >/srv/x.c <<'END'
#include <sys/mman.h>
int main(void) { return mmap(0, 4096, 7, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED; }
END
gcc -o /var/tmp/x /srv/x.c
/var/tmp/x
