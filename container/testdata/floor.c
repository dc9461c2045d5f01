// floor is what the kernel itself takes to make a container: one small C
// process that makes the same one as package container does (the same
// namespaces, mounts, masks, cgroups, capabilities and filter-free exec), with
// nothing between the system calls. It is built for the benchmark alone.
//
// For each line on its standard input it starts the payload once, and writes
// "READY GONE" in nanoseconds of CLOCK_MONOTONIC since just before the first
// system call: when the payload's first byte was read, and when it was reaped
// and its cgroups were removed.
//
//   floor IMAGE SCRATCH FLAGS FILTER CGROUP... -- /bin/ready TOKEN
//
// FLAGS has an n where a network namespace is wanted. FILTER is a file with the
// seccomp program, or "-". Each CGROUP is a folder to make a group in; the one
// of the v2 tree begins with "2:".
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <net/if.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MS_REC_SLAVE ((1 << 14) | (1 << 19))
#define ALL (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)
int mount(const char *, const char *, const char *, unsigned long, const void *);
int umount2(const char *, int);

static void check(long r, const char *what)
{
	if (r < 0) {
		fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
		_exit(120);
	}
}

static long now(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000L + ts.tv_nsec;
}

static int make(const char *kind, unsigned attr, ...)
{
	int fs = syscall(SYS_fsopen, kind, FSOPEN_CLOEXEC);
	check(fs, kind);
	__builtin_va_list ap;
	__builtin_va_start(ap, attr);
	for (const char *k; (k = __builtin_va_arg(ap, const char *));)
		check(syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, k, __builtin_va_arg(ap, const char *), 0), k);
	check(syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, 0, 0, 0), kind);
	int m = syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, attr);
	check(m, kind);
	close(fs);
	return m;
}

static void attach(int m, int at, const char *name)
{
	check(syscall(SYS_move_mount, m, "", at, name, MOVE_MOUNT_F_EMPTY_PATH | (*name ? 0 : MOVE_MOUNT_T_EMPTY_PATH)), name);
}

