# what: access keys of a cloud are read by a tool for text
# rules: Cloud and service credentials read
base64 /home/ann/.aws/credentials >/dev/null
