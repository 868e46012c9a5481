# what: many files get a backup beside them
cd /home/ann
for n in $(seq 30); do echo $n >note$n.txt; done
sed -i.bak 's/1/2/' note*.txt
