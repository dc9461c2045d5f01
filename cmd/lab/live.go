package main

import (
	"bufio"
	"cmp"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"lab/bench/live"
	"lab/cmd/cli"
	"lab/reports/msg"
	"lab/reports/page"
)

// What is shown is an instance as lab exec starts one, and not a special one made for
// the purpose: so what is read of /proc, of its cgroup and of QEMU's command line is
// what a user's own command would have. Package live does the looking, from the host
// and without entering; here are the words of why that stand next to each line. The
// tables of words cover what all environments may have, and a line appears where the
// kernel has it.

// liveArgv runs in the environment that is shown: it says that it is there, and ends
// with its input.
var liveArgv = []string{"sh", "-c", "echo there; read line || :"}

// explainLive starts an instance of an environment, and shows what the host's kernel
// has of it. The instance is one of lab exec, a process below this one.
func (a *app) explainLive(name string, asJSON bool) (err error) {
	env, err := cli.Environment(environments(), name)
	if err != nil {
		return err
	}
	if err := a.NeedRoot("lab explain --live", cli.StatusLab); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	lock, err := a.Acquire(false, nil) // as that lab exec does: whoever waits, waits here
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Release()) }()
	// Limits, so that there is something to see. Not everybody has all of them.
	limits := []string{"--memory", "64M", "--cpus", "0.5", "--pids", "64"}
	if env.About().Guest { // whose limits are its kernel's
		limits = nil
	}
	var one *liveInstance
	for {
		if one, err = startLive(self, slices.Concat([]string{a.Args[0], "exec", name}, limits, []string{"--"}, liveArgv)); err == nil {
			break
		}
		if len(limits) == 0 {
			return fmt.Errorf("explain --live: %s didn't start: %w", name, err)
		}
		limits = limits[:len(limits)-2]
	}
	root, kernel := one.cmd.Process.Pid, env.About().Kernel
	pid := live.Below(root, liveArgv, kernel)
	if pid == 0 {
		one.end()
		return fmt.Errorf("explain --live: %s runs, but not as a process below the lab's own", name)
	}
	shown, err := live.Look(root, pid, kernel != "")
	if e := one.end(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	if asJSON {
		return a.printJSON(shown)
	}
	return livePage(name, shown).Terminal(a.Page, page.OptionsFor(a.Stdout.File))
}

// A liveInstance is a lab exec with liveArgv inside.
type liveInstance struct {
	cmd *exec.Cmd
	in  io.Closer
}

// startLive starts one, and returns when it is there. An error is what it said.
func startLive(self string, args []string) (*liveInstance, error) {
	var said strings.Builder
	cmd := &exec.Cmd{Path: self, Args: args, Stderr: &said}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	one := &liveInstance{cmd, in}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || strings.TrimSpace(line) != "there" {
		err = cmp.Or(one.end(), err)
		if said := strings.TrimPrefix(strings.TrimSpace(said.String()), "lab: "); said != "" {
			err = errors.New(said)
		}
		return nil, err
	}
	return one, nil
}

// end ends it.
func (l *liveInstance) end() error {
	l.in.Close()
	late := time.AfterFunc(time.Minute, func() { l.cmd.Process.Kill() })
	defer late.Stop()
	return l.cmd.Wait()
}

// kinds of namespaces, with what is in each.
var kinds = map[string]string{
	"cgroup": "what is taken for the root of the cgroups",
	"ipc":    "message queues and shared memory",
	"mnt":    "mounts: which file systems are where",
	"net":    "network devices, addresses, ports, firewall",
	"pid":    "process numbers: who can be seen and signalled",
	"time":   "the clocks that count from boot",
	"user":   "users, groups and their capabilities",
	"uts":    "the host name",
}

