package wire

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestBoot(t *testing.T) {
	for _, c := range []struct {
		boot  Boot
		words string
	}{
		{Boot{}, ""},
		{Boot{Root: true}, "root=ext4"},
		{Boot{Root: true, Dev: "/dev/xvda"}, "root=/dev/xvda"},
		{Boot{Domain: Domain{"pvh", 2031616, 412, 7816000}}, "domain=pvh,2031616,412,7816000"},
		{Boot{Data: "/data"}, "data=/data"},
		{Boot{Engine: true}, "engine=docker"},
		{Boot{Since: []time.Duration{2100 * time.Millisecond, 4 * time.Second}}, "since=2.1,4"},
		{Boot{Name: "web", Port: "/dev/tty1"}, "name=web port=/dev/tty1"},
		{Boot{Shares: []Share{{"lab-0", "/a,b", true}, {"lab-1", "/c", false}}}, "share=lab-0,/a,b,ro share=lab-1,/c,rw"},
		{Boot{Root: true, Exec: []string{"/bin/ready", "root=x", "exec"}}, "root=ext4 exec /bin/ready root=x exec"},
		{Boot{Net: Net{"eth0", netip.MustParsePrefix("198.18.0.2/15"), netip.MustParseAddr("198.18.0.1")}},
			"net=eth0,198.18.0.2/15,198.18.0.1"},
	} {
		words := c.boot.Words()
		if got := strings.Join(words, " "); got != c.words {
			t.Errorf("%+v: %q, want %q", c.boot, got, c.words)
		}
		back, err := ParseBoot(words)
		if err != nil || !reflect.DeepEqual(back, c.boot) {
			t.Errorf("%q: %+v, %v, want %+v", words, back, err, c.boot)
		}
	}
	for _, bad := range []string{"root", "root=xfs", "root=/dev/", "domain=", "domain=hvm,1,2,3", "domain=pv,1,2", "domain=pv,1,2,3,4", "domain=pv,1,x,3", "domain=pv,-1,2,3", "domain=pv,1,0,3", "domain=pv,1,2,9223372036854775807", "engine", "engine=podman", "since=", "since=x", "since=-1", "since=NaN", "since=1,,2", "data=", "data=data", "exec", "exec=/bin/sh x", "what", "=",
		"name", "name=", "port=", "port=tty1", "share=", "share=x", "share=x,/y", "share=x,y,ro", "share=,/y,ro", "share=x,/y,r", "share=x,", "net=", "net=eth0", "net=eth0,x,y", "net=eth0,::1/64,::2", "net=,1.2.3.4/8,1.2.3.1", "net=eth0,1.2.3.4,1.2.3.1"} {
		if b, err := ParseBoot(strings.Fields(bad)); err == nil {
			t.Errorf("%q is taken for %+v", bad, b)
		}
	}
}

// What is taken for a Boot is one, and its words say the same.
func FuzzParseBoot(f *testing.F) {
	f.Add("root=ext4 data=/data share=lab-0,/a,ro net=eth0,198.18.0.2/15,198.18.0.1 name=web exec /bin/sh x")
	f.Add("net=eth0,::1/64,1.2.3.4")
	f.Add("share=,")
	f.Add("root=/dev/xvda domain=pv,1,2,3")
	f.Add("since=1.5,2.000001")
	f.Fuzz(func(t *testing.T, line string) {
		b, err := ParseBoot(strings.Fields(line))
		if err != nil {
			return
		}
		back, err := ParseBoot(b.Words())
		if err != nil || !reflect.DeepEqual(back, b) {
			t.Errorf("%q: %+v became %+v, %v", line, b, back, err)
		}
	})
}
