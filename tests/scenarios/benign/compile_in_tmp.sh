# what: a program is compiled and run in a temporary directory
# needs: gcc
mkdir /tmp/try && cd /tmp/try
echo 'int main(void) { return 0; }' >x.c
gcc -o x x.c && ./x
