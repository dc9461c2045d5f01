/*
 * What a start costs without Go: vfork, the system calls of bench/launch's
 * child, exec, and a blocking read of the ready pipe. For the benchmark beside
 * it alone.
 *
 *	vfork PROGRAM TOKEN
 *
 * For each byte on standard input it starts PROGRAM once, and writes two
 * 64-bit numbers to standard output: nanoseconds from the start to the token's
 * first byte, and to the program's end as wait4 sees it. Byte 's' makes the
 * same calls as bench/launch, byte 'b' the barest start that there is.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC 4
#endif

static int64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int main(int argc, char **argv)
{
	char mode, buf[4096];
	char *env[] = { NULL };
	sigset_t none;
	struct rlimit files;

	if (argc != 3)
		return 2;
	char *args[] = { argv[1], argv[2], NULL };
	sigemptyset(&none);
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max < 1024 ? files.rlim_max : 1024;
	while (read(0, &mode, 1) == 1) {
		int same = mode == 's', p[2], null = -1, err = -1;
		int64_t t[3];

		t[0] = now();
		if (pipe2(p, O_CLOEXEC))
			return 3;
		if (same) {
			null = open("/dev/null", O_RDWR | O_CLOEXEC);
			err = open("/dev/null", O_RDWR | O_CLOEXEC);
		}
		pid_t pid = vfork();
		if (pid < 0)
			return 4;
		if (pid == 0) {
			if (same) {
				setsid();
				dup3(null, 0, 0);
				dup3(p[1], 1, 0);
				dup3(err, 2, 0);
				syscall(SYS_close_range, 3, ~0U, 0);
				setrlimit(RLIMIT_NOFILE, &files);
				chdir("/");
				sigprocmask(SIG_SETMASK, &none, NULL);
				prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
			} else {
				dup3(p[1], 1, 0);
			}
			execve(args[0], args, env);
			_exit(253);
		}
		close(p[1]);
		if (same) {
			close(null);
			close(err);
		}
		if (read(p[0], buf, sizeof buf) <= 0)
			return 5;
		t[1] = now();
		int status;
		if (wait4(pid, &status, 0, NULL) != pid || status)
			return 6;
		close(p[0]);
		t[2] = now();
		int64_t out[2] = { t[1] - t[0], t[2] - t[0] };
		if (write(1, out, sizeof out) != sizeof out)
			return 7;
	}
	return 0;
}
