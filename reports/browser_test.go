package reports

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A tab is a page in a headless Chromium, which is spoken to over two pipes (the
// DevTools protocol). Everything that it says on its console and every address that it
// asks for is noted.
type tab struct {
	t         *testing.T
	in        *os.File
	out       *bufio.Reader
	session   string
	sent      int
	console   []string
	addresses []string
}

// newTab starts a browser, which ends with the test.
func newTab(t *testing.T) *tab {
	t.Helper()
	name, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("SKIPPED: no browser; fix: apt-get install chromium")
	}
	commands, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, answers, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(name, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--remote-debugging-pipe", "--user-data-dir="+t.TempDir(), "about:blank")
	cmd.ExtraFiles = []*os.File{commands, answers}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	commands.Close()
	answers.Close()
	b := &tab{t: t, in: in, out: bufio.NewReader(out)}
	t.Cleanup(func() {
		b.session = ""
		b.call("Browser.close", nil)
		cmd.Wait()
		in.Close()
		out.Close()
	})
	// A browser that hangs is ended, and then an answer ends as an error.
	late := time.AfterFunc(5*time.Minute, func() { cmd.Process.Kill() })
	t.Cleanup(func() { late.Stop() })
	var target struct{ TargetID string }
	b.get(&target, "Target.createTarget", map[string]any{"url": "about:blank"})
	var attached struct{ SessionID string }
	b.get(&attached, "Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true})
	b.session = attached.SessionID
	for _, domain := range []string{"Page", "Runtime", "Network", "Log"} {
		b.call(domain+".enable", nil)
	}
	return b
}

// call asks the browser for something and returns its answer.
func (b *tab) call(method string, params any) json.RawMessage {
	b.t.Helper()
	b.sent++
	if params == nil {
		params = struct{}{}
	}
	ask := map[string]any{"id": b.sent, "method": method, "params": params}
	if b.session != "" {
		ask["sessionId"] = b.session
	}
	line, err := json.Marshal(ask)
	if err == nil {
		_, err = b.in.Write(append(line, 0))
	}
	for err == nil {
		var answer struct {
			ID     int
			Method string
			Params struct {
				Request          struct{ URL string }
				Type             string
				Args             []struct{ Value any }
				ExceptionDetails json.RawMessage
				Entry            struct{ Level, Text, URL string }
			}
			Result json.RawMessage
			Error  *struct{ Message string }
		}
		if line, err = b.out.ReadBytes(0); err != nil {
			break
		}
		if err = json.Unmarshal(line[:len(line)-1], &answer); err != nil {
			break
		}
		switch p := answer.Params; answer.Method {
		case "Network.requestWillBeSent":
			b.addresses = append(b.addresses, p.Request.URL)
		case "Runtime.consoleAPICalled":
			b.console = append(b.console, fmt.Sprint(p.Type, p.Args))
		case "Runtime.exceptionThrown":
			b.console = append(b.console, string(p.ExceptionDetails))
		case "Log.entryAdded":
			b.console = append(b.console, p.Entry.Level+" "+p.Entry.Text+" "+p.Entry.URL)
		}
		if answer.ID != b.sent {
			continue
		}
		if answer.Error != nil {
			err = errors.New(answer.Error.Message)
			break
		}
		return answer.Result
	}
	b.t.Errorf("browser: %s: %v", method, err)
	return nil
}

func (b *tab) get(into any, method string, params any) {
	b.t.Helper()
	if err := json.Unmarshal(b.call(method, params), into); err != nil {
		b.t.Fatalf("browser: %s: %v", method, err)
	}
}

// eval runs a script in the page and decodes its value.
func (b *tab) eval(into any, script string) {
	b.t.Helper()
	var r struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails json.RawMessage
	}
	b.get(&r, "Runtime.evaluate", map[string]any{"expression": script, "returnByValue": true, "awaitPromise": true})
	if r.ExceptionDetails != nil {
		b.t.Fatalf("%.80s: %s", script, r.ExceptionDetails)
	}
	if into != nil {
		if err := json.Unmarshal(r.Result.Value, into); err != nil {
			b.t.Fatalf("%.80s: %v", script, err)
		}
	}
}

// until waits for a condition of the page.
func (b *tab) until(script string) {
	b.t.Helper()
	for range 300 {
		var done bool
		if b.eval(&done, script); done {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	b.t.Fatalf("never: %s", script)
}

// open shows a page, of a size in CSS pixels.
func (b *tab) open(url string, width, height int) {
	b.t.Helper()
	b.size(width, height)
	b.call("Page.navigate", map[string]any{"url": url})
	b.until(`location.href !== 'about:blank' && document.readyState === 'complete'`)
}

// file shows a page as one opens it by a double click.
func (b *tab) file(page []byte, width, height int) {
	b.t.Helper()
	name := filepath.Join(b.t.TempDir(), "report.html")
	if err := os.WriteFile(name, page, 0o644); err != nil {
		b.t.Fatal(err)
	}
	b.open("file://"+name, width, height)
}

func (b *tab) size(width, height int) {
	b.t.Helper()
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500})
	b.eval(nil, `new Promise(f => requestAnimationFrame(() => requestAnimationFrame(f))).then(() => 0)`)
}

// scheme has the system prefer light or dark.
func (b *tab) scheme(name string) {
	b.t.Helper()
	b.call("Emulation.setEmulatedMedia", map[string]any{"features": []any{map[string]string{"name": "prefers-color-scheme", "value": name}}})
}

// press is a key that goes down and up.
func (b *tab) press(key string) {
	b.t.Helper()
	code := map[string]int{"Tab": 9, "Enter": 13, " ": 32, "ArrowRight": 39, "ArrowDown": 40, "End": 35}[key]
	down := map[string]any{"type": "keyDown", "key": key, "code": key, "windowsVirtualKeyCode": code}
	if key == "Enter" {
		down["text"] = "\r"
	}
	b.call("Input.dispatchKeyEvent", down)
	b.call("Input.dispatchKeyEvent", map[string]any{"type": "keyUp", "key": key, "code": key, "windowsVirtualKeyCode": code})
}

// shoot keeps a picture of what is on the screen among the test's artifacts.
func (b *tab) shoot(name string) {
	b.t.Helper()
	var shot struct{ Data string }
	b.get(&shot, "Page.captureScreenshot", map[string]any{"format": "png"})
	b.keep(name+".png", shot.Data)
}

// print makes a PDF of A4 as the browser's print dialogue does, and returns its pages.
func (b *tab) print(name string) int {
	b.t.Helper()
	var pdf struct{ Data string }
	b.get(&pdf, "Page.printToPDF", map[string]any{"preferCSSPageSize": true})
	data := b.keep(name+".pdf", pdf.Data)
	return strings.Count(string(data), "/Type /Page\n")
}

func (b *tab) keep(name, encoded string) []byte {
	b.t.Helper()
	data, err := base64.StdEncoding.DecodeString(encoded)
	if err == nil {
		err = os.WriteFile(filepath.Join(b.t.ArtifactDir(), name), data, 0o644)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return data
}

// quiet is that nothing was said on the console, and nothing asked for but the addresses
// that begin so.
func (b *tab) quiet(allowed ...string) {
	b.t.Helper()
	for _, s := range b.console {
		b.t.Errorf("the console: %s", s)
	}
	for _, url := range b.addresses {
		ok := false
		for _, a := range append(allowed, "file://", "data:", "blob:", "about:") {
			ok = ok || strings.HasPrefix(url, a)
		}
		if !ok {
			b.t.Errorf("the page asked for %s", url)
		}
	}
}
