package serve

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

func get(t *testing.T, method, url, host string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if host != "" {
		req.Host = host
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func TestServe(t *testing.T) {
	s := New()
	s.Publish([]byte("one"))
	if err := s.Start(""); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if !strings.HasPrefix(s.URL(), "http://127.0.0.1:") {
		t.Errorf("by default it listens on %s", s.URL())
	}
	for _, x := range []struct {
		method, path, host string
		status             int
		body               string
	}{
		{"GET", "", "", 200, "one"},
		{"GET", "", "localhost:80", 200, "one"},
		{"GET", "", "evil.example", 421, "another name"},
		{"POST", "", "", 405, "only GET"},
		{"GET", "etc/passwd", "", 404, "not found"},
		{"GET", "..%2f..%2fetc/passwd", "", 404, "not found"},
	} {
		if code, body := get(t, x.method, s.URL()+x.path, x.host); code != x.status || !strings.Contains(body, x.body) {
			t.Errorf("%s %s as %s: %d %q", x.method, x.path, x.host, code, body)
		}
	}
}

// A browser that listens is told of each newer page, and one that comes late sees
// the newest.
func TestEvents(t *testing.T) {
	s := New()
	s.Publish([]byte("one"))
	if err := s.Start("0"); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	resp, err := http.Get(s.URL() + "events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := make(chan string)
	go func() {
		for sc := bufio.NewScanner(resp.Body); sc.Scan(); {
			lines <- sc.Text()
		}
		close(lines)
	}()
	await := func(want string) {
		t.Helper()
		late := time.After(20 * time.Second)
		for {
			select {
			case l, ok := <-lines:
				if !ok {
					t.Fatal("the stream ended")
				}
				if l == want {
					return
				}
			case <-late:
				t.Fatalf("no %q", want)
			}
		}
	}
	await("id: 1")
	s.Publish([]byte("two"))
	await("event: page")
	await("data: 2")
	if _, body := get(t, "GET", s.URL(), ""); body != "two" {
		t.Errorf("the page is %q", body)
	}
}

// Whoever opens connections and says nothing, or reads nothing, has no more than so many
// of them, and others are served once they are gone.
func TestManyConnections(t *testing.T) {
	s := New()
	s.Publish([]byte("one"))
	if err := s.Start(""); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var idle []net.Conn
	for range 4 * most {
		c, err := net.Dial("tcp", s.addr.String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		idle = append(idle, c)
	}
	closed := 0
	for _, c := range idle {
		c.SetReadDeadline(time.Now().Add(time.Second / 50))
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			closed++
		}
	}
	if len(idle)-closed > most {
		t.Errorf("%d of %d are open", len(idle)-closed, len(idle))
	}
	for _, c := range idle {
		c.Close()
	}
	for until := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		resp, err := http.Get(s.URL())
		if err == nil {
			resp.Body.Close()
			return
		}
		if time.Now().After(until) {
			t.Fatal(err)
		}
	}
}

func TestStartFails(t *testing.T) {
	s := New()
	if err := s.Start("127.0.0.1:http-alt-x"); err == nil || !strings.Contains(err.Error(), "HOST:PORT") {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
