# what: the dynamic loader runs what is not executable
# rules: Program run by the dynamic loader
cp /usr/bin/true /tmp/data
chmod -x /tmp/data
/lib*/ld-linux-[xa]*64.so.? /tmp/data || /lib64/ld-linux-x86-64.so.2 /tmp/data
