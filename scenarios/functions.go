package scenarios

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/image"
	"lab/bench/probe/line"
	"lab/bench/results"
)

// Functions tries what introductions say that an instance can do, one by one. The
// scripts that run inside are in functions_inside.go, folders and ports in
// functions_outside.go.
func Functions() *bench.Scenario {
	s := &bench.Scenario{
		Name:     "functions",
		Alone:    "its answers are yes or no, and noise doesn't change them",
		Workload: image.ProbePath,
		Question: "Folders, ports, users, packages: what works in which environment?",
		Method: "A trial tries each function for real. One instance runs a shell script: it adds a user and becomes that user, installs a package, leaves a process behind a shell that ends, reads its kernel's version and digests two of the image's programs; meanwhile the host runs a further command in it. " +
			"Then the host starts it again; of an engine that keeps a container whose program has ended (docker), one more is made that leaves a file, ends, and is started again by the engine. Two more run at the same time, with one folder of the host writable in both and another that is read-only (anybody may write to either, so that the mount alone decides); another is a web server with a published port. " +
			"The image is pushed to a registry of the lab's own at the loopback address and pulled into an empty store, and a last instance, of what came back, digests the two programs again. " +
			"The package is an archive that the script makes, unpacks at / and runs: it stands for what a package manager does with the files of one, and says nothing of downloads. " +
			"What an environment declares not to have, or what would change this machine itself, isn't tried: “no”, with the reason in methods.md. What is tried and has the wrong result “fails”. What this machine lacks a program for is left open.",
		Cells:   functionsCells,
		Trial:   functionsTrial,
		Figures: []results.Figure{{Name: "functions", Title: "What works where", Kind: "matrix", Caption: "Each row is a function, each column an environment. Every function was tried, unless the environment declares that it hasn't got it."}},
	}
	for _, f := range functions {
		s.Metrics = append(s.Metrics, results.Metric{Name: "does-" + f.name, Title: f.title, Unit: "1", Better: "higher", Words: functionsWords, Help: f.help})
		s.Figures[0].Metrics = append(s.Figures[0].Metrics, "does-"+f.name)
	}
	s.Findings = functionsFindings()
	return s
}

// The answers: declared not to be there; tried in vain; tried, and it works.
const (
	functionNo = iota
	functionFails
	functionWorks
)

var functionsWords = []string{"no", "fails", "works"}

var functions = []struct{ name, title, help string }{
	{"folder", "Folder of the host", "A file that the host wrote is read inside, and one that was written inside is there on the host, also after the instance's end."},
	{"read-only", "Folder that can't be written to", "A file in a read-only folder can be read, and none can be made there."},
	{"volume", "One folder for two instances", "Of two instances that run at the same time, each reads what the other wrote."},
	{"port", "Published port", "A web server inside answers at the one loopback address of the host that was named, and at no other."},
	{"exec", "Command in a running instance", "A further command reads a file that the first program wrote, and its exit status is seen."},
	{"user", "Adding a user", "A line more in /etc/passwd and in /etc/group, which is what adduser writes; then a command as that user says its name."},
	{"package", "Installing a package", "An archive is unpacked at /, and the program in it runs."},
	{"background", "Process in the background", "A process goes on when the shell that began it has ended."},
	{"same", "The image's own programs", "The digests of two programs, computed inside, are those of the image on the host."},
	{"registry", "Image through a registry", "The image is pushed to a registry and pulled into an empty store: the digest is the same, and so are those of two of its programs in an instance of what came back."},
	{"around", "The same surroundings", "A program finds the user, the folder, the umask and the environment variables that were asked for, and no others."},
	{"nested", "Nested virtualization", "On a machine that is a virtual machine itself, a guest gets the processor's help: KVM works there, by the lab's trial of it."},
	{"kernel", "Another kernel", "The kernel's version differs from the host's."},
	{"unchanged", "Image unchanged", "The image's digest is the same before and after its instances wrote to their files."},
	{"fresh", "A new instance is as the image", "A file that an earlier instance made outside of a volume isn't there in a new one."},
	{"again", "Started again", "An instance whose program ended is started once more."},
	{"reset", "Started again as new", "An instance that is started once more has the image's state, and not what it wrote before."},
}

