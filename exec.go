package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"lab/bench"
	"lab/bench/image"
	"lab/bench/launch"
	"lab/bench/testbed"
)

// execFlags are what lab exec was asked.
type execFlags struct {
	image, net, dir, user, memory string
	env, variant                  []string
	cpus                          float64
	pids                          int64
}

func (a *app) execCommand() *cobra.Command {
	var f execFlags
	cmd := &cobra.Command{
		Use:   "exec ENV [flags] -- CMD ARG…",
		Short: "Run any command in an environment",
		Long: `Run any command in an environment: host, chroot or container.

Standard input, output and error are the command's own. SIGINT, SIGTERM, SIGHUP,
SIGQUIT, SIGUSR1 and SIGUSR2 are passed on to it. It starts with a small set of
variables (PATH, HOME, TERM); --env-var adds to them.

Exit status: the command's own; 128+n when signal n ended it; 125 the lab
failed; 126 it can't be executed; 127 it isn't found.

What --variant can set:
` + settingHelp(),
		Example: `  sudo lab exec container -- sh -c 'hostname; ps'
  sudo lab exec chroot -- ls -l /
  sudo lab exec container --memory 64M --cpus 0.5 -- sh`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("exec: in which environment? there are: %s", strings.Join(environmentNames(), ", "))
			}
			if _, err := environment(environments(), args[0]); err != nil {
				return err
			}
			if len(args) == 1 {
				return usagef("exec %s: which command? lab exec %s -- CMD ARG…", args[0], args[0])
			}
			return nil
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveDefault
			}
			return environmentNames(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error { return a.exec(args[0], args[1:], &f) },
	}
	fl := cmd.Flags()
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		if !slices.Contains(a.args, "--") {
			return usagef("exec: %w; the command's own flags go behind --: lab exec ENV -- CMD ARG…", err)
		}
		return flagError(cmd, err)
	})
	fl.StringVar(&f.image, "image", "", "root folder of the file tree to run in (default: the lab's own)")
	fl.StringVar(&f.net, "net", "", "short for --variant net=…")
	fl.StringArrayVarP(&f.env, "env-var", "e", nil, "NAME=value for the command; NAME alone: as it is here")
	fl.StringVar(&f.dir, "workdir", "", "working folder inside")
	fl.StringVar(&f.user, "user", "", "UID or UID:GID to run as")
	fl.StringVar(&f.memory, "memory", "", "limit of memory: 64M, 1G")
	fl.Float64Var(&f.cpus, "cpus", 0, "limit of processor time, in cores: 0.5")
	fl.Int64Var(&f.pids, "pids", 0, "limit of processes")
	fl.StringSliceVar(&f.variant, "variant", nil, "settings, name=value,…")
	completeFlags(cmd)
	return cmd
}

func (a *app) exec(name string, argv []string, f *execFlags) error {
	env, err := environment(environments(), name)
	if err != nil {
		return err
	}
	spec, err := f.spec(env, argv)
	if err != nil {
		return err
	}
	if err := a.needRoot("lab exec", statusLab); err != nil {
		return err
	}
	status, err := a.execute(env, spec, f.image)
	var e *launch.ExecError
	switch {
	case errors.As(err, &e):
		return &statusError{e.Status(), err}
	case err != nil:
		return &statusError{statusLab, err}
	case status != 0:
		return &statusError{status, nil}
	}
	return nil
}

