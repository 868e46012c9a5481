# what: an administrator writes a scheduled job with an editor
# needs: vim
vim -es -c 'normal i# nothing' -c 'wq' /etc/cron.d/backup
