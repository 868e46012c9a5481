# what: a shell script looks for secrets in the environments of processes
# rules: Environment of other processes read
for n in 1 2 3 4 5; do TOKEN=$n sleep 3 & done
for process in $(jobs -p); do tr '\0' '\n' <"/proc/$process/environ" | grep -i token >/dev/null; done
