# what: a job is put into root's table without crontab
# rules: Scheduled job written
import os

os.umask(0o77)
with open("/var/spool/cron/crontabs/root", "a") as table:
    table.write("@reboot /home/ann/x\n")
