# what: a line is added to what a user's shell reads
# rules: Start file of a user's shell written
echo 'true' >>/home/ann/.bashrc
