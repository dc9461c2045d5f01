package reports

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lab/bench/results"
	"lab/reports/serve"
)

// illegible lists texts with less contrast to what is behind them than the accessibility
// guidelines ask for (WCAG AA: 4.5, and 3 for large text).
const illegible = `(() => {
  const rgb = s => { const m = s.match(/[\d.]+/g).map(Number); return m.length > 3 ? m : [...m, 1]; };
  const over = (a, b) => [0, 1, 2].map(i => a[i] * a[3] + b[i] * (1 - a[3])).concat(1);
  const light = c => { const f = c.slice(0, 3).map(v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * f[0] + .7152 * f[1] + .0722 * f[2]; };
  const behind = e => e ? over(rgb(getComputedStyle(e).backgroundColor), behind(e.parentElement)) : [255, 255, 255, 1];
  const out = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let n; n = walk.nextNode();) {
    const e = n.parentElement, s = getComputedStyle(e);
    if (!n.data.trim() || !e.checkVisibility() || /SCRIPT|STYLE|OPTION/.test(e.tagName)) continue;
    const svg = e.ownerSVGElement;
    let back = behind(svg || e);
    if (svg && e.previousElementSibling && e.previousElementSibling.matches('rect.point')) back = rgb(getComputedStyle(e.previousElementSibling).fill);
    const a = light(over(rgb(svg ? s.fill : s.color), back)), b = light(back);
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05), px = parseFloat(s.fontSize);
    if (ratio < (px >= 24 || px >= 18.66 && s.fontWeight >= 700 ? 3 : 4.5)) out.push(ratio.toFixed(2) + ' ' + n.data.trim().slice(0, 40));
  }
  return out;
})()`

// unreached lists what can be worked with the mouse and not reached by Tab: the page
// walks over itself, and each stop is marked.
const unreached = `[...document.querySelectorAll('button, select, summary, a[href], .scroll, [tabindex="0"]')]
  .filter(e => e.checkVisibility() && !e.dataset.reached).map(e => e.outerHTML.slice(0, 80))`

// mark marks what has the focus, and says whether it can be seen that it has.
const mark = `(() => { const e = document.activeElement; if (e === document.body) return 'end';
  const again = e.dataset.reached; e.dataset.reached = 1;
  if (again) return 'end';
  const s = getComputedStyle(e), seen = s.outlineStyle !== 'none' || e.matches('.point') && parseFloat(s.strokeWidth) >= 3;
  return seen ? '' : 'no sign of the focus: ' + e.outerHTML.slice(0, 80); })()`

// wide lists what is wider than the window, so that a reader would scroll sideways.
const wide = `document.documentElement.scrollWidth <= innerWidth ? [] : [...document.querySelectorAll('main *, header *')]
  .filter(e => e.checkVisibility() && !e.closest('.scroll') && e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 80))`

func (b *tab) none(what, script string) {
	b.t.Helper()
	var found []string
	b.eval(&found, script)
	for i, f := range found {
		if i < 5 {
			b.t.Errorf("%s: %s", what, f)
		}
	}
}

// lookOver is what every page has to stand: text that can be read light and dark, on a
// projector, a phone and paper; the keyboard alone; silence.
func (b *tab) lookOver(page []byte, name string) {
	b.t.Helper()
	b.console, b.addresses = nil, nil
	b.scheme("light")
	b.file(page, 1280, 800)
	var points int
	if b.eval(&points, `document.querySelectorAll('article:not([hidden]) .point, .figure img').length`); points == 0 || points < 10 && !strings.Contains(string(page), `<img src="data:image/svg+xml`) {
		b.t.Errorf("%s: %d points are drawn", name, points)
	}
	b.shoot(name)
	all := func(on string) {
		b.eval(nil, `document.querySelectorAll('details').forEach(d => { d.open = true; }); 0`)
		b.none(name+", contrast, "+on, illegible)
		b.none(name+", too wide, "+on, wide)
	}
	all("light")
	b.scheme("dark")
	b.size(390, 844)
	b.eval(nil, `document.querySelectorAll('details').forEach(d => { d.open = false; }); scrollTo(0, 0); 0`)
	var offers string
	if b.eval(&offers, `new Promise(f => requestAnimationFrame(() => requestAnimationFrame(f))).then(() => document.getElementById('theme').textContent)`); offers != "Light" {
		b.t.Errorf("%s: dark, and the button offers %q", name, offers)
	}
	b.shoot(name + "-phone")
	all("dark, phone")
	if pages := b.print(name); pages < 1 || pages > 40 {
		b.t.Errorf("%s: %d pages of A4", name, pages)
	}
	b.scheme("light")
	b.size(1280, 800)
	for range 3000 {
		b.press("Tab")
		var said string
		if b.eval(&said, mark); said == "end" {
			break
		} else if said != "" {
			b.t.Errorf("%s: %s", name, said)
		}
	}
	b.none(name+", not reached by Tab", unreached)
	b.quiet()
}

