# what: what is fetched is handed to a shell
# rules: Fetched text run as a command
# needs: curl
cd /srv
echo 'true; id >/dev/null' >install.sh
python3 -m http.server 8126 --bind 127.0.0.1 >/dev/null 2>&1 &
server=$!
for n in 1 2 3 4 5 6; do
  sleep 0.4
  sh -c "$(curl -sf http://127.0.0.1:8126/install.sh)"
done
kill $server
