# what: a program deletes its own file
# rules: Program deletes itself
# needs: gcc
cat >/srv/x.c <<'END'
#include <unistd.h>
int main(int count, char **words) { (void)count; return unlink(words[0]); }
END
gcc -o /home/ann/x /srv/x.c
/home/ann/x