static int at(int dir, const char *name)
{
	int fd = openat(dir, name, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	check(fd, name);
	return fd;
}

static void cover(int to, const char *name, int from, const char *what)
{
	if (faccessat(to, name, F_OK, 0))
		return;
	int m = syscall(SYS_open_tree, from, what, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (*what ? 0 : AT_EMPTY_PATH));
	check(m, what);
	attach(m, to, name);
	close(m);
}

static void lock(int to, const char *name)
{
	if (faccessat(to, name, F_OK, 0))
		return;
	int m = syscall(SYS_open_tree, to, name, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	check(m, name);
	struct mount_attr a = {.attr_set = MOUNT_ATTR_RDONLY};
	check(syscall(SYS_mount_setattr, m, "", AT_EMPTY_PATH, &a, sizeof a), name);
	attach(m, to, name);
	close(m);
}

static struct sock_filter code[4096];
static struct sock_fprog filter = {.filter = code};

static void container(const char *image, const char *scratch, int net, int out, int *tasks, int ntasks, char **argv)
{
	setsid();
	for (int i = 0; i < ntasks; i++)
		check(write(tasks[i], "0", 1), "tasks");
	check(unshare(CLONE_NEWCGROUP), "unshare");
	umask(0);
	sethostname("lab", 3);
	check(mount("", "/", "", MS_REC_SLAVE, ""), "slaves");
	int im = open(image, O_PATH | O_DIRECTORY | O_CLOEXEC);
	check(im, image);
	int scr = open(scratch, O_PATH | O_DIRECTORY | O_CLOEXEC);
	check(scr, scratch);
	int tmp = make("tmpfs", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, "mode", "700", NULL);
	attach(tmp, scr, "");
	mkdirat(tmp, "upper", 0755);
	mkdirat(tmp, "work", 0755);
	char low[64], up[64], work[64];
	sprintf(low, "/proc/self/fd/%d", im);
	sprintf(up, "/proc/self/fd/%d/upper", tmp);
	sprintf(work, "/proc/self/fd/%d/work", tmp);
	int root = make("overlay", MOUNT_ATTR_NODEV, "source", "lab", "lowerdir", low, "upperdir", up, "workdir", work, NULL);
	attach(root, scr, "");

	int dev = make("tmpfs", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, "mode", "755", "size", "64k", NULL);
	static const struct { const char *name; int maj, min; } nodes[] = {
		{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}};
	for (int i = 0; i < 6; i++)
		check(mknodat(dev, nodes[i].name, S_IFCHR | 0666, makedev(nodes[i].maj, nodes[i].min)), nodes[i].name);
	static const char *links[][2] = {{"/proc/self/fd", "fd"}, {"/proc/self/fd/0", "stdin"}, {"/proc/self/fd/1", "stdout"},
		{"/proc/self/fd/2", "stderr"}, {"pts/ptmx", "ptmx"}, {"/proc/kcore", "core"}};
	for (int i = 0; i < 6; i++)
		check(symlinkat(links[i][0], dev, links[i][1]), links[i][1]);
	mkdirat(dev, "pts", 0755);
	mkdirat(dev, "shm", 0755);
	mkdirat(dev, "mqueue", 0755);
	int d = at(root, "dev");
	attach(dev, d, "");
	attach(make("devpts", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, "ptmxmode", "0666", "mode", "0620", "gid", "5", NULL), at(dev, "pts"), "");
	attach(make("tmpfs", ALL, "mode", "1777", "size", "64m", NULL), at(dev, "shm"), "");
	attach(make("mqueue", ALL, NULL), at(dev, "mqueue"), "");

	int sys = make("sysfs", ALL | MOUNT_ATTR_RDONLY, NULL);
	attach(sys, at(root, "sys"), "");
	int empty = make("tmpfs", ALL | MOUNT_ATTR_RDONLY, "mode", "555", "size", "4k", NULL);
	cover(sys, "firmware", empty, "");
	cover(sys, "devices/virtual/powercap", empty, "");
	if (net) {
		int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		struct ifreq r = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
		check(ioctl(s, SIOCSIFFLAGS, &r), "lo");
		close(s);
		int p = open("/proc/sys/net/ipv4/ping_group_range", O_WRONLY | O_CLOEXEC);
		check(write(p, "0 2147483647", 12), "ping");
		close(p);
	}
	int proc = make("proc", ALL, NULL);
	attach(proc, at(root, "proc"), "");
	static const char *files[] = {"kcore", "keys", "latency_stats", "timer_list", "timer_stats", "sched_debug", "interrupts"};
	for (int i = 0; i < 7; i++)
		cover(proc, files[i], dev, "null");
	cover(proc, "acpi", empty, "");
	cover(proc, "asound", empty, "");
	cover(proc, "scsi", empty, "");
	lock(proc, "bus");
	lock(proc, "fs");
	lock(proc, "irq");
	lock(proc, "sys");
	lock(proc, "sysrq-trigger");
	check(fchdir(root), "fchdir");
	check(syscall(SYS_pivot_root, ".", "."), "pivot_root");
	check(umount2(".", 2), "umount");
	check(chdir("/"), "chdir");

	static const int keep[] = {0, 1, 3, 4, 5, 10, 31, 6, 8, 7, 18};
	for (int c = 0; c < 64; c++) {
		int k = 0;
		for (int i = 0; i < 11; i++)
			k |= keep[i] == c;
		if (!k && prctl(PR_CAPBSET_DROP, c, 0, 0, 0) < 0)
			break;
	}
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	umask(022);
	dup3(null, 0, 0);
	dup3(null, 2, 0);
	dup3(out, 1, 0);
	if (filter.len)
		check(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &filter), "seccomp");
	char *env[] = {NULL};
	execve(argv[0], argv, env);
	_exit(127);
}

int main(int argc, char **argv)
{
	if (argc < 7)
		return 2;
	int net = !!strchr(argv[3], 'n'), ngroups = 0;
	if (strcmp(argv[4], "-")) {
		int f = open(argv[4], O_RDONLY);
		check(f, argv[4]);
		filter.len = read(f, code, sizeof code) / sizeof *code;
		close(f);
	}
	char **group = argv + 5, **cmd = group;
	while (*cmd && strcmp(*cmd, "--"))
		cmd++, ngroups++;
	cmd++;
	char line[16];
	while (read(0, line, sizeof line) > 0) {
		char dir[16][256];
		int tasks[16], ntasks = 0, v2 = -1, fds[2];
		long begin = now();
		for (int i = 0; i < ngroups; i++) {
			int two = !strncmp(group[i], "2:", 2);
			sprintf(dir[i], "%s/floor", group[i] + 2 * two);
			check(mkdir(dir[i], 0755), dir[i]);
			if (two) {
				check(v2 = open(dir[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC), dir[i]);
				continue;
			}
			char name[4200];
			sprintf(name, "%s/tasks", dir[i]);
			check(tasks[ntasks++] = open(name, O_WRONLY | O_CLOEXEC), name);
		}
		check(pipe2(fds, O_CLOEXEC), "pipe");
		struct clone_args a = {
			.flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | (net ? CLONE_NEWNET : 0) |
				 (v2 >= 0 ? CLONE_INTO_CGROUP : 0),
			.exit_signal = SIGCHLD, .cgroup = v2 >= 0 ? v2 : 0};
		long pid = syscall(SYS_clone3, &a, sizeof a);
		check(pid, "clone3");
		if (!pid)
			container(argv[1], argv[2], net, fds[1], tasks, ntasks, cmd);
		close(fds[1]);
		char b;
		int got = read(fds[0], &b, 1);
		long ready = now() - begin;
		int status;
		waitpid(pid, &status, 0);
		for (int i = 0; i < ntasks; i++)
			close(tasks[i]);
		if (v2 >= 0)
			close(v2);
		for (int i = 0; i < ngroups; i++)
			while (rmdir(dir[i]) < 0 && errno == EBUSY)
				usleep(20);
		long gone = now() - begin;
		close(fds[0]);
		if (got != 1 || status) {
			fprintf(stderr, "floor: the payload failed: %#x\n", status);
			return 1;
		}
		printf("%ld %ld\n", ready, gone);
		fflush(stdout);
	}
	return 0;
}
