# what: a program gets the address of a pool for mining
# rules: Coins mined
cp /usr/bin/true /home/ann/worker
/home/ann/worker -o stratum+tcp://127.0.0.1:3333 -u x -p x
