# what: a script runs many short commands
for n in $(seq 150); do /usr/bin/true; done
