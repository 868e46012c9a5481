# what: a program calls itself like a thread of the kernel
# rules: Process disguised as a thread of the kernel
bash -c 'exec -a "[kworker/0:1]" sleep 0.1'
