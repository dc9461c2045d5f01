package scenarios

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"lab/bench"
	"lab/bench/benchtest"
	"lab/bench/request"
	"lab/bench/results"
)

// Each scenario of the list keeps the rules; one that breaks them is found.
func TestDeclarations(t *testing.T) {
	for _, s := range All() {
		for _, f := range faults(s) {
			t.Errorf("%s: %s", s.Name, f)
		}
	}
	good := func() *bench.Scenario {
		return &bench.Scenario{Name: "toy", Question: "How long is a toy?", Method: "It is measured.", Cells: bench.Usual.Rows,
			Metrics:  []results.Metric{{Name: "long", Title: "Length", Unit: "s", Help: "From end to end."}},
			Figures:  []results.Figure{{Name: "long", Metrics: []string{"long"}}},
			Findings: []results.Finding{{Name: "long", Statement: "Toys are long.", Metric: "long", Of: "host", Reason: "that is long"}}}
	}
	if f := faults(good()); f != nil {
		t.Errorf("a good one: %q", f)
	}
	for want, spoil := range map[string]func(*bench.Scenario){
		"figure long shows wide":    func(s *bench.Scenario) { s.Figures[0].Metrics[0] = "wide" },
		"finding \"long\"":          func(s *bench.Scenario) { s.Findings[0].Metric = "wide" },
		"finding long is of nobody": func(s *bench.Scenario) { s.Findings[0].Of = "nobody" },
		"metric \"long\"":           func(s *bench.Scenario) { s.Metrics[0].Help = "" },
		"question":                  func(s *bench.Scenario) { s.Question = "Toys!" },
		"a row of host":             func(s *bench.Scenario) { s.Cells = bench.Counts{}.Rows },
	} {
		s := good()
		spoil(s)
		if f := faults(s); !slices.ContainsFunc(f, func(f string) bool { return strings.Contains(f, want) }) {
			t.Errorf("%s: %q", want, f)
		}
	}
}

// faults are what is wrong with a scenario: each metric that a figure or a
// finding names is declared, its question is one, and names are unique.
func faults(s *bench.Scenario) (out []string) {
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	metrics := map[string]bool{}
	for _, m := range s.Metrics {
		if metrics[m.Name] || m.Title == "" || m.Help == "" {
			add("metric %q: twice, or without title or help", m.Name)
		}
		metrics[m.Name] = true
		if m.Unit == "s" { // where it has a distribution
			metrics[m.Name+" p50"], metrics[m.Name+" p99"] = true, true
		}
	}
	for _, f := range s.Figures {
		for _, m := range f.Metrics {
			if !metrics[m] {
				add("figure %s shows %s, which isn't declared", f.Name, m)
			}
		}
	}
	envs := map[string]bool{"": true}
	for _, o := range []bench.Options{{}, {Request: request.Request{Quick: true}}, {Request: request.Request{Environments: []string{"host", "vm"}}},
		{Request: request.Request{Environments: []string{"docker", "docker-vm", "runc", "uml"}}}} {
		o.Known = benchtest.Known
		for _, c := range s.Cells(o) {
			envs[c.Env] = true
			if c.Trials < 1 || c.Timeout <= 0 {
				add("a row of %s without trials or timeout: %+v", c.Env, c)
			}
		}
	}
	findings := map[string]bool{}
	for _, f := range s.Findings {
		if findings[f.Name] || !metrics[f.Metric] || f.Reason == "" || !strings.HasSuffix(f.Statement, ".") {
			add("finding %q: twice, of another scenario's metric, or without its reason or a full stop: %+v", f.Name, f)
		}
		if !envs[f.Of] || !envs[f.To] {
			add("finding %s is of %s and %s, of which one has no row", f.Name, f.Of, f.To)
		}
		findings[f.Name] = true
	}
	if !strings.HasSuffix(s.Question, "?") || s.Method == "" {
		add("question %q, method %q", s.Question, s.Method)
	}
	return out
}