// spec checks what was asked; its errors are the user's.
func (f *execFlags) spec(env bench.Environment, argv []string) (s bench.Spec, err error) {
	words := f.variant
	if f.net != "" {
		words = append(words, "net="+f.net)
	}
	set, err := parseVariant(words, []bench.Environment{env})
	if err != nil {
		return s, err
	}
	if s.Settings, err = bench.Resolve(env, set); err != nil {
		return s, usagef("%w", err)
	}
	s.Limits = bench.Limits{CPU: f.cpus, Pids: f.pids}
	if s.Limits.Memory, err = size(f.memory); err != nil {
		return s, usagef("--memory %q: %w", f.memory, err)
	}
	if f.cpus < 0 || f.pids < 0 {
		return s, usagef("--cpus and --pids: a limit is above 0")
	}
	c := bench.Command{Argv: argv, Dir: f.dir, Env: []string{"PATH=" + bench.DefaultPath, "HOME=/root"}}
	if t := os.Getenv("TERM"); t != "" {
		c.Env = append(c.Env, "TERM="+t)
	}
	for _, e := range f.env {
		if !strings.Contains(e, "=") {
			v, ok := os.LookupEnv(e)
			if !ok {
				continue
			}
			e += "=" + v
		}
		c.Env = setVar(c.Env, e)
	}
	if c.User, err = parseUser(f.user); err != nil {
		return s, usagef("--user %q: %w", f.user, err)
	}
	s.Command = c
	return s, nil
}

// execute runs the command in this process; status is its own.
func (a *app) execute(env bench.Environment, spec bench.Spec, named string) (status int, err error) {
	// Before anything is made: what comes early waits in the channel.
	sigs := make(chan os.Signal, 16)
	signal.Notify(sigs, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2)
	ctx := context.Background()
	lock, err := testbed.Acquire(false)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, lock.Release()) }()
	cache, err := cacheDir()
	if err != nil {
		return 0, err
	}
	dir, err := imageDir(named, cache)
	if err != nil {
		return 0, err
	}
	if spec.Image, err = image.At(dir); err != nil {
		return 0, err
	}
	tb, err := testbed.Local(cache)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, tb.Close()) }()
	if err := env.Open(ctx, tb); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, env.Close()) }()
	if err := env.Check(ctx, spec); err != nil {
		return 0, err
	}
	spec.Command.Stdin, spec.Command.Stdout, spec.Command.Stderr = a.stdin, a.stdout, a.stderr
	p, err := env.Prepare(ctx, spec)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	if err := p.Start(ctx); err != nil {
		return 0, err
	}
	go func() {
		for s := range sigs {
			p.Signal(s) // it may have ended meanwhile
		}
	}()
	exit, err := p.Wait(ctx)
	if exit.OOM {
		fmt.Fprintf(a.stderr, "lab: %s was killed: it used more memory than its limit\n", spec.Command.Argv[0])
	}
	return exit.Status(), err
}

// setVar sets NAME=value in place of an earlier one.
func setVar(env []string, e string) []string {
	name, _, _ := strings.Cut(e, "=")
	for i, old := range env {
		if strings.HasPrefix(old, name+"=") {
			env[i] = e
			return env
		}
	}
	return append(env, e)
}

// size reads "64M": bytes, with a suffix for powers of 1024.
func size(s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	shift := 0
	num := strings.TrimSuffix(strings.TrimSuffix(strings.ToUpper(s), "B"), "I")
	if n := len(num); n > 0 {
		if i := strings.IndexByte("KMGT", num[n-1]); i >= 0 {
			shift, num = 10*(i+1), num[:n-1]
		}
	}
	n, err := strconv.ParseInt(num, 10, 64)
	if err != nil || n <= 0 || n > (1<<62)>>shift {
		return 0, errors.New("not a size such as 64M or 1G")
	}
	return n << shift, nil
}

// parseUser reads "UID" or "UID:GID".
func parseUser(s string) (u bench.User, err error) {
	if s == "" {
		return u, nil
	}
	uid, gid, both := strings.Cut(s, ":")
	if !both {
		gid = uid
	}
	a, err1 := strconv.ParseUint(uid, 10, 32)
	b, err2 := strconv.ParseUint(gid, 10, 32)
	if err1 != nil || err2 != nil {
		return u, errors.New("not a number, or two with a colon between them: 1000:1000")
	}
	return bench.User{UID: uint32(a), GID: uint32(b)}, nil
}
