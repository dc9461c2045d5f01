package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// rules say who may import whom: the house's plan, as data. A pattern is a
// package's path without the module's name; "/..." at its end stands for all
// that lies below as well.
var rules = []struct {
	who  string
	may  []string // of our own packages; any others are refused
	why  string
	test bool // the rule holds for tests, too
}{
	{"bench/stats", nil, "statistics know nothing of measurements", true},
	{"bench/clock", nil, "a leaf", false},
	{"bench/smaps", nil, "a leaf", false},
	{"bench/proc", []string{"bench/input"}, "a leaf", true},
	{"bench/histogram", nil, "a leaf", true},
	{"bench/probe/line", nil, "a leaf: the programs inside an instance link it", true},
	{"bench/probe/program", []string{"bench/histogram", "bench/probe", "bench/probe/line"}, "a small program of its own", true},
	{"bench/cgroup", []string{"bench/input"}, "a leaf", false},
	{"bench/trace", []string{"bench/cgroup"}, "what is counted knows nobody who asks", true},
	{"bench/confine", nil, "a leaf, of data", true},
	{"bench/text", nil, "a leaf: whatever prints uses it", false},
	{"bench/input", nil, "a leaf", true},
	{"bench/clean", nil, "a leaf", true},
	{"bench/yamlfile", []string{"bench/input"}, "how files are read knows nothing of what is in them", true},
	{"bench/paper", []string{"bench/yamlfile"}, "what a paper says is data", true},
	{"bench/owner", nil, "a leaf", true},
	{"bench/request", []string{"bench/cgroup"}, "what is asked knows no measurement: a manifest has it, too", true},
	{"bench/results", []string{"bench/histogram", "bench/input", "bench/clean", "bench/owner", "bench/request"}, "a folder's schema, for all that read or write one", false},
	{"bench", []string{"bench/cgroup", "bench/clock", "bench/histogram", "bench/image", "bench/input", "bench/pagecache", "bench/proc", "bench/probe/line", "bench/request", "bench/results", "bench/smaps", "bench/testbed"},
		"the contract imports no engine, no statistics and nothing that implements it", false},
	{"bench/foreign", []string{"bench", "bench/cgroup", "bench/clean", "bench/clock", "bench/image", "bench/image/layer", "bench/input", "bench/launch", "bench/machine", "bench/probe", "bench/proc", "bench/smaps", "bench/testbed"},
		"what other people's programs share knows none of them", true},
	{"bench/engines/docker", []string{"bench", "bench/cgroup", "bench/clean", "bench/clock", "bench/foreign", "bench/image", "bench/input", "bench/launch", "bench/probe", "bench/proc", "bench/smaps", "bench/testbed", "bench/usercache"},
		"environments never import one another", true},
	{"bench/engines/podman", []string{"bench", "bench/foreign", "bench/image", "bench/input", "bench/launch", "bench/probe", "bench/proc", "bench/testbed"},
		"environments never import one another", true},
	{"bench/engines/uml", []string{"bench", "bench/cgroup", "bench/clock", "bench/foreign", "bench/launch", "bench/probe/guestinit/wire", "bench/request", "bench/smaps", "vm/guest"},
		"a guest's init is spoken to as in a virtual machine", true},
	{"bench/engines/...", []string{"bench", "bench/confine", "bench/foreign"}, "environments never import one another", true},
	{"bench/fleet", []string{"bench/clean", "bench/engine", "bench/image", "bench/input", "bench/owner", "bench/results", "bench/runs", "bench/usercache"}, "many machines know no measurement", true},
	{"bench/...", []string{"bench/..."}, "what a measurement is knows no environment, no scenario and no report", true},
	{"chroot", []string{"bench/..."}, "environments never import one another", true},
	{"container/...", []string{"bench/...", "container/..."}, "environments never import one another", true},
	{"vm", []string{"bench/...", "vm/..."}, "environments never import one another", true},
	{"vm/accel", []string{"bench", "bench/clock", "bench/input", "bench/results", "bench/usercache", "vm/kernel"}, "who executes guests is found out without libvirt", true},
	{"vm/asked", []string{"bench/...", "vm/disk", "vm/domain"}, "what is asked knows no libvirt, and nobody who answers", true},
	{"vm/client", []string{"bench", "bench/clock", "bench/crew"}, "a conversation knows nobody who has it", true},
	{"vm/daemon", []string{"bench/...", "vm/accel", "vm/client", "vm/domain"}, "a libvirt knows no guests", true},
	{"vm/disk", []string{"bench/...", "vm/guest", "vm/kernel"}, "files know no domains", true},
	{"vm/domain", []string{"bench/cgroup"}, "pure functions", true},
	{"vm/foreign", []string{"bench", "bench/input", "vm/client", "vm/domain"}, "a libvirt knows no guests", true},
	{"vm/guest", []string{"bench", "bench/clock", "bench/launch", "bench/probe/guestinit/wire"}, "a guest is talked to without libvirt", true},
	{"vm/kernel", []string{"bench/input", "bench/usercache"}, "a kernel is bytes", true},
	{"scenarios", []string{"bench", "bench/appfile", "bench/clean", "bench/input", "bench/paper", "bench/stats", "bench/clock", "bench/request", "bench/results", "bench/image", "bench/image/debian", "bench/image/oci", "bench/image/store", "bench/usercache", "bench/probe", "bench/probe/line", "bench/histogram", "bench/trace"},
		"what differs between environments is data, or an optional interface", false},
	{"reports/...", []string{"bench/results", "bench/paper", "bench/stats", "bench/histogram", "bench/input", "bench/clean", "bench/owner", "bench/text", "reports/..."}, "a report is made from a results folder alone", false},
	{"cmd/cli", []string{"bench/...", "chroot", "container"}, "what both programs link starts fast", true},
	{"cmd/start", []string{"bench/...", "cmd/cli"}, "it starts fast", true},
	{"cmd/...", []string{"..."}, "the command wires the parts", true},
}

