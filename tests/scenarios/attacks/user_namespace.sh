# what: a user makes a namespace and mounts in it
# rules: User namespace made by an unusual program
# needs: setpriv
setpriv --reuid 65534 --regid 65534 --clear-groups unshare -Urm true
