# what: a new program gets the times of an old one
# rules: Times of a system file changed
cp /usr/bin/true /usr/bin/lsx
touch -r /usr/bin/ls /usr/bin/lsx
