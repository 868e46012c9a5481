# what: a repository is made, changed and packed
# needs: git
cd /home/ann && git init -q work && cd work
git config user.email a@b.c && git config user.name a
for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do echo $n >file$n.txt; done
git add . && git commit -qm one
git checkout -qb two && rm file*.txt && git commit -qam two && git checkout -q -
git gc -q
