# what: a project is built and tested by make
# needs: gcc make
mkdir /tmp/project && cd /tmp/project
printf 'all: x test\nx: x.c\n\tgcc -o x x.c\ntest: x\n\t./x\n\tchmod +x run.sh\n\t./run.sh\n' >Makefile
echo 'int main(void) { return 0; }' >x.c
printf '#!/bin/sh\nuname >/dev/null; id >/dev/null\n' >run.sh
make >/dev/null
