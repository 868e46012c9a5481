# what: a program is run by a debugger
# needs: gcc gdb
cd /home/ann
echo 'int main(void) { volatile int x = 1; return x - 1; }' >x.c
gcc -g -o x x.c
gdb -q -batch -ex 'break main' -ex run -ex 'print 1' -ex continue ./x >/dev/null 2>&1
