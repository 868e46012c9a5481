# what: the history of commands is bound to nothing
# rules: Command history removed or emptied
ln -sf /dev/null /home/ann/.bash_history
