// Package serve shows a report's page over HTTP, and tells browsers when there is
// a newer one.
//
// There are two addresses: / is the page, and /events a stream (server-sent
// events) with a line for each new page. Nothing else is answered, no file is
// read, and nothing can be sent in. What a page is, and when it is made, is the
// caller's: during a run it is made between trials, so as not to disturb one.
package serve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// most is how many connections there are at a time. Each is a descriptor of a process
// that may be measuring, whoever on the machine made it; a browser has six.
const most = 64

// slow is how long a client may take to fetch a page. An event stream has no end.
const slow = 30 * time.Second

// Loopback is where a server listens unless the user names an address: a free port.
const Loopback = "127.0.0.1:0"

// A Server has a page, and a newer one now and then.
type Server struct {
	mu      sync.Mutex
	page    []byte
	version int
	newer   chan struct{} // closed when there is a newer page
	http    *http.Server
	addr    net.Addr
}

// New is a server without a page.
func New() *Server { return &Server{newer: make(chan struct{})} }

// Publish replaces the page.
func (s *Server) Publish(page []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.page = page
	s.version++
	close(s.newer)
	s.newer = make(chan struct{})
}

func (s *Server) now() (page []byte, version int, newer <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.page, s.version, s.newer
}

// Start listens and serves until Close. An address is HOST:PORT, a port alone (on
// loopback), or "" for [Loopback].
func (s *Server) Start(address string) error {
	if address == "" {
		address = Loopback
	}
	if !strings.Contains(address, ":") {
		address = "127.0.0.1:" + address
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("serve: %w; name another address, HOST:PORT", err)
	}
	s.addr = l.Addr()
	s.http = &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: slow, WriteTimeout: slow, IdleTimeout: slow, MaxHeaderBytes: 16 << 10,
		ErrorLog: log.New(io.Discard, "", 0)} // the terminal is the run's
	var open atomic.Int32
	s.http.ConnState = func(c net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			if open.Add(1) > most {
				c.Close()
			}
		case http.StateClosed, http.StateHijacked:
			open.Add(-1)
		}
	}
	go s.http.Serve(l)
	return nil
}

// URL is what to open.
func (s *Server) URL() string { return "http://" + s.addr.String() + "/" }

// Close ends all connections.
func (s *Server) Close() error {
	if s.http == nil {
		return nil
	}
	return s.http.Close()
}

// ServeHTTP answers a browser.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		http.Error(w, "only GET", http.StatusMethodNotAllowed)
	case !s.ours(r.Host):
		// A foreign name that leads here is another site's page reading ours (DNS
		// rebinding).
		http.Error(w, "this server has another name", http.StatusMisdirectedRequest)
	case r.URL.Path == "/":
		page, _, _ := s.now()
		h.Set("Content-Type", "text/html; charset=utf-8")
		w.Write(page)
	case r.URL.Path == "/events":
		s.events(w, r)
	default:
		http.NotFound(w, r)
	}
}

// ours says whether a browser may call this server by that name: by an address, or
// as localhost.
func (s *Server) ours(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil || host == "localhost"
}

// beat keeps idle connections open through whatever is in between.
var beat = 15 * time.Second

func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	flush := http.NewResponseController(w)
	_, version, newer := s.now()
	if _, err := fmt.Fprintf(w, "retry: 2000\nid: %d\n\n", version); err != nil {
		return
	}
	flush.SetReadDeadline(time.Time{}) // the request is read: what is left is to see it closed
	for {
		flush.SetWriteDeadline(time.Now().Add(beat + slow))
		if err := flush.Flush(); err != nil && !errors.Is(err, context.Canceled) {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-newer:
			_, version, newer = s.now()
			if _, err := fmt.Fprintf(w, "id: %d\nevent: page\ndata: %d\n\n", version, version); err != nil {
				return
			}
		case <-time.After(beat):
			if _, err := fmt.Fprint(w, ": still here\n\n"); err != nil {
				return
			}
		}
	}
}