// functionsCells is a row of each environment.
func functionsCells(o bench.Options) []bench.Cell {
	cells := isolationCounts.Rows(o)
	for i := range cells {
		c := &cells[i]
		c.Init, c.Work, c.Expect = c.Guest, !c.Guest, 200*time.Millisecond
		if c.Guest {
			c.Expect = 5 * time.Second
		}
	}
	return cells
}

// A functionsTry is one trial.
type functionsTry struct {
	*bench.T
	tag string // in each name that it makes, as a chroot's files last for a run
}

// answer records whether a function works; why says what was seen instead.
func (t *functionsTry) answer(function string, works bool, why string) {
	if works {
		t.Record("does-"+function, functionWorks)
		return
	}
	t.Record("does-"+function, functionFails)
	t.Found(map[string]string{function + " fails": why})
}

// hasNot records that functions aren't there, and why; or, with an error that says
// that this machine can't, that they are open.
func (t *functionsTry) hasNot(err error, functions ...string) {
	for _, f := range functions {
		if errors.Is(err, bench.ErrUnavailable) {
			t.RecordText("does-"+f, err.Error())
			continue
		}
		t.Record("does-"+f, functionNo)
		t.Found(map[string]string{"no " + f: strings.TrimPrefix(err.Error(), bench.ErrNotApplicable.Error()+": ")})
	}
}

func functionsTrial(ctx context.Context, bt *bench.T, _ bench.Cell) error {
	t := &functionsTry{bt, strings.TrimPrefix(bench.Token(), "lab-")[:6]}
	before, _, err := image.Sum(t.Image().Dir)
	if err != nil {
		return err
	}
	if err := errors.Join(t.inside(ctx), t.folders(ctx), t.port(ctx), t.registry(ctx)); err != nil {
		return err
	}
	after, _, err := image.Sum(t.Image().Dir)
	t.answer("unchanged", before == after, "another digest: "+after)
	return err
}

// talk starts an instance that runs a script with the tag as $2, and hears it out.
func (t *functionsTry) talk(ctx context.Context, s bench.Spec, script string, on func(bench.Instance, bench.Heard) error) (bench.Instance, error) {
	p, err := bench.NewProbe()
	if err != nil {
		return nil, err
	}
	defer p.Close()
	s.Command = inShell(p, script, t.tag)
	i, err := t.Hear(ctx, p, s, on)
	if err != nil {
		return nil, bench.Explain(i, err)
	}
	_, err = i.Wait(ctx)
	return i, err
}

// inShell is a script that speaks package line's language, in the image's shell: tag
// is its $tag.
func inShell(p *bench.Probe, script, tag string) bench.Command {
	c := p.Command(tag)
	c.Argv = append([]string{"/bin/sh", "-c", functionsSay + script, "sh"}, c.Argv[1:]...)
	c.Env = []string{"LAB_ASKED=yes", "PATH=" + bench.DefaultPath} // what the script checks
	return c
}

// inside tries what one instance can do by itself, and from outside while it runs.
func (t *functionsTry) inside(ctx context.Context) error {
	script := functionsInside
	if t.Environment().About().HostFiles {
		t.hasNot(errors.New("it would change this machine's own files"), "user", "package")
		t.hasNot(errors.New("a program sees this machine's files, and the image is a folder among them"), "same", "registry", "fresh")
		script = functionsHarmless
	}
	if err := t.nested(); err != nil {
		return err
	}
	i, err := t.talk(ctx, t.Spec(bench.Command{}), script, func(i bench.Instance, h bench.Heard) error {
		switch {
		case h.Kind == line.Begin:
			return t.exec(ctx, i, h.Text("file"))
		case h.Name == "kernel":
			return t.kernel(h.Text("is"))
		case h.Name == "same":
			wrong, err := t.wrong(h)
			t.answer("same", wrong == "", wrong)
			return err
		case h.Kind == line.Fact:
			t.answer(h.Name, h.Text("works") == "yes", h.Text("saw"))
		}
		return nil
	})
	if err != nil {
		return err
	}
	if _, ok := i.(bench.Restarter); ok {
		if err := t.Close(i); err != nil {
			return err
		}
		return t.restart(ctx)
	}
	switch err := i.Start(ctx); {
	case err == nil:
		t.answer("again", true, "")
	case t.Environment().About().WholeCommand:
		t.hasNot(bench.Unavailable("the lab removes what "+t.Environment().Name()+" has made when its program ends", ""), "again", "reset")
	default:
		t.hasNot(fmt.Errorf("the lab's instances end for good, and what they wrote goes with them (%w)", err), "again", "reset")
	}
	return t.Close(i)
}

