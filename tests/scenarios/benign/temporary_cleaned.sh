# what: a build directory is removed
mkdir -p /var/tmp/build/a/b
for n in $(seq 60); do echo x >/var/tmp/build/a/b/$n.txt; done
rm -rf /var/tmp/build
