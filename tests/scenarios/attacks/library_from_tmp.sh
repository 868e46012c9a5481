# what: a library from a temporary directory is put into a program
# rules: Library from a temporary place put into a program
LD_PRELOAD=/tmp/x.so /usr/bin/true 2>/dev/null