// foreign modules are each for some packages alone.
var foreign = []struct {
	module string
	by     []string
}{
	{"github.com/digitalocean/go-libvirt", []string{"vm", "vm/client", "vm/foreign"}},
	{"libvirt.org/go/libvirtxml", []string{"vm", "vm/domain", "vm/foreign"}},
	{"github.com/godbus/dbus", []string{"bench/cgroup/systemd"}},
	{"github.com/google/nftables", []string{"bench/testbed/nat", "bench/residue"}},
	{"gonum.org/v1/plot", []string{"reports/..."}},
	{"codeberg.org/go-pdf/fpdf", []string{"reports/..."}},
	{"github.com/olekukonko/tablewriter", []string{"reports/...", "cmd/lab"}},
	{"github.com/spf13/cobra", []string{"cmd/lab"}},
	{"github.com/google/go-containerregistry", []string{"bench/image/oci"}},
	{"github.com/goccy/go-yaml", []string{"bench/experiment", "bench/yamlfile", "scenarios"}}, // the scenarios' tests
	{"github.com/opencontainers/runtime-spec", []string{"bench/engines/oci", "container"}},    // the container's tests
	{"github.com/moby/moby", []string{"bench/engines/docker"}},
	{"github.com/moby/profiles", []string{"bench/engines/oci", "container"}},
}

// top is the module's.
const top = "../.."

func TestImports(t *testing.T) {
	mod := module(t)
	for _, f := range sources(t) {
		test := strings.HasSuffix(f.name, "_test.go")
		inBenchtest := f.pkg == "bench/benchtest"
		rule := -1
		for i, r := range rules {
			if matches(f.pkg, r.who) {
				rule = i
				break
			}
		}
		if rule < 0 {
			t.Errorf("%s: no rule for package %s: write down what it may import", f.name, f.pkg)
			continue
		}
		r := rules[rule]
		for _, imp := range f.imports {
			for _, x := range foreign {
				if (imp == x.module || strings.HasPrefix(imp, x.module+"/")) && !matchesAny(f.pkg, x.by) {
					t.Errorf("%s imports %s: only %s may", f.name, x.module, strings.Join(x.by, ", "))
				}
			}
			own, ok := strings.CutPrefix(imp, mod+"/")
			if !ok {
				continue
			}
			if own == "bench/benchtest" {
				if !test {
					t.Errorf("%s imports bench/benchtest: only tests may", f.name)
				}
				continue
			}
			if test && (!r.test || own == f.pkg) || inBenchtest {
				continue
			}
			if strings.HasPrefix(own, "bench/engines/") && !strings.HasPrefix(f.pkg, "cmd/") {
				t.Errorf("%s imports %s: only the command knows environments", f.name, own)
			}
			if !matchesAny(own, r.may) {
				t.Errorf("%s imports %s: %s", f.name, own, r.why)
			}
		}
	}
}

// lean are packages that link, directly or not, none of these: a program pays
// at each start for what it links, and lab exec is measured as a whole command.
var lean = struct{ who, not []string }{
	[]string{"bench", "bench/launch", "bench/testbed", "bench/image", "bench/crew", "bench/usercache", "chroot", "container", "cmd/cli", "cmd/start"},
	[]string{"vm", "scenarios", "reports", "bench/engine", "bench/stats", "gonum.org/", "golang.org/x/perf", "github.com/olekukonko/"},
}

