# what: data is fetched and taken apart
# needs: curl
cd /srv
echo '{"a": 1}' >data.json
python3 -m http.server 8125 --bind 127.0.0.1 >/dev/null 2>&1 &
server=$!
sleep 1
curl -s -o /tmp/data.json http://127.0.0.1:8125/data.json || true
curl -s http://127.0.0.1:8125/data.json | python3 -c 'import json,sys; json.load(sys.stdin)' || true
kill $server