// functionsRestart says whether a file of the tag's name is there, and makes it.
const functionsRestart = `if [ -e "/$1" ]; then echo kept; else echo new; : >"/$1"; fi`

// restart has an engine start an instance of its once more, which has left a file.
func (t *functionsTry) restart(ctx context.Context) error {
	i, err := t.Prepare(ctx, t.Spec(bench.Command{Argv: []string{"/bin/sh", "-c", functionsRestart, "sh", "functions-" + t.tag}, Env: []string{"PATH=" + bench.DefaultPath}}))
	if err != nil {
		return err
	}
	if err := i.Start(ctx); err != nil {
		return err
	}
	if x, err := i.Wait(ctx); err != nil || x.Status() != 0 {
		return bench.Explain(i, errors.Join(fmt.Errorf("a file in /: %v", x), err))
	}
	said, err := i.(bench.Restarter).Restart(ctx)
	if err != nil {
		t.answer("again", false, err.Error())
		t.hasNot(bench.Unavailable("it wasn't started again", ""), "reset")
		return t.Close(i)
	}
	t.answer("again", true, "")
	t.answer("reset", string(said) == "new\n", "what it wrote before is there still")
	return t.Close(i)
}

// exec runs a further command in an instance that has a file with the tag in it.
func (t *functionsTry) exec(ctx context.Context, i bench.Instance, file string) error {
	x, ok := i.(bench.Execer)
	if !ok {
		what := errors.New("its processes are the host's own, and there is nothing to enter")
		if t.Environment().About().WholeCommand {
			what = bench.Unavailable("the lab has no way to ask "+t.Environment().Name()+" for it", "")
		}
		t.hasNot(what, "exec")
		return nil
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	defer w.Close()
	p, err := x.Exec(ctx, bench.Command{Argv: []string{"/bin/sh", "-c", "cat " + file + "; exit 9"}, Stdout: w})
	if errors.Is(err, bench.ErrNotApplicable) || errors.Is(err, bench.ErrUnavailable) {
		t.hasNot(err, "exec")
		return nil
	}
	if err != nil {
		return err
	}
	defer p.Close()
	if err := p.Start(ctx); err != nil {
		return err
	}
	exit, err := p.Wait(ctx)
	if err := errors.Join(err, p.Close(), w.Close()); err != nil {
		return err
	}
	text, err := io.ReadAll(r)
	t.answer("exec", exit.Code == 9 && strings.TrimSpace(string(text)) == t.tag, fmt.Sprintf("%v, and %q", exit, text))
	return err
}

// kernel compares the kernel inside with the host's.
func (t *functionsTry) kernel(inside string) error {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return os.NewSyscallError("uname", err)
	}
	switch host := unix.ByteSliceToString(u.Release[:]); {
	case inside == host && t.Environment().About().Guest:
		t.hasNot(bench.Unavailable("its own kernel has the version of the host's, so that this doesn't tell them apart", "a guest kernel of another version"), "kernel")
		return nil
	case inside == host:
		t.hasNot(errors.New("it runs on the host's kernel"), "kernel")
		return nil
	}
	t.answer("kernel", inside != "", "no version")
	return nil
}