func TestLinks(t *testing.T) {
	mod := module(t)
	imports := map[string][]string{}
	for _, f := range sources(t) {
		if !strings.HasSuffix(f.name, "_test.go") {
			imports[f.pkg] = append(imports[f.pkg], f.imports...)
		}
	}
	for _, who := range lean.who {
		if imports[who] == nil {
			t.Errorf("there is no package %s", who)
		}
		seen := map[string]bool{}
		var walk func(pkg, path string)
		walk = func(pkg, path string) {
			for _, imp := range imports[pkg] {
				own, ok := strings.CutPrefix(imp, mod+"/")
				if !ok {
					own = imp
				}
				if seen[own] {
					continue
				}
				seen[own] = true
				for _, not := range lean.not {
					if own == not || strings.HasSuffix(not, "/") && strings.HasPrefix(own, not) || strings.HasPrefix(own, not+"/") {
						t.Errorf("%s links %s, through %s", who, own, path)
					}
				}
				walk(own, path+" → "+own)
			}
		}
		walk(who, who)
	}
}

// The shipped programs hold no hook by which something in them could be made to fail:
// they link no package of tests, and no variable steers them but those that are
// documented. Failures are made from outside (TestFailpoints).
func TestNoHooks(t *testing.T) {
	mod, imports := module(t), map[string][]string{}
	documented := []string{`"LAB_CACHE"`, `"LAB_KERNEL"`, `"LAB_FLEET_FOLDER"`}
	variable := regexp.MustCompile(`"LAB_[A-Z_]+"`)
	for _, f := range sources(t) {
		if strings.HasSuffix(f.name, "_test.go") || f.pkg == "bench/benchtest" {
			continue
		}
		imports[f.pkg] = append(imports[f.pkg], f.imports...)
		b, err := os.ReadFile(filepath.Join(top, f.name))
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range variable.FindAllString(string(b), -1) {
			if !slices.Contains(documented, v) {
				t.Errorf("%s asks for %s, which no user is told of", f.name, v)
			}
		}
	}
	for pkg, all := range imports {
		for _, imp := range all {
			if strings.HasPrefix(imp, "testing") || imp == mod+"/bench/benchtest" {
				t.Errorf("%s imports %s", pkg, imp)
			}
		}
	}
}

// A test of the test: each rule refuses something.
func TestImportRules(t *testing.T) {
	for _, x := range []struct {
		pkg, pattern string
		want         bool
	}{
		{"bench", "bench/...", true},
		{"bench/launch", "bench/...", true},
		{"benchmark", "bench/...", false},
		{"bench/launch", "bench", false},
		{"vm", "vm/...", true},
		{"chroot", "...", true},
		{"cmd/lab", "cmd/...", true},
		{"vm", "cmd/...", false},
	} {
		if got := matches(x.pkg, x.pattern); got != x.want {
			t.Errorf("matches(%q, %q) = %v", x.pkg, x.pattern, got)
		}
	}
	for _, r := range rules {
		if r.who != "cmd/..." && matchesAny("scenarios/nowhere", r.may) {
			t.Errorf("the rule for %s refuses nothing", r.who)
		}
	}
}

func matches(pkg, pattern string) bool {
	if pattern == "..." {
		return true
	}
	if dir, ok := strings.CutSuffix(pattern, "/..."); ok {
		return pkg == dir || strings.HasPrefix(pkg, dir+"/")
	}
	return pkg == pattern
}

func matchesAny(pkg string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(pkg, p) })
}

type source struct {
	name, pkg string
	imports   []string
}

// sources are all Go files of the module, whatever system or tag they are for.
func sources(t *testing.T) (out []source) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(top), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if base := d.Name(); d.IsDir() && name != "." && (base == "testdata" || base == "results" && name == "results" || strings.HasPrefix(base, ".")) {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(top, filepath.FromSlash(name)), nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		s := source{name: name, pkg: path.Dir(name)}
		for _, i := range f.Imports {
			p, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			s.imports = append(s.imports, p)
		}
		out = append(out, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 20 {
		t.Fatalf("only %d Go files were found: is this the module's top?", len(out))
	}
	return out
}

func module(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(top, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(b), "\n")
	name, ok := strings.CutPrefix(line, "module ")
	if !ok {
		t.Fatalf("go.mod begins with %q", line)
	}
	return strings.TrimSpace(name)
}
