# what: shells in pipes do a job
printf '1\n2\n' | sh -c 'while read -r n; do echo $n; done' | sort -r >/dev/null
echo true | bash
