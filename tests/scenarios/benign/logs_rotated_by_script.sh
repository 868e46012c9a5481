# what: a script renames logs, begins new ones and compresses the old, which looks like hiding
cd /var/log
for log in auth.log syslog; do
  mv "$log" "$log.1"
  : >"$log"
  gzip "$log.1"
done