// privileges are lines of /proc/PID/status, with why they matter.
var privileges = []struct{ name, why string }{
	{"NSpid", "its number here, and in each PID namespace further in"},
	{"Uid", "who it is: real, effective, saved, for files; 0 is root"},
	{"CapEff", "its capabilities, a bit each; capsh --decode names them"},
	{"NoNewPrivs", "1: no program that it executes gains privileges"},
	{"Seccomp", "2: a filter looks at each system call; 0: none"},
}

// groupFiles are those of a cgroup, of both versions, with what they say.
var groupFiles = map[string]string{
	"cgroup.procs": "who is in it, by PID", "cpu.max": "microseconds of processor time, and in how many", "cpu.cfs_quota_us": "microseconds of processor time in each 100000",
	"memory.max": "the most memory, in bytes", "memory.current": "the memory that it has now", "memory.limit_in_bytes": "the most memory, in bytes",
	"memory.usage_in_bytes": "the memory that it has now", "pids.max": "the most processes", "pids.current": "how many there are",
}

// options are those of QEMU's that say what machine it is, with why.
var options = map[string]string{
	"-machine":  "which board it plays",
	"-accel":    "who runs the instructions: kvm, the processor; tcg, a translator",
	"-cpu":      "which processor the guest sees",
	"-m":        "RAM, in MiB: memory of this process",
	"-smp":      "processors: a thread of this process each",
	"-kernel":   "the kernel, loaded without a boot loader",
	"-initrd":   "its first file tree: the image",
	"-append":   "the kernel's command line",
	"-device":   "a device that the guest finds",
	"-blockdev": "what is behind a disk",
	"-netdev":   "what is behind a network card",
	"-chardev":  "what is behind a serial port, a channel or the monitor",
	"-sandbox":  "a seccomp filter for QEMU itself",
	"-S":        "it waits: libvirt sets it running",
}

// elements are those of a domain's definition that say what it is.
var elements = map[string]string{
	"domain": "kvm or qemu (emulated)", "memory": "the most that it has", "vcpu": "its processors", "type": "hvm: a machine like a real one",
	"kernel": "booted directly", "initrd": "", "cmdline": "", "cpu": "what of the processor is shown", "emulator": "the program that plays it",
	"disk": "", "interface": "", "serial": "its console", "channel": "how the lab talks to its init", "filesystem": "a folder of the host",
}

