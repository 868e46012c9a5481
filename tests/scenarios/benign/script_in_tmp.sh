# what: a script is written to a temporary directory and run
printf '#!/bin/sh\ntrue\n' >/tmp/run.sh
chmod +x /tmp/run.sh
/tmp/run.sh