// nested says whether a guest on a machine that is one itself gets the processor's
// help.
func (t *functionsTry) nested() error {
	v, ok := t.Environment().(bench.Virtualizer)
	if !ok {
		t.hasNot(errors.New("it runs on the host's kernel, and is no guest"), "nested")
		return nil
	}
	b, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return err
	}
	if !slices.Contains(strings.Fields(string(b)), "hypervisor") { // the processor's flag, which a hypervisor sets
		t.hasNot(bench.Unavailable("this machine isn't a virtual machine itself, so that its guests aren't nested", "run the lab in a guest"), "nested")
		return nil
	}
	a := v.Acceleration()
	t.answer("nested", a.Use == "kvm", a.Reason)
	return nil
}

// wrong compares the digests of the image's programs with the host's, and says which
// differ.
func (t *functionsTry) wrong(h bench.Heard) (string, error) {
	var wrong []string
	for _, p := range h.Pairs {
		digest, _, err := image.SumFile(t.Image().Dir, "bin/"+p.Key)
		if err != nil {
			return "", err
		}
		if !strings.HasSuffix(digest, p.Value) || p.Value == "" {
			wrong = append(wrong, p.Key+" "+p.Value+" instead of "+digest)
		}
	}
	if len(h.Pairs) != 2 {
		wrong = append(wrong, "no digest")
	}
	return strings.Join(wrong, ", "), nil
}

// functionsFindings answer what people are told (CLAIMS 9, 10, 11, 13, 21, 22, 23, 27, 29, 30, 31, 38).
func functionsFindings() []results.Finding {
	var out []results.Finding
	is := func(claim int, env, function, statement string) {
		out = append(out, results.Finding{Name: env + "-" + function, Claim: claim, Statement: statement, Metric: "does-" + function, Of: env, Compare: "value",
			Op: "above", Threshold: functionWorks - 0.5, Reason: "it worked in each trial", Plain: true})
	}
	is(9, "container", "folder", "A folder of the host can be mounted in a container.")
	is(9, "container", "read-only", "A folder that is mounted read-only can't be written to in a container.")
	is(9, "container", "port", "A port of the host can be led into a container.")
	is(10, "container", "exec", "A further command can be run in a running container.")
	is(10, "vm", "exec", "A further command can be run in a running guest, by its init.")
	is(11, "container", "unchanged", "What containers write doesn't change their image.")
	for _, env := range []string{"chroot", "container", "vm"} {
		is(13, env, "same", "The image's programs have the same bytes in "+env+", as one of them says inside.")
	}
	is(21, "container", "package", "Packages can be installed inside a container.")
	is(21, "container", "user", "Users can be added inside a container.")
	is(21, "container", "background", "Processes can run in the background of a container.")
	is(22, "vm", "kernel", "A virtual machine runs another kernel than the host's.")
	is(11, "container", "fresh", "A new container has the image's state, and nothing of an earlier one's.")
	is(23, "docker", "reset", "A container that its engine starts again has the image's state.")
	is(27, "container", "folder", "A container shares a folder with the host.")
	is(27, "container", "volume", "Two containers that run share a folder.")
	out[len(out)-2].Name = "container-shares"
	is(29, "docker", "again", "A container whose program has ended is kept by its engine, and can be started again.")
	is(0, "container", "again", "What the kernel has of a container is kept when its program has ended, and can be started again.")
	out[len(out)-1].Reason = "it worked in each trial. What is kept elsewhere is kept by the engine: a layer and settings, of which it makes a new container at each start"
	for _, env := range []string{"chroot", "container", "vm"} {
		is(30, env, "registry", "An image that was pushed to a registry and pulled from it is the same in "+env+".")
	}
	for _, env := range []string{"chroot", "container", "vm"} {
		is(38, env, "around", "A program finds the same user, folder, umask and variables in "+env+" as were asked for.")
	}
	is(31, "vm", "nested", "On this machine, a virtual machine itself, guests don't get the processor's help.")
	f := &out[len(out)-1]
	f.Op, f.Reason = "below", "KVM worked in no trial"
	return out
}
