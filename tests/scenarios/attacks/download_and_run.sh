# what: something is fetched, made executable and run
# rules: Downloaded program made executable and run
# needs: curl
cd /srv
cp /usr/bin/true tool
python3 -m http.server 8123 --bind 127.0.0.1 >/dev/null 2>&1 &
server=$!
for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  curl -s -o /tmp/tool http://127.0.0.1:8123/tool && break
  sleep 0.2
done
kill $server
chmod +x /tmp/tool
/tmp/tool
