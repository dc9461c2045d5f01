package bench_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"lab/bench"
	"lab/bench/probe/line"
	"lab/bench/testbed"
)

// TestParityNetwork measures TCP over loopback with the lab's probe and with
// iperf3, one second each, on one stream, on four, and on one the other way.
func TestParityNetwork(t *testing.T) {
	rounds := parityRounds(t)
	iperf3, err := exec.LookPath("iperf3")
	if err != nil {
		t.Skip("SKIPPED: no iperf3; fix: apt-get install iperf3")
	}
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: a network namespace needs root; fix: sudo make parity")
	}
	if os.Getenv("LAB_PARITY_INSIDE") == "" {
		insideNetwork(t)
		return
	}
	if err := testbed.Loopback(); err != nil {
		t.Fatal(err)
	}
	program := probeProgram(t)
	streams := []int{1, 4, -1} // below 0: from the server to the client
	rate, effort := make([]figures, len(streams)), make([]figures, len(streams))
	beside(rounds, len(streams), func(i int, ours bool) {
		var bytes float64
		var cpu time.Duration
		if ours {
			bytes, cpu = probeStreams(t, program, streams[i])
		} else {
			bytes, cpu = iperfStreams(t, iperf3, streams[i])
		}
		rate[i].add(ours, bytes)
		effort[i].add(ours, bytes/cpu.Seconds())
	})
	for i, n := range streams {
		what := fmt.Sprintf("TCP over loopback, %d stream(s)", max(n, -n))
		if n < 0 {
			what += " back"
		}
		// Both ends and what else runs share this machine's processors. Where
		// one program was given more of them than the other, the second line
		// shows it.
		even := parity(t, what+", by the CPU time of both ends", "iperf3", "B/s", effort[i], parityApart)
		if !parity(t, what, "iperf3", "B/s", rate[i], parityApart) && !even {
			t.Errorf("%s: neither the figure nor the figure by CPU time is within 10 %% of iperf3's", what)
		}
	}
}

// insideNetwork runs the calling test once more in a network namespace of its
// own: no packet of it leaves that, and nobody's ports are in the way.
func insideNetwork(t *testing.T) {
	cmd := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=55m")
	cmd.Env = append(os.Environ(), "LAB_PARITY_INSIDE=yes")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	t.Logf("in a network namespace:\n%s", out)
	if err != nil {
		t.Error(err)
	}
}

// probeStreams is bytes a second by the lab's own client and server, and the CPU
// time of both.
func probeStreams(t *testing.T, program string, streams int) (rate float64, cpu time.Duration) {
	t.Helper()
	name, port := map[int]string{1: "stream", 4: "streams", -1: "receive"}[streams], ""
	var client time.Duration
	server := converse(t, program, []string{"serve"}, func(h bench.Heard) error {
		switch h.Kind {
		case line.Fact:
			port = h.Text("port")
		case line.Begin:
			client = converse(t, program, []string{"net", "to=127.0.0.1:" + port, "ms=1000", "only=" + name}, func(h bench.Heard) (err error) {
				if h.Kind == line.End {
					rate, err = h.Value("value")
				}
				return err
			})
		}
		return nil
	})
	return rate, client + server
}

// iperfStreams is bytes a second as iperf3's server has received them, and the
// CPU time of both ends.
func iperfStreams(t *testing.T, iperf3 string, streams int) (rate float64, cpu time.Duration) {
	t.Helper()
	const port = "5201" // in a namespace of our own
	server := exec.Command(iperf3, "-s", "-1", "-p", port, "--forceflush")
	said, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	end := child(t, server)
	defer end()
	for lines := bufio.NewScanner(said); ; {
		if !lines.Scan() {
			t.Fatal("iperf3 -s said nothing of listening")
		}
		if strings.Contains(lines.Text(), "listening") {
			break
		}
	}
	args := []string{"-c", "127.0.0.1", "-p", port, "-t", "1", "-l", "128K", "-P", strconv.Itoa(max(streams, -streams)), "-J"}
	if streams < 0 {
		args = append(args, "-R")
	}
	client := exec.Command(iperf3, args...)
	ownSession(client)
	out, err := client.Output()
	if err != nil {
		t.Fatalf("iperf3: %v: %s", err, out)
	}
	var report struct {
		End struct {
			Received struct {
				Rate float64 `json:"bits_per_second"`
			} `json:"sum_received"`
		} `json:"end"`
	}
	if err := json.Unmarshal(out, &report); err != nil || report.End.Received.Rate <= 0 {
		t.Fatalf("iperf3: %v: %s", err, out)
	}
	io.Copy(io.Discard, said)
	if err := server.Wait(); err != nil {
		t.Fatalf("iperf3 -s: %v", err)
	}
	return report.End.Received.Rate / 8, spent(client) + spent(server)
}