// In a real browser the page draws its points, can be worked by keyboard alone, and is
// read anywhere.
func TestHTMLInBrowser(t *testing.T) {
	run := stored(t) // on a logarithmic axis, where emulated guests are apart as well
	page, err := HTML([]*results.Run{run, guessing(run, map[string]float64{"container": 2}, "vm")}, []string{"one", "two"}, false)
	if err != nil {
		t.Fatal(err)
	}
	b := newTab(t)
	b.lookOver(page, "synthetic")
	var dom string
	b.eval(&dom, `document.documentElement.outerHTML`)
	for _, want := range []string{`aria-pressed="true"`, `role="status"`, `class="small">Emulated in software (TCG): an axis of its own`, "Cumulative", `<article class="run" data-run="1" hidden`,
		"Guessed first", "data:image/svg+xml;base64,"} {
		if !strings.Contains(dom, want) {
			t.Errorf("the page lacks %q", want)
		}
	}

	// The keyboard alone: each control does what it says, and keeps the focus.
	b.file(page, 1280, 800)
	var count int
	b.eval(&count, `document.querySelectorAll('article:not([hidden]) .controls button').length`)
	for i := range count {
		at := fmt.Sprintf(`document.querySelectorAll('article:not([hidden]) .controls button')[%d]`, i)
		var before, after string
		b.eval(nil, at+`.focus(); 0`)
		b.eval(&before, at+`.textContent`)
		b.press("Enter")
		b.eval(&after, `document.activeElement.textContent`)
		if before != after || after == "" {
			t.Errorf("after %q the focus is on %.40q", before, after)
		}
		if i >= 4 { // and back: a row that was switched off
			b.press("Enter")
		}
	}
	b.eval(nil, `document.querySelector('article:not([hidden]) .point[tabindex="0"]').focus(); 0`)
	var first, next string
	b.eval(&first, `document.activeElement.getAttribute('aria-label')`)
	b.press("ArrowRight")
	if b.eval(&next, `document.querySelector('.tip').textContent`); first == "" || next == "" || strings.HasPrefix(next, first) {
		t.Errorf("the arrow led from %q to %q", first, next)
	}
	b.eval(nil, `document.querySelector('.switch button:last-child').focus(); 0`)
	b.press("Enter")
	b.until(`document.querySelector('article[data-run="0"]').hidden && !document.querySelector('article[data-run="1"]').hidden`)
	b.quiet()
}

// The same of each scenario's page, of the reference runs', and of a class's. LAB_PAGES
// names folders of further runs.
func TestPagesInBrowser(t *testing.T) {
	if os.Getenv("LAB_LONG") == "" {
		t.Skip("SKIPPED: takes two minutes; fix: LAB_LONG=1")
	}
	every, b := everyRun(t), newTab(t)
	for _, pattern := range append(filepath.SplitList(os.Getenv("LAB_PAGES")), "reference/*") {
		dirs, err := filepath.Glob(filepath.Join(pattern, results.ManifestFile))
		if err != nil {
			t.Fatal(err)
		}
		for _, dir := range dirs {
			dir = filepath.Dir(dir)
			run, err := results.Read(dir)
			if err != nil {
				t.Fatal(err)
			}
			every[filepath.Base(filepath.Dir(dir))+"-"+filepath.Base(dir)] = run
		}
	}
	for _, name := range slices.Sorted(maps.Keys(every)) {
		page, err := HTML([]*results.Run{every[name]}, []string{name}, false)
		if err != nil {
			t.Fatal(err)
		}
		b.lookOver(page, name)
	}
	runs, names := class(), []string(nil)
	for i := range runs {
		names = append(names, runs[i].Dir)
		guessing(runs[i], map[string]float64{"container": 3}, "vm")
	}
	page, err := ClassHTML(runs, names, nil)
	if err != nil {
		t.Fatal(err)
	}
	b.lookOver(page, "class")
	var dom string
	if b.eval(&dom, `document.documentElement.outerHTML`); strings.Count(dom, `<article class="run"`) != len(runs) || !strings.Contains(dom, "Guesses and results") {
		t.Error("the class's page lacks a run, or the guesses")
	}
}

