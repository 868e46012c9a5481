# what: a remote shell is given a terminal
# rules: Terminal made for a remote shell
python3 -c 'import pty; pty.spawn(["/bin/true"])'
