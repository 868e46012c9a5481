# what: an account with the number of root is made
# rules: Account with root's rights made
# needs: useradd
useradd -o -u 0 -M toor
