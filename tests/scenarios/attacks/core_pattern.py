# what: the kernel's program for core dumps is set
# rules: Program that the kernel runs as root changed

with open("/proc/sys/kernel/core_pattern") as file:
    before = file.read()
with open("/proc/sys/kernel/core_pattern", "w") as file:
    file.write(before)
