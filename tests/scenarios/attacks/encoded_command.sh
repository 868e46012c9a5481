# what: a command is decoded and run
# rules: Encoded command run
bash -c 'echo dHJ1ZQo= | base64 -d | sh'
