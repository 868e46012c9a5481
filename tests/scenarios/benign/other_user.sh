# what: a command is run as another user
# needs: runuser su
runuser -u nobody -- id >/dev/null
su nobody -s /bin/sh -c 'true'
