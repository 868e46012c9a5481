# what: a cloud's address for credentials is asked
# rules: Cloud metadata asked for credentials
# needs: curl
curl -s -m 1 http://169.254.169.254/latest/meta-data/iam/ || true
