# what: root makes a sandbox
unshare -m -n true
unshare --pid --fork --mount-proc true
