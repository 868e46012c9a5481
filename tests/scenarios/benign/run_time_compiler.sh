# what: a program that compiles while it runs
# needs: node
node -e 'let n = 0; for (let i = 0; i < 1e6; i++) n += i; console.log(n)' >/dev/null
