# what: an administrator looks for the cause of a failure, which looks like finding one's way in a machine
for command in uptime 'df -h' 'free -m' w 'ip address' 'ss -tln' 'ps aux' 'lsof -i' dmesg mount; do
  timeout 5 $command >/dev/null 2>&1 || true
done
