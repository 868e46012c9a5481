"""Which system calls run, how often they fail, how long they take: programs of our language, and how to show
them.

`summary` counts, `trace` prints call by call. Both only write a program's text, run it through the public
API and turn what comes back into tables and lines; nothing here talks to the kernel.
"""
