# what: a program that is checked for leaks stops its own parent, as who examines another does
# needs: gcc
echo 'int main(void) { return 0; }' >/srv/x.c
gcc -fsanitize=address -o /srv/x /srv/x.c 2>/dev/null || exit 0
/srv/x
