# what: a directory is made whose name is not seen
# rules: Directory whose name is not seen made; Name that misleads
mkdir '/var/tmp/...'
cp /usr/bin/true '/var/tmp/.../x'
'/var/tmp/.../x'
