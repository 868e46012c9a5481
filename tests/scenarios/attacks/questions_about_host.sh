# what: many questions about the host at once
# rules: Many questions about the host at once
for command in id whoami uname hostname ps ss lscpu lsblk df who; do
  $command >/dev/null 2>&1 || true
done
