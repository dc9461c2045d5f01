package benchtest

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"lab/bench"
	"lab/bench/clock"
	"lab/bench/results"
	"lab/bench/testbed"
)

// Fake is an environment that starts nothing: its instances do what a script
// says. It needs neither root nor a testbed.
type Fake struct {
	Label string          // its name
	Has   []bench.Setting // its settings
	Unfit error           // what Check returns
	Says  bench.About     // what it says about itself

	// Script is asked what the n-th instance does, counted from 0; nil: it
	// writes its token and exits with status 0.
	Script func(n int, s bench.Spec) Act

	mu   sync.Mutex
	n    int
	open int
}

// Known are four environments as the lab's own say they are, for scenarios.
var Known = bench.AboutAll([]bench.Environment{
	&Fake{Label: "host", Has: settings("netns=own"), Says: bench.About{Default: true, HostFiles: true}},
	&Fake{Label: "chroot", Says: bench.About{Default: true}},
	&Fake{Label: "container", Has: settings("net=none,bridge,host data=layer,bind"), Says: bench.About{Default: true}},
	&Fake{Label: "vm", Has: settings("net=none,user,bridge nic=virtio,e1000 disk=none,virtio,ide cache=none,writeback,unsafe machine=q35,pc kernel=full"), Says: bench.About{Default: true, Slow: true, Environment: results.Environment{Guest: true}}},
})

// settings reads "net=none,bridge nic=virtio".
func settings(text string) (out []bench.Setting) {
	for _, word := range strings.Fields(text) {
		name, values, _ := strings.Cut(word, "=")
		out = append(out, bench.Setting{Name: name, Values: strings.Split(values, ",")})
	}
	return out
}

// An Act is what one instance does.
type Act struct {
	Prepare, Start, Close error         // returned by these
	Silent                bool          // it never writes its token, which is its last argument
	After                 time.Duration // from Start to the token
	Hang                  chan struct{} // Wait and Close block until it is closed, whatever the context says
	Exit                  bench.Exit
}

// Name is Label.
func (f *Fake) Name() string { return f.Label }

// About is Says.
func (f *Fake) About() bench.About { return f.Says }

// Settings are those it was made with.
func (f *Fake) Settings() []bench.Setting { return f.Has }

// Open does nothing; the testbed may be nil.
func (f *Fake) Open(context.Context, *testbed.Testbed) error { return nil }

// Check returns Unfit.
func (f *Fake) Check(context.Context, bench.Spec) error { return f.Unfit }

// Close does nothing.
func (f *Fake) Close() error { return nil }

// Prepare asks the script.
func (f *Fake) Prepare(_ context.Context, s bench.Spec) (bench.Instance, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var a Act
	if f.Script != nil {
		a = f.Script(f.n, s)
	}
	f.n++
	if a.Prepare != nil {
		return nil, a.Prepare
	}
	f.open++
	return &fakeInstance{fake: f, act: a, spec: s, ended: make(chan struct{})}, nil
}

// OpenInstances are those that were prepared and not closed.
func (f *Fake) OpenInstances() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.open
}

type fakeInstance struct {
	fake  *Fake
	act   Act
	spec  bench.Spec
	began clock.Time
	r     *os.File
	end   sync.Once
	once  sync.Once
	ended chan struct{}
}

func (i *fakeInstance) Start(ctx context.Context) error {
	if i.began != 0 {
		return errors.New("start: started before")
	}
	i.began = clock.Now()
	if err := errors.Join(ctx.Err(), i.act.Start); err != nil {
		return err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	i.r = r
	time.AfterFunc(i.act.After, func() {
		defer w.Close()
		if argv := i.spec.Command.Argv; !i.act.Silent && len(argv) > 0 {
			io.WriteString(w, argv[len(argv)-1])
		}
		i.end.Do(func() { close(i.ended) })
	})
	return nil
}

func (i *fakeInstance) Signal(os.Signal) error {
	select {
	case <-i.ended:
		return os.ErrProcessDone
	default:
		i.act.Exit = bench.Exit{Code: -1, Signal: 9}
		i.end.Do(func() { close(i.ended) })
		return nil
	}
}

func (i *fakeInstance) Wait(ctx context.Context) (bench.Exit, error) {
	if i.act.Hang != nil {
		<-i.act.Hang
	}
	select {
	case <-i.ended:
		return i.act.Exit, nil
	case <-ctx.Done():
		return bench.Exit{Code: -1, Signal: 9}, ctx.Err()
	}
}

func (i *fakeInstance) Close() error {
	var err error
	i.once.Do(func() {
		if i.act.Hang != nil {
			<-i.act.Hang
		}
		if i.r != nil {
			i.r.Close()
		}
		i.fake.mu.Lock()
		i.fake.open--
		i.fake.mu.Unlock()
		err = i.act.Close
	})
	return err
}

func (i *fakeInstance) Ready() *os.File     { return i.r }
func (i *fakeInstance) Started() clock.Time { return i.began }
func (i *fakeInstance) Marks() []clock.Mark { return []clock.Mark{{Name: "exec", At: i.began + 1000}} }
func (i *fakeInstance) LastPhase() string   { return "" }
