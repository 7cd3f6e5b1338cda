/* What the first programs of all guests share: a console, and checks that are counted. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

static int failures;

static void check(int good, const char *what)
{
	printf("guest: %s %s\n", good ? "ok" : "NOT OK", what);
	if (!good)
		failures++;
}

/* The guest's kernel has no console before /dev/console is there: from the image, or from the
 * kernel itself. */
static void open_console(void)
{
	int fd = open("/dev/console", O_RDWR);

	if (fd < 0) {
		mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
		fd = open("/dev/console", O_RDWR);
	}
	if (fd >= 0) {
		dup2(fd, 0);
		dup2(fd, 1);
		dup2(fd, 2);
	}
	setvbuf(stdout, NULL, _IONBF, 0);
}
