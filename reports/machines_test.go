package reports

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"lab/bench/results"
	"lab/reports/analysis"
	"lab/reports/msg"
	"lab/reports/page"
)

// elsewhere is the synthetic run as it might have been on another machine:
// made up as well.
func elsewhere(number int, factor float64) *results.Run {
	run := synthetic(12)
	run.Dir = fmt.Sprintf("class/laptop-%d", number)
	run.Manifest.ID = fmt.Sprintf("5e%014d", number)
	run.Machine.ID = fmt.Sprintf("synthetic%d", number)
	run.Machine.CPU = fmt.Sprintf("Synthetic CPU %d", number)
	for i, l := range run.Lines {
		if l.Value != nil {
			v := *l.Value * factor
			run.Lines[i].Value = &v
		}
	}
	return run
}

// class is five machines: one has two runs, one is bare metal under KVM, one
// has another image and lab.
func class() []*results.Run {
	var runs []*results.Run
	for i, f := range []float64{1, 1.3, 0.8, 2.1} {
		runs = append(runs, elsewhere(i+1, f))
	}
	again := elsewhere(1, 1.04)
	again.Dir, again.Manifest.ID = "class/laptop-1-again", "5e00000000000099"
	bare := elsewhere(5, 0.5)
	bare.Machine.Virtual, bare.Machine.Hypervisor, bare.Machine.Acceleration.Use = false, "", "kvm"
	for i := range bare.Manifest.Cells {
		if c := &bare.Manifest.Cells[i]; c.Env == "vm" {
			c.Settings = map[string]string{"accel": "kvm", "machine": "q35"}
		}
	}
	runs[3].Manifest.Lab = "v1-synthetic"
	runs[3].Manifest.Image.Digest = "sha256:4444444444444444444444444444444444444444444444444444444444444444"
	return append(runs, again, bare)
}

