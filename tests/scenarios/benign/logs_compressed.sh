# what: many text files are compressed
cd /srv
for n in $(seq 30); do echo x >$n.txt; done
gzip *.txt
