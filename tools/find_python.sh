# shellcheck shell=sh disable=SC2034
# To be sourced: sets $python to the first Python that is new enough.
for python in python3 python3.14 python3.13 python3.12 python3.11; do
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && return 0
done
echo "Kernscope needs Python 3.11 or newer, and found none (looked for python3 and python3.11 to python3.14)" >&2
return 1
