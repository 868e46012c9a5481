# what: many files get another ending by a loop
cd /srv
for n in $(seq 30); do echo x >$n.jpeg; done
for file in *.jpeg; do mv $file ${file%.jpeg}.jpg; done