// How many trials a row has follows from whether its environment is slow, and
// not from its name.
func TestCounts(t *testing.T) {
	known := slices.Clone(benchtest.Known)
	known[3].Name = "snail"
	for _, x := range []struct {
		o    bench.Options
		want string
	}{
		{bench.Options{}, "host 60+3, chroot 60+3, container 60+3, snail 20+1"},
		{bench.Options{Request: request.Request{Quick: true, Environments: []string{"snail", "host"}}}, "snail 6+1, host 10+1"},
		{bench.Options{Request: request.Request{Environments: []string{"nobody"}}}, "nobody 60+3"},
	} {
		x.o.Known = known
		var got []string
		for _, c := range Startup().Cells(x.o) {
			got = append(got, fmt.Sprintf("%s %d+%d", c.Env, c.Trials, c.Warmup))
			if c.Guest != (c.Env == "snail") {
				t.Errorf("%s: guest %v", c.Env, c.Guest)
			}
		}
		if got := strings.Join(got, ", "); got != x.want {
			t.Errorf("%+v: %s, want %s", x.o.Environments, got, x.want)
		}
	}
}

// A claim has its place in the list by its number; each number that a finding bears
// is a claim's; and what no finding answers says what would.
func TestClaims(t *testing.T) {
	for i, c := range Claims {
		if c.Number != i+1 || c.Text == "" {
			t.Errorf("claim %d has the number %d", i+1, c.Number)
		}
		if by := Answering(c.Number); (len(by) > 0) == (c.Lacks != "") {
			t.Errorf("claim %d: scenarios %q answer it, and it lacks %q", c.Number, by, c.Lacks)
		}
	}
	for _, s := range All() {
		for _, f := range s.Findings {
			if f.Claim < 0 || f.Claim > len(Claims) {
				t.Errorf("%s: finding %s is on claim %d, which there isn't", s.Name, f.Name, f.Claim)
			}
		}
	}
}

// What is said of containers isn't decided by a guest: claims 3 to 5 and 34 to 36 are about those, and
// claim 40, which is about both, has a finding for each of the things that it names.
func TestClaimsOfContainers(t *testing.T) {
	var of40 []string
	for _, s := range All() {
		for _, f := range s.Findings {
			if (f.Claim >= 3 && f.Claim <= 5 || f.Claim >= 34 && f.Claim <= 36) && f.Of == "vm" {
				t.Errorf("%s: finding %s of a guest is on claim %d, which is about containers", s.Name, f.Name, f.Claim)
			}
			if f.Claim == 40 && !slices.Contains(of40, s.Name) {
				of40 = append(of40, s.Name)
			}
		}
	}
	if got := strings.Join(of40, " "); got != "cpu disk network" {
		t.Errorf("memory, files and network are measured by %s", got)
	}
}

// A finding that compares rows speaks of each that fits it: those may not differ in the
// number of instances, of which a slope tells.
func TestFindingsOfOneNumber(t *testing.T) {
	for _, s := range All() {
		cells := s.Cells(bench.Options{Known: benchtest.Known})
		for _, f := range s.Findings {
			var of []int
			for _, c := range cells {
				fits := c.Env == f.Of
				for k, v := range f.OfVariant {
					fits = fits && c.Variant[k] == v
				}
				if fits && !slices.Contains(of, c.N) {
					of = append(of, c.N)
				}
			}
			if f.Compare != "slope" && len(of) > 1 {
				t.Errorf("%s: finding %s speaks of rows of %d instances, and a single verdict is wanted", s.Name, f.Name, of)
			}
		}
	}
}

// What is said of a container that is restarted is judged where one is: by an engine. That
// a new one has the image's state, or that the lab's own end for good, decides nothing.
func TestClaimsOfRestarts(t *testing.T) {
	for _, s := range All() {
		for _, f := range s.Findings {
			if (f.Claim == 23 || f.Claim == 29) && f.Of != "docker" {
				t.Errorf("claim %d is judged by %s of %s, which restarts nothing", f.Claim, f.Name, f.Of)
			}
		}
	}
}

// What takes longer has a larger ratio of times, and a smaller one of rates.
func TestLongerIsSlower(t *testing.T) {
	for _, s := range All() {
		for _, f := range s.Findings {
			if f.Compare != "ratio" || !strings.Contains(f.Statement, "longer than") {
				continue
			}
			name, _, _ := strings.Cut(f.Metric, " ")
			i := slices.IndexFunc(s.Metrics, func(m results.Metric) bool { return m.Name == name })
			if i < 0 || f.Op != map[string]string{"lower": "above", "higher": "below"}[s.Metrics[i].Better] {
				t.Errorf("%s: finding %s, %q: %s of %s is %s %v", s.Name, f.Name, f.Statement, f.Compare, f.Metric, f.Op, f.Threshold)
			}
		}
	}
}
