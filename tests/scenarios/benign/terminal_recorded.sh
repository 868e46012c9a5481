# what: a terminal session is recorded
# needs: script
script -q -c 'true' /home/ann/typescript >/dev/null
