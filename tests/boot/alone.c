/* A program without libraries that is the first of a guest: it says so and powers off. */
#include <sys/reboot.h>

#include "console.h"

int main(void)
{
	open_console();
	check(getpid() == 1, "the first process");
	if (failures == 0)
		printf("guest: done\n");
	reboot(RB_POWER_OFF);
	return 1;
}