// Folders that are dropped on a page are shown with it, without a server; what a hostile
// one has in it does nothing.
func TestDroppedInBrowser(t *testing.T) {
	run := stored(t)
	page, err := HTML([]*results.Run{run}, []string{"mine"}, false)
	if err != nil {
		t.Fatal(err)
	}
	class := filepath.Join(t.TempDir(), "class")
	for _, name := range []string{"ann", "bob", "mallory"} {
		if err := os.MkdirAll(filepath.Join(class, name), 0o755); err != nil {
			t.Fatal(err)
		}
		data := page
		if name == "mallory" {
			data = []byte(strings.Replace(string(page), "<h1>", `<h1><img src=x onerror="document.title='taken'"><script>document.title='taken'</script><iframe src="https://evil.example/"></iframe>`, 1))
		}
		put := filepath.Join(class, name, "report.html")
		if err := os.WriteFile(put, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b := newTab(t)
	b.file(page, 1280, 800)
	for _, what := range []string{"dragEnter", "dragOver", "drop"} {
		b.call("Input.dispatchDragEvent", map[string]any{"type": what, "x": 300, "y": 300, "data": map[string]any{"items": []any{}, "files": []string{class}, "dragOperationsMask": 1}})
	}
	b.until(`document.querySelectorAll('.switch button').length === 4`)
	b.eval(nil, `document.querySelector('.switch button:last-child').focus(); 0`)
	b.press("Enter")
	var points int
	var names []string
	b.eval(&points, `document.querySelectorAll('article:not([hidden]) .point').length`)
	b.eval(&names, `[...document.querySelectorAll('.switch button')].map(x => x.textContent)`)
	if points < 20 || !slices.Equal(names, []string{"mine", "ann", "bob", "mallory"}) {
		t.Errorf("%d points, %q", points, names)
	}
	var evil bool
	if b.eval(&evil, `document.title === 'taken' || !!document.querySelector('iframe, article [onerror], article script')`); evil {
		t.Error("a dropped page did something")
	}
	b.shoot("dropped")
	b.quiet()
}

// A page that is served is replaced while it is looked at; what the reader chose stays.
func TestLiveInBrowser(t *testing.T) {
	run := synthetic(12)
	show := func(lines int) []byte {
		part := *run
		part.Lines = run.Lines[:lines]
		page, err := HTML([]*results.Run{&part}, []string{"live"}, true)
		if err != nil {
			t.Fatal(err)
		}
		return page
	}
	s := serve.New()
	s.Publish(show(len(run.Lines) / 2))
	if err := s.Start(""); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	b := newTab(t)
	b.open(s.URL(), 1280, 800)
	var half, all int
	const points = `document.querySelectorAll('.point').length`
	b.eval(&half, points)
	b.eval(nil, `document.querySelectorAll('.controls button')[1].focus(); document.querySelector('.fold').open = true; 0`)
	b.press("Enter")
	s.Publish(show(len(run.Lines)))
	b.until(`document.documentElement.dataset.renewed > 0`)
	b.eval(&all, points)
	var kept bool
	b.eval(&kept, `document.querySelectorAll('.controls button')[1].getAttribute('aria-pressed') === 'true' && document.querySelector('.fold').open
		&& document.activeElement === document.querySelectorAll('.controls button')[1]`)
	if half < 5 || all <= half || !kept {
		t.Errorf("%d points, then %d; kept: %v", half, all, kept)
	}
	b.shoot("live")
	b.quiet(s.URL())
}
