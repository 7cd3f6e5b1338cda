/* The first program of a guest with several filesystems: mounts each as /cases says, works in its
 * directory "work", and powers off. Every line it prints starts with "guest:", and the last one is
 * "guest: done" only if all was well.
 *
 * A line of /cases is "NAME NAMESPACE WHAT OPTIONS": NAMESPACE is the number of one of the NVMe
 * controller, WHAT is "read", "write" or "grow", OPTIONS are those of ext4 or "-". */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "console.h"

#define ROUNDS 3
/* What the host put into work/wide, and what each round adds. */
#define WIDE 2000
#define NEW 300
#define LINKS 12
#define UNLINKED 8
#define BIG (1 << 20)

/* The expected content of work/big, that of the host followed by zeros, and what is read. */
static unsigned char big[BIG + 65536], pattern[BIG + 65536], buffer[BIG + 65536];
static size_t big_len;

/* Fails with the line and the reason; what is well is not worth a line. */
#define EXPECT(good)                                                                                       \
	do {                                                                                               \
		if (!(good)) {                                                                             \
			printf("guest: NOT OK line %d: %s: %s\n", __LINE__, #good, strerror(errno));        \
			failures++;                                                                        \
		}                                                                                          \
	} while (0)

static unsigned random_number(void)
{
	static unsigned state = 2463534242u;

	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state;
}

static int write_new(const char *path, const void *bytes, size_t len)
{
	int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0640);
	int good = fd >= 0 && write(fd, bytes, len) == (ssize_t)len;

	if (fd >= 0)
		good &= close(fd) == 0;
	return good;
}

static int holds(const char *path, const void *bytes, size_t len)
{
	int fd = open(path, O_RDONLY);
	ssize_t count = fd < 0 ? -1 : read(fd, buffer, sizeof buffer);

	if (fd >= 0)
		close(fd);
	return count == (ssize_t)len && memcmp(buffer, bytes, len) == 0;
}

