/* The first program of a guest with measured disks and with persistent memory: does what each line
 * of /cases says, and powers off. Every line it prints starts with "guest:", and the last one is
 * "guest: done" only if all was well.
 *
 *   load PATH                  loads a kernel module
 *   open SERIAL NAME ARGS...   finds the NVMe disk, and runs veritysetup open with its partitions
 *   whole NAME [TYPE]          mounts /dev/mapper/NAME, ext4 or TYPE, and reads the file
 *   damaged NAME [TYPE]        the same, and reading the file fails
 *   plain SERIAL [TYPE]        mounts the first partition of the NVMe disk, and reads the file
 *   dax NUMBER                 mounts the first partition of the persistent memory with dax
 *   no-dax NUMBER              that partition is elsewhere, and does not mount with dax
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "console.h"

/* The file of the filesystems: byte N is N modulo 251. */
#define LENGTH ((3 << 20) + 5000)
#define WORDS 32
#define MODULE_INIT_COMPRESSED_FILE 4

static unsigned char buffer[LENGTH + 1];

/* Reads a short file without the blanks at its end; returns 0 on failure. */
static int read_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY);
	ssize_t len = fd < 0 ? -1 : read(fd, text, size - 1);

	if (fd >= 0)
		close(fd);
	if (len < 0)
		return 0;
	while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\n'))
		len--;
	text[len] = 0;
	return 1;
}

/* Devices appear a while after their module is loaded. */
static int wait_for(const char *path)
{
	for (int tries = 0; tries < 300; tries++) {
		if (access(path, F_OK) == 0)
			return 1;
		usleep(100000);
	}
	return 0;
}

/* Returns the number of the NVMe controller with a serial number, or -1. */
static int find_nvme(const char *serial)
{
	char path[64], found[64];

	for (int number = 0; number < 16; number++) {
		snprintf(path, sizeof path, "/sys/class/nvme/nvme%d/serial", number);
		if (read_text(path, found, sizeof found) && strcmp(found, serial) == 0)
			return number;
	}
	return -1;
}

static void load(const char *path)
{
	int fd = open(path, O_RDONLY);
	int flags = strstr(path, ".ko.") ? MODULE_INIT_COMPRESSED_FILE : 0;

	check(fd >= 0 && (syscall(SYS_finit_module, fd, "", flags) == 0 || errno == EEXIST), path);
	if (fd >= 0)
		close(fd);
}

static int run(char *const words[])
{
	/* Nobody answers libdevmapper here, so it makes the nodes itself. */
	char *environment[] = { "DM_DISABLE_UDEV=1", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };
	int status = -1;
	pid_t child = fork();

	if (child == 0) {
		execve(words[0], words, environment);
		perror("guest: veritysetup");
		_exit(127);
	}
	waitpid(child, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void open_disk(char *words[], int count)
{
	static char data[32], hash[32], fec[48];
	char *command[WORDS + 8] = { "/usr/sbin/veritysetup", "open", data, words[1], hash };
	int number = find_nvme(words[0]), used = 5;

	check(number >= 0, words[0]);
	snprintf(data, sizeof data, "/dev/nvme%dn1p1", number);
	snprintf(hash, sizeof hash, "/dev/nvme%dn1p2", number);
	snprintf(fec, sizeof fec, "--fec-device=%s", hash);
	check(wait_for(data) && wait_for(hash), "has two partitions");
	for (int word = 2; word < count && word < WORDS; word++) {
		command[used++] = words[word];
		if (strncmp(words[word], "--fec-offset", 12) == 0)
			command[used++] = fec;
	}
	command[used] = NULL;
	check(run(command), "veritysetup open");
}

/* Returns 1 if the file is whole, 0 if reading it fails with EIO, -1 for anything else. */
static int read_file(void)
{
	size_t len = 0;
	int fd = open("/mnt/file", O_RDONLY);

	if (fd < 0)
		return errno == EIO ? 0 : -1;
	for (;;) {
		ssize_t got = read(fd, buffer + len, sizeof buffer - len);

		if (got < 0) {
			int is_io = errno == EIO;

			close(fd);
			return is_io ? 0 : -1;
		}
		if (got == 0)
			break;
		len += (size_t)got;
	}
	close(fd);
	if (len != LENGTH)
		return -1;
	for (size_t at = 0; at < LENGTH; at++)
		if (buffer[at] != at % 251)
			return -1;
	return 1;
}

static void mount_and_read(const char *device, const char *type, const char *options, int expected)
{
	int mounted = wait_for(device) && mount(device, "/mnt", type, MS_RDONLY, options) == 0;

	check(mounted, device);
	if (!mounted) {
		printf("guest: %s\n", strerror(errno));
		return;
	}
	check(read_file() == expected, expected ? "the file is whole" : "the file cannot be read");
	check(umount("/mnt") == 0, "unmounts");
}

static void memory(const char *number, int is_dax)
{
	char device[32], path[64], start[32] = "";

	snprintf(device, sizeof device, "/dev/pmem%sp1", number);
	snprintf(path, sizeof path, "/sys/class/block/pmem%sp1/start", number);
	check(wait_for(device) && read_text(path, start, sizeof start), device);
	printf("guest: %s starts at sector %s\n", device, start);
	/* The second table has the partition at 1 MiB, the first one at 3 MiB. */
	check(strcmp(start, is_dax ? "2048" : "6144") == 0, "the table is the expected one");
	if (is_dax)
		mount_and_read(device, "ext4", "dax", 1);
	else
		check(mount(device, "/mnt", "ext4", MS_RDONLY, "dax") != 0, "does not mount with dax");
}

static void act(char *line)
{
	const char *type = "ext4", *options = "data=ordered,errors=remount-ro";
	char *words[WORDS], path[64];
	int count = 0;

	for (char *word = strtok(line, " "); word && count < WORDS; word = strtok(NULL, " "))
		words[count++] = word;
	if (count < 2)
		return;
	printf("guest: %s %s\n", words[0], words[1]);
	if (count == 3 && strcmp(words[0], "open") != 0) {
		type = words[2];
		options = "";
	}
	if (strcmp(words[0], "load") == 0) {
		load(words[1]);
	} else if (strcmp(words[0], "open") == 0) {
		open_disk(words + 1, count - 1);
	} else if (strcmp(words[0], "whole") == 0 || strcmp(words[0], "damaged") == 0) {
		snprintf(path, sizeof path, "/dev/mapper/%s", words[1]);
		mount_and_read(path, type, options, words[0][0] == 'w');
	} else if (strcmp(words[0], "plain") == 0) {
		snprintf(path, sizeof path, "/dev/nvme%dn1p1", find_nvme(words[1]));
		mount_and_read(path, type, options, 1);
	} else {
		memory(words[1], strcmp(words[0], "dax") == 0);
	}
}

int main(void)
{
	static char cases[16384];
	char *rest = NULL;

	open_console();
	mkdir("/mnt", 0755);
	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mkdir("/dev", 0755);
	mkdir("/run", 0755);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	check(mount("proc", "/proc", "proc", 0, NULL) == 0, "proc");
	check(mount("sysfs", "/sys", "sysfs", 0, NULL) == 0, "sysfs");
	check(mount("tmpfs", "/run", "tmpfs", 0, NULL) == 0, "run");
	check(read_text("/cases", cases, sizeof cases), "cases");
	for (char *line = strtok_r(cases, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		act(line);
	if (failures == 0)
		printf("guest: done\n");
	reboot(RB_POWER_OFF);
	return 1;
}
