package benchtest

import (
	"testing"
	"time"

	"lab/bench"
)

// prepare proves that Prepare makes nothing that exists once an instance: the
// clock starts with Start, and whatever is made before it would be for free.
func (s *suite) prepare(t *testing.T) {
	spec := s.spec(t, bench.Command{Argv: []string{readyPath, "x"}})
	if _, lacks := s.opts.Lacks[Memory]; !lacks {
		spec.Limits.Memory = 64 << 20
	}
	// The first one may fill caches, which the others share.
	s.prepareOne(t, spec).Close()
	before := takeSnapshot(t, s.tb, s.opts.Objects)
	var open []bench.Instance
	for range 3 {
		open = append(open, s.prepareOne(t, spec))
	}
	for _, x := range takeSnapshot(t, s.tb, s.opts.Objects).since(before, s.kinds(t)...) {
		t.Errorf("Prepare made a %s", x)
	}
	for _, i := range open {
		if err := i.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, x := range takeSnapshot(t, s.tb, s.opts.Objects).since(before, s.kinds(t, "descriptor", "file")...) {
		t.Errorf("after Close of what was only prepared: %s", x)
	}
}

// kinds are those of an instance's objects, the environment's own included.
func (s *suite) kinds(t *testing.T, more ...string) []string {
	out := append(more, kinds...)
	if s.opts.Objects != nil {
		objects, err := s.opts.Objects()
		if err != nil {
			t.Fatal(err)
		}
		for k := range objects {
			out = append(out, k)
		}
	}
	return out
}

// nothingLeft looks at the machine after instances that ended in every way.
func (s *suite) nothingLeft(t *testing.T) {
	limits := bench.Limits{}
	if _, lacks := s.opts.Lacks[Memory]; !lacks {
		limits.Memory = 64 << 20
	}
	ways := []func(){
		func() { // it ended by itself
			token := bench.Token()
			i := s.start(t, s.spec(t, bench.Command{Argv: []string{readyPath, token}}))
			s.await(t, i, token)
			if _, lacks := s.opts.Lacks[Status]; !lacks {
				s.wait(t, i)
			}
			i.Close()
		},
		func() { // it is killed by Close, and had limits
			i := s.running(t, "(sleep 1000) | sleep 1000", func(x *bench.Spec) { x.Limits = limits })
			i.Close()
		},
		func() { // it never ran
			spec := s.spec(t, bench.Command{Argv: []string{"/bin/no-such-program"}})
			spec.Limits = limits
			if i, err := s.env.Prepare(s.context(t), spec); err == nil {
				if i.Start(s.context(t)) == nil {
					i.Wait(s.context(t))
				}
				i.Close()
			}
		},
	}
	for _, f := range ways { // what is made once, such as Go's own descriptors
		f()
	}
	before, had := takeSnapshot(t, s.tb, s.opts.Objects), threads(t)
	for range s.rounds(20) {
		for _, f := range ways {
			f()
		}
	}
	// The kernel takes a network namespace down in a thread of its own, so its
	// devices may be seen a little longer; everything else is gone at once.
	deadline := time.Now().Add(5 * time.Second)
	for _, kind := range s.kinds(t, "descriptor", "file") {
		for {
			left := takeSnapshot(t, s.tb, s.opts.Objects).since(before, kind)
			if len(left) == 0 {
				break
			}
			if kind == "link" && time.Now().Before(deadline) {
				time.Sleep(10 * time.Millisecond) // nothing tells
				continue
			}
			for _, x := range left {
				t.Errorf("after Close: %s", x)
			}
			break
		}
	}
	// Threads end by themselves when their work has; some wait for the next.
	const spare = 8
	for threads(t) > had+spare {
		if time.Now().After(deadline) {
			t.Errorf("%d threads, %d before", threads(t), had)
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
}