func across(t *testing.T, runs []*results.Run) *analysis.Machines {
	t.Helper()
	m, err := analysis.AcrossMachines(runs)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func find(t *testing.T, m *analysis.Machines, title string) *analysis.MachineGroup {
	t.Helper()
	for _, g := range m.Groups {
		if strings.HasPrefix(english(g.Title()), title) {
			return g
		}
	}
	t.Fatalf("no group %q", title)
	return nil
}

// One of the machines may be hostile: what it says of a metric isn't said of the others'
// figures, and what it alone has doesn't stand before them.
func TestOddMachine(t *testing.T) {
	page := func(m *analysis.Machines) string {
		var b bytes.Buffer
		if err := Machines(m).Terminal(&b, page.Options{Width: 120}); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	runs := class()[:3]
	was := page(across(t, runs))
	odd := elsewhere(9, 1)
	for i := range odd.Manifest.Metrics {
		x := &odd.Manifest.Metrics[i]
		x.Unit, x.Better, x.Title = "B", "higher", "Winner"
	}
	own := results.Metric{Name: "mine", Title: "Winner", Unit: "1/s", Better: "higher"}
	odd.Manifest.Metrics = append([]results.Metric{own}, odd.Manifest.Metrics...)
	for i := range odd.Lines {
		if l := &odd.Lines[i]; l.Metric == "ready" || l.Metric == "gone" {
			l.Unit, l.Better = "B", "higher"
		}
		if odd.Lines[i].Metric == "ready" {
			more := odd.Lines[i]
			more.Metric, more.Unit, more.Last = "mine", "1/s", false
			odd.Lines = append(odd.Lines, more)
		}
	}
	m := across(t, append([]*results.Run{odd}, runs...))
	if x := m.Metrics[0]; x.Name != "ready" || x.Unit != "s" || x.Better != "lower" || x.Title != "Time until ready" {
		t.Errorf("the first metric is %+v", x)
	}
	if said := page(m); strings.Contains(said, "Winner") || !strings.Contains(said, "laptop-9: ready is in another unit there") {
		t.Errorf("with it:\n%s\nwithout:\n%s", said, was)
	}
	s, ok := find(t, m, "host, ").Spread(analysis.MedianOf("ready"))
	if want, _ := find(t, across(t, runs), "host, ").Spread(analysis.MedianOf("ready")); !ok || s.Machines != 3 || s.Least != want.Least || s.Largest != want.Largest {
		t.Errorf("%+v, want %+v", s, want)
	}
}

// What can't be set side by side stands apart; what can is one group, with each
// machine once.
func TestAcrossMachines(t *testing.T) {
	m := across(t, class())
	if len(m.Machines) != 5 {
		t.Fatalf("%d machines", len(m.Machines))
	}
	for title, want := range map[string]int{
		"host, inside a virtual machine, image default sha256:1111": 3, // of 4 entries, two are one machine's
		"host, inside a virtual machine, image default sha256:4444": 0,
		"host, bare metal": 0,
		"vm, bare metal":   0,
		"vm, TCG (emulated), inside a virtual machine, image default sha256:1111": 3,
	} {
		g := find(t, m, title)
		s, ok := g.Spread(analysis.MedianOf("ready"))
		if ok != (want > 0) || ok && s.Machines != want {
			t.Errorf("%s: %+v, %v; want %d machines", title, s, ok, want)
		}
		if strings.Contains(title, "TCG") != g.TCG {
			t.Errorf("%s: TCG %v", title, g.TCG)
		}
	}
	// The middle of 1 and 1.04, 1.3 and 0.8 times the same values.
	s, _ := find(t, m, "host, inside a virtual machine, image default sha256:1111").Spread(analysis.MedianOf("ready"))
	if r := s.Largest / s.Least; r < 1.6 || r > 1.65 || english(s.LeastMachine) != "laptop-3" || english(s.LargestMachine) != "laptop-2" {
		t.Errorf("%+v", s)
	}
	if r := s.Middle / s.Least; r < 1.02/0.8-1e-9 || r > 1.02/0.8+1e-9 {
		t.Errorf("the middle machine is %v by the least", r)
	}
	notes := notes(m.Notes)
	for _, want := range []string{
		"Machine 1 has 2 runs", "Lab versions differ, and they may measure otherwise: v0-synthetic (machine 1, laptop-2, laptop-3, laptop-5); v1-synthetic (laptop-4)",
		"Images differ, and their figures stand apart", "Machine 1, laptop-2, laptop-3, laptop-4: This VM was emulated in software (TCG)", "docker was not run: the program docker isn't installed", "their spread tells how far",
	} {
		if !strings.Contains(notes, want) {
			t.Errorf("no note %q in\n%s", want, notes)
		}
	}
	// Ratios of the same machine don't move with its speed.
	if q, ok := find(t, m, "chroot, inside a virtual machine, image default sha256:1111").Spread(analysis.RatioOf("ready")); !ok || q.Largest/q.Least > 1+1e-9 {
		t.Errorf("%+v, %v", q, ok)
	}
}

func TestAcrossMachinesRefuses(t *testing.T) {
	a, b := elsewhere(1, 1), elsewhere(2, 1)
	b.Manifest.Scenario = "disk"
	if _, err := analysis.AcrossMachines([]*results.Run{a, b}); err == nil || !strings.Contains(err.Error(), "one scenario") {
		t.Error(err)
	}
	if _, err := analysis.AcrossMachines([]*results.Run{a, elsewhere(1, 1)}); err == nil || !strings.Contains(err.Error(), "the same run") {
		t.Error(err)
	}
	// Without an id nobody can tell, and it is said.
	a, b = elsewhere(1, 1), elsewhere(2, 1)
	a.Machine.ID, b.Machine.ID = "", ""
	if m := across(t, []*results.Run{a, b}); len(m.Machines) != 2 || !strings.Contains(notes(m.Notes), "can't be told") {
		t.Errorf("%d machines, %v", len(m.Machines), m.Notes)
	}
	b.Machine.ID, a.Machine.ID = "kind-1", "kind-1"
	if m := across(t, []*results.Run{a, b}); len(m.Machines) != 1 || !strings.Contains(notes(m.Notes), "several machines of its kind") {
		t.Errorf("%v", m.Notes)
	}
}

// Six machines have an interval of the middle one; whatever was given, files
// come of it.
func TestAcrossMachinesFiles(t *testing.T) {
	var many []*results.Run
	for i := range 8 {
		many = append(many, elsewhere(i+1, 1+float64(i)/10))
	}
	if got := notes(machinesSentences(across(t, many), many[0].Manifest.Metrics[0])); !strings.Contains(got, "the middle of 8 machines is") || !strings.Contains(got, "95 % interval") {
		t.Error(got)
	}
	files, err := MachinesFiles(across(t, class()), msg.English())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range files {
		names = append(names, f.Name)
		if dir := os.Getenv("LAB_PLOTS"); dir != "" && strings.HasSuffix(f.Name, ".png") {
			os.WriteFile(filepath.Join(dir, filepath.Base(f.Name)), f.Data, 0o644)
		}
	}
	if got := strings.Join(names, " "); got != "machines.md machines.csv plots/machines-ready.png plots/machines-ready.svg plots/machines-ready.pdf plots/machines-ready-ratio.png plots/machines-ready-ratio.svg plots/machines-ready-ratio.pdf plots/machines-gone.png plots/machines-gone.svg plots/machines-gone.pdf machines.html" {
		t.Error(got)
	}
	golden(t, "machines.md", files[0].Data)
	rows, err := csv.NewReader(bytes.NewReader(files[1].Data)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	// Six runs of four rows with two metrics, and one row not run.
	if len(rows) != 1+6*(4*2+1) {
		t.Errorf("%d lines", len(rows))
	}
	got := words(t, string(files[3].Data))
	text := strings.Join(got, "\n")
	for _, want := range []string{"machine 1", "laptop-1-again", "middle of 3 machines", "vm, TCG (emulated), inside a virtual machine", "vm, bare metal"} {
		if !strings.Contains(text, want) {
			t.Errorf("the plot has no %q", want)
		}
	}
	if text := strings.Join(words(t, string(files[6].Data)), "\n"); strings.Contains(text, "TCG") {
		t.Error("an emulated guest is compared in the plot of ratios")
	}
	for width, name := range map[int]string{160: "machines-160.txt", 80: "machines-80.txt"} {
		var b bytes.Buffer
		if err := Machines(across(t, class())).Terminal(&b, page.Options{Width: width}); err != nil {
			t.Fatal(err)
		}
		golden(t, name, b.Bytes())
	}
	// Nothing measured at all.
	empty, other := &results.Run{Dir: "a"}, &results.Run{Dir: "b"}
	files, err = MachinesFiles(across(t, []*results.Run{empty, other}), msg.English())
	if err != nil || len(files) != 3 {
		t.Errorf("%d files, %v", len(files), err)
	}
	var b bytes.Buffer
	if err := Machines(across(t, []*results.Run{empty})).Terminal(&b, page.Options{}); err != nil || !strings.Contains(b.String(), "Nothing was measured") {
		t.Error(b.String(), err)
	}
}

// A page across machines says of each how many of its trials were disturbed, and of a
// fleet's without results why.
func TestMachinesTrials(t *testing.T) {
	m := across(t, class())
	m.Absent = []analysis.Absent{{Name: "pc02", Reason: "its disk is full (x|y)"}, {Name: "<pc03>", Reason: "the connection was lost"}}
	files, err := MachinesFiles(m, msg.English())
	if err != nil {
		t.Fatal(err)
	}
	n, disturbed := m.Machines[0].Trials()
	if n == 0 || disturbed == 0 || n != 2*(12+12+11+6) {
		t.Errorf("%d trials, %d disturbed", n, disturbed)
	}
	for i, wants := range map[int][]string{
		0:              {fmt.Sprintf("| machine 1 | %d | %d (%s) | |\n", n, disturbed, msg.Percent(float64(disturbed)/float64(n))), `| pc02 | none | | its disk is full (x\|y) |`, "| why it has none |"},
		len(files) - 1: {`<th scope="row">pc02</th>`, "its disk is full (x|y)", "&lt;pc03&gt;", "the connection was lost"},
	} {
		for _, want := range wants {
			if !strings.Contains(string(files[i].Data), want) {
				t.Errorf("%s has no %q", files[i].Name, want)
			}
		}
	}
	// Of many the noisiest, and some of those that are absent.
	var many []*results.Run
	for i := range analysis.Many + 1 {
		many = append(many, elsewhere(i+1, 1))
	}
	noisy := many[analysis.Many]
	for i := range noisy.Lines {
		noisy.Lines[i].Taint = []string{"load"}
	}
	m = across(t, many)
	for i := range analysis.Many + 1 {
		m.Absent = append(m.Absent, analysis.Absent{Name: fmt.Sprintf("pc%03d", i), Reason: "it is off"})
	}
	p := &page.Page{}
	machinesTrials(p, m)
	text := string(p.Markdown(msg.English()))
	rows := strings.Split(text, "\n")
	if got := strings.Count(text, "\n| "); got != 1+2*listed || !strings.Contains(text, "(100 %)") || !strings.Contains(strings.Join(rows[:6], ""), "laptop-201 | ") ||
		!strings.Contains(text, "20 of 201 machines, those with the largest share") || !strings.Contains(text, "The first 20 of 201 machines without results") {
		t.Errorf("%d rows:\n%s", got, text)
	}
	// Without any that is absent there is no column for it.
	if text := string(machinesReport(across(t, class()), nil).Markdown(msg.English())); strings.Contains(text, "why it has none") {
		t.Error("a column says why there is nothing missing")
	}
}

// Machines with one id that a fleet knows to be several count by their names, and it is
// said; others with that id are one.
func TestSharedMachineID(t *testing.T) {
	of := func(hosts ...string) *analysis.Machines {
		var all []*analysis.Analysis
		for i, name := range hosts {
			run := elsewhere(i+1, 1+float64(i))
			run.Machine.ID = "copied"
			a := analysis.Of(run)
			a.Host = name
			all = append(all, a)
		}
		m, err := analysis.Across(all)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	const said = "share a machine id, as copied disks do"
	if m := of("pc01", "pc02", "pc02"); len(m.Machines) != 2 || !strings.Contains(notes(m.Notes), "laptop-1, machine 2 "+said) {
		t.Errorf("%d machines, %v", len(m.Machines), notes(m.Notes))
	}
	if m := of("pc01"); len(m.Machines) != 1 || strings.Contains(notes(m.Notes), said) {
		t.Errorf("one shares with nobody: %v", notes(m.Notes))
	}
	// What no fleet has may be of one of them; all such are one.
	if m := of("pc01", "", "pc02", ""); len(m.Machines) != 3 || !strings.Contains(notes(m.Notes), "laptop-1, laptop-3 "+said) ||
		!strings.Contains(notes(m.Notes), "Machine 2 isn't of their fleet, and has the machine id of laptop-1, laptop-3, which several machines share: it may be one of them, and counts as a machine of its own") {
		t.Errorf("%d machines, %v", len(m.Machines), notes(m.Notes))
	}
	if m := of("pc01", ""); len(m.Machines) != 2 || strings.Contains(notes(m.Notes), said) || !strings.Contains(notes(m.Notes), "laptop-2 isn't of their fleet") {
		t.Errorf("%d machines, %v", len(m.Machines), notes(m.Notes))
	}
	if m := of("", ""); len(m.Machines) != 1 || strings.Contains(notes(m.Notes), said) {
		t.Errorf("%d machines, %v", len(m.Machines), notes(m.Notes))
	}
}

// Where the whole is a file, a screen of 80 × 24 holds the answer: a line for each
// environment, and how much there is to know about it.
func TestMachinesBrief(t *testing.T) {
	m := across(t, class()[:3])
	var b bytes.Buffer
	if err := MachinesBrief(m).Terminal(&b, page.Options{Width: 80}); err != nil {
		t.Fatal(err)
	}
	said := b.String()
	t.Log("\n" + said)
	if n := strings.Count(said, "\n"); n > 20 {
		t.Errorf("%d lines", n)
	}
	for line := range strings.Lines(said) {
		if n := utf8.RuneCountInString(line); n > 81 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	for _, g := range m.Groups {
		s, ok := g.Spread(analysis.MedianOf(m.Metrics[0].Name))
		if !ok || g.TCG {
			continue
		}
		u := msg.ScaleFor(s.Middle, m.Metrics[0].Unit)
		if want := english(msg.T("in-brackets", u.With(s.Middle), u.Span(s.Least, s.Largest))); !strings.Contains(said, want) {
			t.Errorf("%s: no %q", english(g.Title()), want)
		}
	}
	if want := english(msg.T("machines.notes-in", len(m.Notes))); !strings.Contains(said, want) {
		t.Errorf("no %q", want)
	}
}
