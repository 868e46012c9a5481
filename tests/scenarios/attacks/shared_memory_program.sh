# what: a program is run out of shared memory
# rules: Program run from shared memory or a runtime directory
cp /usr/bin/true /dev/shm/job
/dev/shm/job
