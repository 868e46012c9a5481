# what: an environment for Python is made and used
python3 -m venv --without-pip /home/ann/venv
/home/ann/venv/bin/python -c 'print(1)' >/dev/null
