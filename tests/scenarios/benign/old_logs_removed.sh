# what: rotated logs are removed by age
for n in 2 3 4 5 6 7 8 9; do echo x >/var/log/app.log.$n; done
python3 -c 'import glob, os; [os.utime(name, (0, 0)) for name in glob.glob("/var/log/app.log.*")]'
find /var/log -name '*.log.[0-9]*' -mtime +30 -delete
