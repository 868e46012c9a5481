# what: settings are changed with an editor
# needs: vim
vim -es -c 'normal i# x' -c wq /etc/profile.d/x.sh
vim -es -c 'normal i# x' -c wq /etc/hosts
