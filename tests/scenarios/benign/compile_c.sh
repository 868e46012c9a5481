# what: a program is compiled and run
# needs: gcc
mkdir -p /home/ann/src && cd /home/ann/src
echo 'int main(void) { return 0; }' >x.c
gcc -O2 -o x x.c
./x
