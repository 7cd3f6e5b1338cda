/* The first program of the guest: checks what the image holds, writes a file, and powers off. Every
 * line it prints starts with "guest:", and the last one is "guest: done" only if all was well. */
#include <string.h>
#include <sys/reboot.h>
#include <sys/stat.h>

#include "console.h"

static int content_is(const char *path, const char *expected)
{
	char found[256] = "";
	int fd = open(path, O_RDONLY);
	ssize_t count = fd < 0 ? -1 : read(fd, found, sizeof found - 1);

	if (fd >= 0)
		close(fd);
	return count == (ssize_t)strlen(expected) && memcmp(found, expected, count) == 0;
}

/* A megabyte in which byte number n is n modulo 251. */
static int pattern_is(const char *path)
{
	static unsigned char found[1 << 20];
	FILE *file = fopen(path, "rb");
	size_t count = file ? fread(found, 1, sizeof found, file) : 0;

	if (file)
		fclose(file);
	for (size_t index = 0; index < count; index++)
		if (found[index] != index % 251)
			return 0;
	return count == sizeof found;
}

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0640);
	int good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && fsync(fd) == 0;

	if (fd >= 0)
		close(fd);
	return good;
}

int main(void)
{
	struct stat stat_of_file, stat_of_link;

	open_console();
	check(content_is("/etc/hostname", "guest\n"), "a file's bytes");
	check(content_is("/etc/link", "guest\n"), "a symlink");
	check(pattern_is("/usr/share/pattern"), "a megabyte");
	check(stat("/etc/secret", &stat_of_file) == 0 && (stat_of_file.st_mode & 07777) == 0600 &&
		      stat_of_file.st_uid == 0,
	      "a mode and an owner");
	check(lstat("/etc/hostname", &stat_of_file) == 0 && lstat("/usr/share/hostname", &stat_of_link) == 0 &&
		      stat_of_file.st_ino == stat_of_link.st_ino && stat_of_file.st_nlink == 2,
	      "a hard link");
	check(mkdir("/made by the guest", 0700) == 0, "making a directory");
	check(write_file("/written", "written by the guest\n"), "writing a file");
	sync();
	/* Read-only, the journal is empty and the filesystem marked clean. */
	check(mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0, "remounting read-only");
	if (failures == 0)
		printf("guest: done\n");
	reboot(RB_POWER_OFF);
	return 1;
}