// livePage is what there is to see, with a line of why for each.
func livePage(name string, s *live.Shown) *page.Page {
	p := &page.Page{}
	program := filepath.Base(s.Command[0])
	emulator := strings.HasPrefix(program, "qemu-system-")
	in := func(text string) string { return msg.Reader().Text(text) }
	switch {
	case emulator:
		p.Title(say("%s, live: the whole machine is QEMU, process %d of this machine", name, s.PID))
	case s.Guest:
		p.Title(say("%s, live: the kernel inside is %s, process %d of this machine", name, program, s.PID))
	default:
		p.Title(say("%s, live: the workload is process %d of this machine", name, s.PID))
	}
	section := func(title, why string) {
		p.Gap()
		p.Title(title)
		p.Text(why)
	}
	section(say("Processes, as the host sees them"), say("Nothing here is hidden from the host's root: the lab, what it started, and the workload."))
	var lines []string
	for _, n := range s.Tree {
		mark := " "
		if n.PID == s.PID {
			mark = "*"
		}
		lines = append(lines, fmt.Sprintf("%s %7d %s%s", mark, n.PID, strings.Repeat("  ", n.Depth), short(n.Line, 60-2*n.Depth)))
	}
	p.Code(lines...)
	section(say("Namespaces"), say("A number for each; where its number is that of the process that looks, it is shared with it."))
	t := page.Table{Align: "llll", Head: []page.Text{say("kind"), say("its own"), say("of who looks"), say("what is in it")}}
	for _, n := range s.Namespaces {
		inside := n.Inside
		if !n.Own() {
			inside = say("shared")
		}
		t.Rows = append(t.Rows, []page.Text{n.Kind, inside, n.Here, page.Wrapped{Text: in(kinds[n.Kind]), Width: 30}})
	}
	p.Table(t)
	section(say("Privileges"), say("From /proc/%d/status.", s.PID))
	lines = nil
	for _, x := range privileges {
		lines = append(lines, fmt.Sprintf("%-10s %s\n      %s", x.name, s.Status[x.name], in(x.why)))
	}
	p.Code(lines...)
	section(say("Control groups"), say("How much it may use and uses: files of the kernel's, read now."))
	lines = nil
	for _, f := range s.Groups {
		lines = append(lines, fmt.Sprintf("%s\n      %s  (%s)", f.Path, short(f.Value, 30), in(groupFiles[filepath.Base(f.Path)])))
	}
	if lines == nil {
		lines = []string{say("none of its own")}
	}
	p.Code(lines...)
	root := say("Its / is another folder than that of who looks. File systems that are mounted below it: %d.", len(s.Mounts))
	if s.SameRoot {
		root = say("Its / is the same folder as that of who looks. File systems that are mounted below it: %d.", len(s.Mounts))
	}
	section(say("Root and mounts"), root)
	lines = nil
	for _, m := range s.Mounts[:min(len(s.Mounts), 12)] {
		lines = append(lines, fmt.Sprintf("%-16s %-8s %s", m.At, m.Type, short(m.Options, 48)))
	}
	if n := len(s.Mounts) - len(lines); n > 0 {
		lines = append(lines, say("and %d more", n))
	}
	if len(lines) > 0 {
		p.Code(lines...)
	}
	switch {
	case !s.Guest:
		return p
	case !emulator:
		section(say("Its command line"), say("The kernel inside is a program of this machine: it was told what it has."))
		p.Code(s.Command...)
		return p
	}
	section(say("The domain"), say("What libvirt was told, in XML: the parts that say what machine it is."))
	p.Code(domainLines(s.Domain)...)
	section(say("QEMU's command line"), say("What libvirt made of it: the options that say what machine it is."))
	lines = nil
	for i, w := range s.Command {
		why, ok := options[w]
		if !ok {
			continue
		}
		value := ""
		if i+1 < len(s.Command) && w != "-S" {
			value = short(s.Command[i+1], 50)
		}
		lines = append(lines, fmt.Sprintf("%s %s\n      %s", w, value, in(why)))
	}
	p.Code(lines...)
	return p
}

// domainLines are the elements of a domain's definition that are explained, a line
// each, with their attributes, those of what is in them, and their text.
func domainLines(text string) (out []string) {
	d := xml.NewDecoder(strings.NewReader(text))
	var in []string // the elements that are open
	began := -1     // which of them is told of
	line, why := "", ""
	for {
		token, err := d.Token()
		if err == io.EOF || err != nil {
			return out
		}
		switch x := token.(type) {
		case xml.StartElement:
			in = append(in, x.Name.Local)
			w, known := elements[x.Name.Local]
			w = msg.Reader().Text(w)
			if known && began < 0 && slices.Contains(in, "domain") {
				began, line, why = len(in), "", w
			}
			if began > 0 && x.Name.Local != "alias" && x.Name.Local != "address" {
				line += "<" + x.Name.Local
				for _, at := range x.Attr {
					line += fmt.Sprintf(" %s='%s'", at.Name.Local, at.Value)
				}
				line += ">"
				if x.Name.Local == "domain" {
					out, began = append(out, line+"\n      "+why), -1
				}
			}
		case xml.CharData:
			if began > 0 {
				line += strings.TrimSpace(string(x))
			}
		case xml.EndElement:
			if len(in) == began {
				line = short(line, 76)
				if why != "" {
					line += "\n      " + why
				}
				out, began = append(out, line), -1
			}
			in = in[:len(in)-1]
		}
	}
}

// short is a text of at most n characters, its end left out.
func short(s string, n int) string {
	if r := []rune(s); len(r) > max(n, 8) {
		return string(r[:max(n, 8)-1]) + "…"
	}
	return s
}
