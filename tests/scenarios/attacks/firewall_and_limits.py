# what: protection of the kernel is switched off
# rules: Setting of the kernel's protection weakened

with open("/proc/sys/kernel/randomize_va_space") as file:
    before = file.read()
with open("/proc/sys/kernel/randomize_va_space", "w") as file:
    file.write(before)
