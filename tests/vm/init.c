/*
 * First process of an initial RAM disk, for kernels whose virtiofs is a module: loads /modules/0, /modules/1, …
 * and goes on with the real root. Kernels with virtiofs built in do without.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int failed(const char *what)
{
	perror(what);
	pause();
	return 1;
}

int main(int argc, char **argv)
{
	char path[32];

	(void)argc;
	for (int n = 0;; n++) {
		snprintf(path, sizeof(path), "/modules/%d", n);
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			break;
		if (syscall(SYS_finit_module, fd, "", 0))
			perror(path);
		close(fd);
	}
	mkdir("/new", 0755);
	if (mount("root", "/new", "virtiofs", 0, NULL))
		return failed("mount virtiofs");
	if (chdir("/new") || mount("devtmpfs", "dev", "devtmpfs", 0, NULL))
		return failed("mount /dev");
	if (mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".") || chdir("/"))
		return failed("switch to the real root");
	/* The arguments of the kernel command line after `--`. */
	execv(argv[1], argv + 1);
	return failed(argv[1]);
}
