/* The first program of a guest that boots from an initramfs: describes every file there is, tries a
 * device, and powers off. Every line it prints starts with "guest:", and the last one is "guest:
 * done" only if nothing failed. */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static int failures;

static void fail(const char *what, const char *path)
{
	printf("guest: NOT OK %s %s\n", what, path);
	failures++;
}

/* FNV-1a of 64 bits. */
static uint64_t add(uint64_t hash, const unsigned char *bytes, size_t count)
{
	for (size_t index = 0; index < count; index++)
		hash = (hash ^ bytes[index]) * 0x100000001b3;
	return hash;
}

static uint64_t hash_of(const char *path, const struct stat *status)
{
	static unsigned char buffer[1 << 16];
	uint64_t hash = 0xcbf29ce484222325;
	ssize_t count;

	if (S_ISLNK(status->st_mode)) {
		count = readlink(path, (char *)buffer, sizeof buffer);
		return count < 0 ? 0 : add(hash, buffer, count);
	}
	if (S_ISREG(status->st_mode)) {
		int fd = open(path, O_RDONLY);

		while ((count = read(fd, buffer, sizeof buffer)) > 0)
			hash = add(hash, buffer, count);
		if (fd < 0 || count < 0)
			fail("reading", path);
		close(fd);
	}
	return hash;
}

static int by_name(const struct dirent **one, const struct dirent **other)
{
	return strcmp((*one)->d_name, (*other)->d_name);
}

/* A line for each file: path, mode, owner, group, time, names, inode, device, length, hash. */
static void describe(const char *path)
{
	struct stat status;
	struct dirent **names;
	int count;

	if (lstat(path, &status) != 0) {
		fail("lstat", path);
		return;
	}
	int directory = S_ISDIR(status.st_mode);
	/* What is printed changes the time of what it is printed on. */
	if (strcmp(path, "/dev/console") == 0)
		status.st_mtime = 0;
	printf("guest: file %s %06o %u:%u %lld %u %u:%u %lld %016llx\n", path, status.st_mode, status.st_uid,
	       status.st_gid, (long long)status.st_mtime, directory ? 0 : (unsigned)status.st_nlink,
	       major(status.st_rdev), minor(status.st_rdev), directory ? 0LL : (long long)status.st_size,
	       (unsigned long long)hash_of(path, &status));
	if (!directory)
		return;
	count = scandir(path, &names, NULL, by_name);
	if (count < 0)
		fail("listing", path);
	for (int index = 0; index < count; index++) {
		char inner[4096];
		const char *name = names[index]->d_name;

		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
			continue;
		snprintf(inner, sizeof inner, "%s/%s", strcmp(path, "/") == 0 ? "" : path, name);
		describe(inner);
	}
}

static void same_file(const char *one, const char *other)
{
	struct stat first, second;

	if (lstat(one, &first) != 0 || lstat(other, &second) != 0 || first.st_ino != second.st_ino)
		fail("a hard link", other);
}

static void device_works(void)
{
	unsigned char bytes[16] = "not all zero yet";
	const unsigned char zeros[16] = "";
	int fd = open("/dev/zero", O_RDONLY);

	if (fd < 0 || read(fd, bytes, sizeof bytes) != sizeof bytes || memcmp(bytes, zeros, sizeof bytes) != 0)
		fail("a device", "/dev/zero");
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	describe("/");
	same_file("/etc/hostname", "/usr/share/hostname");
	same_file("/etc/hostname", "/usr/share/third");
	device_works();
	if (failures == 0)
		printf("guest: done\n");
	fflush(stdout);
	reboot(RB_POWER_OFF);
	return 1;
}
