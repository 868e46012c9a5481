# what: what is fetched goes straight into a shell
# rules: Download piped into a shell
# needs: curl
cd /srv
echo 'true' >install.sh
python3 -m http.server 8124 --bind 127.0.0.1 >/dev/null 2>&1 &
server=$!
sleep 1
for n in 1 2 3 4 5 6 7 8 9 10; do
  curl -sf http://127.0.0.1:8124/install.sh | (sleep 0.2; exec bash)
  sleep 0.1
done
kill $server
