#!/bin/sh
# First process of the virtual machine: mounts what a system has, runs the command, stops the machine.
# Arguments: folder of the project, file for the output, shell script with the command
project=$1 output=$2 script=$3
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
# Nothing is written beside the output, which is read as it comes.
export PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tracefs tracefs /sys/kernel/tracing
mount -t debugfs debugfs /sys/kernel/debug 2> /dev/null
mount -t securityfs securityfs /sys/kernel/security
mount -t bpf bpf /sys/fs/bpf
mount -t cgroup2 cgroup /sys/fs/cgroup 2> /dev/null
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
ln -sfn /proc/self/fd /dev/fd
# The machine's own root is ours too.
mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /root/.cache 2> /dev/null
ip link set lo up 2> /dev/null
cd "$project" || echo "cannot enter $project" > "$output"
sh "$script" > "$output" 2>&1
printf '\nexit code %s\n' $? >> "$output"
sync
echo o > /proc/sysrq-trigger
sleep 60
