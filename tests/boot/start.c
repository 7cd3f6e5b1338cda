/* The first program of a guest that starts the /init of many trees, each in /cases/NAME as its root
 * directory, and prints how each ends. Nothing but the console is mounted, as when /init starts. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/reboot.h>
#include <sys/wait.h>

#include "console.h"

static void start(const char *name)
{
	char path[512];
	int status = 0;
	pid_t child;

	snprintf(path, sizeof path, "/cases/%s", name);
	child = fork();
	if (child == 0) {
		char *arguments[] = { "/init", NULL }, *environment[] = { "HOME=/", "TERM=linux", NULL };

		if (chroot(path) != 0 || chdir("/") != 0)
			_exit(99);
		execve("/init", arguments, environment);
		printf("guest: case %s error -%d\n", name, errno);
		_exit(98);
	}
	waitpid(child, &status, 0);
	if (WIFSIGNALED(status))
		printf("guest: case %s signal %d\n", name, WTERMSIG(status));
	else if (WEXITSTATUS(status) != 98)
		printf("guest: case %s exit %d\n", name, WEXITSTATUS(status));
}

int main(void)
{
	struct dirent **names;
	int count;

	open_console();
	count = scandir("/cases", &names, NULL, alphasort);
	check(count > 2, "cases");
	for (int index = 0; index < count; index++)
		if (names[index]->d_name[0] != '.')
			start(names[index]->d_name);
	if (failures == 0)
		printf("guest: done\n");
	reboot(RB_POWER_OFF);
	return 1;
}
