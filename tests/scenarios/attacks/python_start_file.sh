# what: every program of Python is made to run something
# rules: Code that every Python program loads written
mkdir -p /srv/lib/python3.11/site-packages
echo 'import os' >/srv/lib/python3.11/site-packages/colours.pth
