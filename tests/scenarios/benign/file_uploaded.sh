# what: a report is sent by a form
# needs: curl
echo report >/srv/report.pdf
curl -s -m 1 -F f=@/srv/report.pdf http://127.0.0.1:9/ || true
