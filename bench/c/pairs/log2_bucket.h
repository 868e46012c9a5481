// The bucket of hist(): 0 for negative numbers, 1 for 0, and then one for each power of two.
static __always_inline __u32 log2_bucket(__s64 value)
{
	__u32 power = 0;
	__u64 rest = value;

	if (value < 0)
		return 0;
	if (value == 0)
		return 1;
	for (int step = 32; step; step >>= 1)
		if (rest >> step) {
			rest >>= step;
			power += step;
		}
	return power + 2;
}
