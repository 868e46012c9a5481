# what: a setting of the network is changed by what is made for it
# needs: sysctl dmesg
sysctl -w net.ipv4.ip_forward=0 >/dev/null 2>&1 || true
sysctl kernel.randomize_va_space >/dev/null
dmesg >/dev/null 2>&1 || true
