/* What `mixed.py` calls by ctypes. */
static volatile unsigned sum;

void in_c(unsigned rounds) {
    for (unsigned i = 0; i < rounds; i++)
        sum = sum * 31 + (i ^ 0x51);
}