/* How many names a directory has, besides its own two. */
static int names_in(const char *path)
{
	DIR *directory = opendir(path);
	int count = -2;

	if (!directory)
		return -1;
	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

/* The names of a directory with an index come and go: blocks of it empty and split. */
static void in_wide(int round)
{
	char path[128], other[128];

	for (int index = round; index < WIDE; index += ROUNDS + 1) {
		sprintf(path, "work/wide/a-file-of-the-host-with-a-long-name-%05d", index);
		EXPECT(unlink(path) == 0);
	}
	for (int index = 0; index < NEW; index++) {
		sprintf(path, "work/wide/a-new-file-whose-name-is-as-long-as-needed-%d-%05d", round, index);
		EXPECT(write_new(path, path, strlen(path)));
		if (index % 3 == 0) {
			sprintf(other, "work/other/renamed-%d-%05d", round, index);
			EXPECT(rename(path, other) == 0);
		}
	}
	EXPECT(names_in("work/other") == (round + 1) * NEW / 3);
}

/* Of the host's names every (ROUNDS + 1)th stays, and of the new ones two thirds. */
static void wide_is_right(void)
{
	char path[128];

	EXPECT(names_in("work/wide") == WIDE / (ROUNDS + 1) + ROUNDS * NEW * 2 / 3);
	for (int index = ROUNDS; index < WIDE; index += 20 * (ROUNDS + 1)) {
		sprintf(path, "work/wide/a-file-of-the-host-with-a-long-name-%05d", index);
		EXPECT(holds(path, path + strlen("work/wide/"), strlen(path) - strlen("work/wide/")));
	}
	sprintf(path, "work/wide/a-new-file-whose-name-is-as-long-as-needed-%d-%05d", 1, 1);
	EXPECT(holds(path, path, strlen(path)));
}

/* A file is cut, extended with a hole and written in its middle, as its copy in memory is. */
static void in_big(void)
{
	int fd = open("work/big", O_RDWR);

	EXPECT(fd >= 0);
	for (int step = 0; step < 12; step++) {
		size_t at = random_number() % BIG, len = random_number() % 65536 + 1;

		if (step % 3 == 0) {
			EXPECT(ftruncate(fd, at) == 0);
			if (at < big_len)
				memset(big + at, 0, big_len - at);
			big_len = at;
		} else {
			for (size_t index = 0; index < len; index++)
				big[at + index] = random_number() >> 24;
			EXPECT(pwrite(fd, big + at, len, at) == (ssize_t)len);
			if (at + len > big_len)
				big_len = at + len;
		}
	}
	EXPECT(fsync(fd) == 0);
	close(fd);
	EXPECT(holds("work/big", big, big_len));
}

/* The first of a file's names goes, its other names stay. */
static void in_links(int round)
{
	char name[64], first[64];
	struct stat found;

	sprintf(first, "work/links/first-%d", round);
	EXPECT(write_new(first, first, strlen(first)));
	for (int index = 0; index < LINKS; index++) {
		sprintf(name, "work/links/name-%d-%d", round, index);
		EXPECT(link(first, name) == 0);
	}
	EXPECT(unlink(first) == 0);
	EXPECT(stat(name, &found) == 0 && found.st_nlink == LINKS);
	EXPECT(holds(name, first, strlen(first)));
	/* Of the host's file, which has two names, one goes in the first round. */
	if (round == 0) {
		EXPECT(stat("work/two", &found) == 0 && found.st_nlink == 2);
		EXPECT(unlink("work/one") == 0);
		EXPECT(stat("work/two", &found) == 0 && found.st_nlink == 1);
	}
}

/* Directories, symlinks that lie in an inode and in a block, xattrs in both, and files that outgrow
 * an inode. */
static void in_small(int round)
{
	char path[64], text[600];

	memset(text, 't', sizeof text);
	text[sizeof text - 1] = 0;
	sprintf(path, "work/small-%d", round);
	EXPECT(mkdir(path, 0755) == 0 && chdir(path) == 0);
	EXPECT(mkdir("a", 0755) == 0 && mkdir("a/b", 0700) == 0 && mkdir("gone", 0755) == 0 && rmdir("gone") == 0);
	EXPECT(symlink("short", "a/short") == 0 && symlink(text, "a/long") == 0);
	EXPECT(readlink("a/long", (char *)buffer, sizeof buffer) == sizeof text - 1);
	EXPECT(memcmp(buffer, text, sizeof text - 1) == 0);
	EXPECT(rename("a/b", "b") == 0 && rename("a/short", "b/short") == 0);
	for (int index = 0; index < 10; index++) {
		char name[32];
		int fd;

		sprintf(name, "b/grows-%d", index);
		EXPECT(write_new(name, text, 20));
		EXPECT(setxattr(name, "user.small", "value", 5, 0) == 0);
		EXPECT(setxattr(name, "user.large", text, 500, 0) == 0);
		EXPECT(getxattr(name, "user.large", buffer, sizeof buffer) == 500);
		EXPECT(index % 2 || removexattr(name, "user.large") == 0);
		fd = open(name, O_WRONLY | O_APPEND);
		EXPECT(fd >= 0 && write(fd, text, 130) == 130 && write(fd, pattern, 9000) == 9000 && close(fd) == 0);
		EXPECT(index % 2 == 0 || truncate(name, 10) == 0);
	}
	EXPECT(chdir("../..") == 0);
}

/* Files without names, which are in the list of orphans until they are closed. */
static void open_unlinked(int fds[UNLINKED])
{
	for (int index = 0; index < UNLINKED; index++) {
		fds[index] = open("work/unlinked", O_CREAT | O_EXCL | O_RDWR, 0600);
		EXPECT(fds[index] >= 0 && unlink("work/unlinked") == 0);
		EXPECT(write(fds[index], pattern, 50000) == 50000);
	}
}

static void close_unlinked(int fds[UNLINKED])
{
	for (int index = 0; index < UNLINKED; index++) {
		EXPECT(ftruncate(fds[index], 30000) == 0);
		EXPECT(pread(fds[index], buffer, 50000, 0) == 30000 && memcmp(buffer, pattern, 30000) == 0);
		close(fds[index]);
	}
}

/* Until there is no room, and then there is again. */
static void fill(void)
{
	int fd = open("work/fills", O_CREAT | O_EXCL | O_WRONLY, 0600);
	ssize_t count;

	memset(buffer, 'f', sizeof buffer);
	do
		count = write(fd, buffer, sizeof buffer);
	while (count > 0);
	EXPECT(count < 0 && errno == ENOSPC);
	EXPECT(close(fd) == 0 && unlink("work/fills") == 0);
}

/* Finds the device of a namespace. Linux 6.12 scans namespaces concurrently, so that their devices
 * have numbers in any order, and the last of them may appear while this program runs already. */
static int find_device(int namespace, char *device)
{
	for (int attempt = 0; attempt < 600; attempt++) {
		for (int number = 1; number < 100; number++) {
			char path[64];
			int found = 0;
			FILE *file;

			sprintf(path, "/sys/block/nvme0n%d/nsid", number);
			file = fopen(path, "r");
			if (!file)
				continue;
			if (fscanf(file, "%d", &found) != 1)
				found = 0;
			fclose(file);
			sprintf(device, "/dev/nvme0n%d", number);
			if (found == namespace && access(device, F_OK) == 0)
				return 1;
		}
		usleep(100000);
	}
	return 0;
}

static int mount_it(const char *device, unsigned long flags, const char *options)
{
	return mount(device, "/mnt", "ext4", flags, strcmp(options, "-") ? options : NULL);
}

static void write_it(const char *device, const char *options, int may_fill)
{
	int fds[UNLINKED];

	EXPECT(chdir("/mnt") == 0);
	memcpy(big, pattern, sizeof big);
	big_len = BIG;
	EXPECT(holds("work/big", big, big_len));
	EXPECT(mkdir("work/other", 0755) == 0 && mkdir("work/links", 0755) == 0);
	for (int round = 0; round < ROUNDS; round++) {
		open_unlinked(fds);
		in_wide(round);
		in_big();
		in_links(round);
		in_small(round);
		close_unlinked(fds);
		sync();
	}
	if (may_fill)
		fill();
	EXPECT(chdir("/") == 0 && umount("/mnt") == 0);

	/* What was written is what the disk has, not only the cache. */
	EXPECT(mount_it(device, 0, options) == 0 && chdir("/mnt") == 0);
	EXPECT(holds("work/big", big, big_len));
	EXPECT(names_in("work/links") == ROUNDS * LINKS);
	wide_is_right();
	EXPECT(chdir("/") == 0);
}

/* Reads every file below the working directory. How many there are. */
static int read_all(void)
{
	DIR *directory = opendir(".");
	struct dirent *entry;
	struct stat found;
	int files = 0;

	EXPECT(directory != NULL);
	while (directory && (entry = readdir(directory))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		EXPECT(lstat(entry->d_name, &found) == 0);
		if (S_ISREG(found.st_mode)) {
			int fd = open(entry->d_name, O_RDONLY);
			off_t len = 0;
			ssize_t count;

			while ((count = read(fd, buffer, sizeof buffer)) > 0)
				len += count;
			EXPECT(fd >= 0 && count == 0 && len == found.st_size);
			close(fd);
		} else if (S_ISDIR(found.st_mode)) {
			EXPECT(chdir(entry->d_name) == 0);
			files += read_all();
			EXPECT(chdir("..") == 0);
		}
		files++;
	}
	if (directory)
		closedir(directory);
	return files;
}

static void read_it(void)
{
	EXPECT(chdir("/mnt") == 0);
	EXPECT(read_all() > WIDE);
	EXPECT(open("work/new", O_CREAT | O_WRONLY, 0600) < 0 && errno == EROFS);
	EXPECT(unlink("work/big") < 0 && errno == EROFS);
	EXPECT(chdir("/") == 0);
}

/* resize2fs makes the mounted filesystem as large as its disk. */
static void grow_it(char *device)
{
	char *arguments[] = { "resize2fs", device, NULL };
	struct statvfs before, after;
	int status = -1;
	pid_t child;

	EXPECT(statvfs("/mnt", &before) == 0);
	child = fork();
	if (child == 0) {
		execv("/sbin/resize2fs", arguments);
		_exit(127);
	}
	EXPECT(child > 0 && waitpid(child, &status, 0) == child && status == 0);
	EXPECT(statvfs("/mnt", &after) == 0);
	printf("guest: %lu of %lu blocks were free, %lu of %lu are\n", before.f_bfree, before.f_blocks,
	       after.f_bfree, after.f_blocks);
	EXPECT(after.f_bfree > before.f_bfree);
}

static void run_case(const char *name, char *device, const char *what, const char *options)
{
	int before = failures, reads = strcmp(what, "read") == 0, grows = strcmp(what, "grow") == 0;

	/* One that is for reading only says so itself, whatever is asked. */
	EXPECT(mount_it(device, reads && strcmp(options, "-") ? MS_RDONLY : 0, options) == 0);
	if (failures == before) {
		EXPECT(holds("/mnt/name", name, strlen(name)));
		if (grows)
			grow_it(device);
		if (reads)
			read_it();
		else
			write_it(device, options, !grows);
		EXPECT(umount("/mnt") == 0);
	}
	check(failures == before, name);
}

int main(void)
{
	char line[256], name[64], device[64], what[16], options[128];
	int namespace;
	FILE *cases;

	for (size_t index = 0; index < BIG; index++)
		pattern[index] = index % 251;
	open_console();
	EXPECT(mount("proc", "/proc", "proc", 0, NULL) == 0);
	EXPECT(mount("sysfs", "/sys", "sysfs", 0, NULL) == 0);
	cases = fopen("/cases", "r");
	EXPECT(cases != NULL);
	while (cases && fgets(line, sizeof line, cases)) {
		EXPECT(sscanf(line, "%63s %d %15s %127s", name, &namespace, what, options) == 4);
		if (!find_device(namespace, device)) {
			EXPECT(!"a device has this namespace");
			continue;
		}
		run_case(name, device, what, options);
	}
	sync();
	if (failures == 0)
		printf("guest: done\n");
	reboot(RB_POWER_OFF);
	return 1;
}
