/* Runs a program as a container without any privilege does:
 *
 *   confine deny|kill ROOT ID DIRECTORY PROGRAM ARGUMENT...
 *           in DIRECTORY of ROOT, as user and group ID, without any other file open, under a filter of system calls
 *   confine probe CALL
 *           makes one of the calls that are filtered, and prints its error
 *
 * With "deny" a filtered call fails with EPERM, as under container runtimes; with "kill" it ends
 * the process, so that a program that gets to its end has made none. */
#define _GNU_SOURCE
#include <errno.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

/* The bit of system calls of the x32 ABI: other numbers for the same calls. */
#define X32 0x40000000

static const struct {
	const char *name;
	int number;
	/* What a probe passes first; the other arguments are 0. */
	long flags;
} forbidden[] = {
	{ "mount", SYS_mount, 0 },
	{ "umount2", SYS_umount2, 0 },
	{ "fsopen", SYS_fsopen, 0 },
	{ "fsmount", SYS_fsmount, 0 },
	{ "open_tree", SYS_open_tree, 0 },
	{ "move_mount", SYS_move_mount, 0 },
	{ "pivot_root", SYS_pivot_root, 0 },
	{ "chroot", SYS_chroot, 0 },
	{ "unshare", SYS_unshare, CLONE_NEWUSER },
	{ "setns", SYS_setns, 0 },
	{ "ptrace", SYS_ptrace, 0 },
	{ "open_by_handle_at", SYS_open_by_handle_at, 0 },
	/* Only with CLONE_NEWUSER, without which it makes threads. */
	{ "clone", SYS_clone, CLONE_NEWUSER | SIGCHLD },
};

/* Every kind of namespace. Without one of these flags unshare only parts a thread from what its
 * process shares. */
#define NAMESPACES (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP | 0x80)
enum { FORBIDDEN = sizeof forbidden / sizeof *forbidden };

static void fail(const char *what)
{
	perror(what);
	exit(99);
}

static struct sock_filter filter[5 * FORBIDDEN + 16];
static unsigned short length;

static void add(unsigned short code, unsigned int value, unsigned char if_true, unsigned char if_false)
{
	filter[length++] = (struct sock_filter){ code, if_true, if_false, value };
}

static void add_return(unsigned int action)
{
	add(BPF_RET | BPF_K, action, 0, 0);
}

static void add_load(size_t offset)
{
	add(BPF_LD | BPF_W | BPF_ABS, offset, 0, 0);
}

/* Forbids a call when one of some flags is in the low half of its first argument; both
 * architectures are little-endian. */
static void forbid_flags(int number, unsigned int flags, unsigned int action)
{
	add(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 4);
	add_load(offsetof(struct seccomp_data, args[0]));
	add(BPF_JMP | BPF_JSET | BPF_K, flags, 0, 1);
	add_return(action);
	add_load(offsetof(struct seccomp_data, nr));
}

static void confine(unsigned int action)
{
	struct sock_fprog program = { .filter = filter };

	add_load(offsetof(struct seccomp_data, arch));
	add(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0);
	add_return(SECCOMP_RET_KILL_PROCESS);
	add_load(offsetof(struct seccomp_data, nr));
	add(BPF_JMP | BPF_JGE | BPF_K, X32, 0, 1);
	add_return(SECCOMP_RET_KILL_PROCESS);
	/* Its flags are in memory, where no filter sees them. The C library then makes threads with
	 * clone. */
	add(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1);
	add_return(SECCOMP_RET_ERRNO | ENOSYS);
	for (int index = 0; index < FORBIDDEN; index++) {
		if (forbidden[index].number == SYS_clone) {
			forbid_flags(SYS_clone, CLONE_NEWUSER, action);
		} else if (forbidden[index].number == SYS_unshare && action == SECCOMP_RET_KILL_PROCESS) {
			/* A thread's own working directory is no namespace. Where calls fail, that
			 * one does too, as under container runtimes, and the program has to do
			 * without. */
			forbid_flags(SYS_unshare, NAMESPACES, action);
		} else {
			add(BPF_JMP | BPF_JEQ | BPF_K, forbidden[index].number, 0, 1);
			add_return(action);
		}
	}
	add_return(SECCOMP_RET_ALLOW);
	program.len = length;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		fail("no_new_privs");
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
		fail("seccomp");
}

static int probe(const char *name)
{
	for (int index = 0; index < FORBIDDEN; index++) {
		long result;

		if (strcmp(name, forbidden[index].name) != 0)
			continue;
		result = syscall(forbidden[index].number, forbidden[index].flags, 0L, 0L, 0L, 0L);
		if (forbidden[index].number == SYS_clone && result == 0)
			_exit(0);
		printf("%s\n", result == -1 ? strerrorname_np(errno) : "done");
		return 0;
	}
	fprintf(stderr, "%s is not filtered\n", name);
	return 99;
}

int main(int count, char **arguments)
{
	int kill;
	unsigned int id;

	if (count == 3 && strcmp(arguments[1], "probe") == 0)
		return probe(arguments[2]);
	if (count < 6)
		return 99;
	kill = strcmp(arguments[1], "kill") == 0;
	id = strtoul(arguments[3], NULL, 10);
	if (chdir(arguments[2]) != 0 || chroot(".") != 0)
		fail(arguments[2]);
	if (setgroups(0, NULL) != 0 || setgid(id) != 0 || setuid(id) != 0)
		fail("another user");
	if (chdir(arguments[4]) != 0)
		fail(arguments[4]);
	if (close_range(3, ~0U, 0) != 0)
		fail("other files");
	confine(kill ? SECCOMP_RET_KILL_PROCESS : SECCOMP_RET_ERRNO | EPERM);
	execv(arguments[5], arguments + 5);
	fail(arguments[5]);
}
