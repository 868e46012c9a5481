# what: a history of commands is searched for passwords
# rules: Command history read
grep -i passw /home/ann/.bash_history || true
