package bench_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/probe/line"
)

// A diskParity is one of the probe's sections, and how fio is told to do the
// same.
type diskParity struct {
	section string
	figure  string // of the probe's end line; "" is the median time of a request
	unit    string
	fio     []string
	read    func(fioJob) float64
}

// A fioJob is what of fio's JSON is looked at.
type fioJob struct {
	Read, Write struct {
		Bytes float64 `json:"bw_bytes"`
		IOPS  float64 `json:"iops"`
		Clat  fioTime `json:"clat_ns"`
	}
	Sync struct {
		Lat fioTime `json:"lat_ns"`
	}
	Error int
}

type fioTime struct {
	Percentile map[string]float64
}

func (p fioTime) p50() float64 { return p.Percentile["50.000000"] / 1e9 }

const (
	parityDiskSize = 256 << 20
	parityDiskMS   = 500
)

// fioPasses are so many passes in place of a limit of time.
var fioPasses = []string{"--time_based=0", "--runtime=0", "--loops=4"}

var diskParities = []diskParity{
	{"direct-read", "rate", "B/s", []string{"--rw=read", "--bs=1M", "--direct=1"}, func(j fioJob) float64 { return j.Read.Bytes }},
	{"direct-write", "rate", "B/s", []string{"--rw=write", "--bs=1M", "--direct=1"}, func(j fioJob) float64 { return j.Write.Bytes }},
	{"direct-randread1", "", "s", []string{"--rw=randread", "--bs=4k", "--direct=1"}, func(j fioJob) float64 { return j.Read.Clat.p50() }},
	{"direct-randwrite1", "", "s", []string{"--rw=randwrite", "--bs=4k", "--direct=1"}, func(j fioJob) float64 { return j.Write.Clat.p50() }},
	{"direct-randread16", "ops", "1/s", []string{"--rw=randread", "--bs=4k", "--direct=1", "--numjobs=16"}, func(j fioJob) float64 { return j.Read.IOPS }},
	{"direct-randwrite16", "ops", "1/s", []string{"--rw=randwrite", "--bs=4k", "--direct=1", "--numjobs=16"}, func(j fioJob) float64 { return j.Write.IOPS }},
	{"direct-randread128", "ops", "1/s", []string{"--rw=randread", "--bs=4k", "--direct=1", "--numjobs=128"}, func(j fioJob) float64 { return j.Read.IOPS }},
	{"direct-randwrite32", "ops", "1/s", []string{"--rw=randwrite", "--bs=4k", "--direct=1", "--numjobs=32"}, func(j fioJob) float64 { return j.Write.IOPS }},
	{"direct-mixed256", "reads", "1/s", []string{"--rw=randrw", "--rwmixread=70", "--bs=4k", "--direct=1", "--numjobs=256"}, func(j fioJob) float64 { return j.Read.IOPS }},
	{"fsync", "", "s", []string{"--rw=randwrite", "--bs=4k", "--fsync=1"}, func(j fioJob) float64 { return j.Sync.Lat.p50() }},
	// Passes over the whole file and no less, as the probe makes them. What a
	// pass of writes leaves in the page cache is written by the fsync at its
	// end, and stays there for the next; before one of reads fio empties it.
	{"buffered-write", "rate", "B/s", append([]string{"--rw=write", "--bs=1M", "--end_fsync=1", "--invalidate=0"}, fioPasses...), func(j fioJob) float64 { return j.Write.Bytes }},
	{"buffered-read", "rate", "B/s", append([]string{"--rw=read", "--bs=1M"}, fioPasses...), func(j fioJob) float64 { return j.Read.Bytes }},
	{"buffered-randread1", "", "s", []string{"--rw=randread", "--bs=4k"}, func(j fioJob) float64 { return j.Read.Clat.p50() }},
	{"cached-randread1", "", "s", []string{"--rw=randread", "--bs=4k", "--size=16m", "--pre_read=1", "--invalidate=0"}, func(j fioJob) float64 { return j.Read.Clat.p50() }},
}

// TestParityDisk reads and writes files of the same size in one folder with the
// lab's probe and with fio, in the same ways and for as long.
func TestParityDisk(t *testing.T) {
	rounds := parityRounds(t)
	fio, err := exec.LookPath("fio")
	if err != nil {
		t.Skip("SKIPPED: no fio; fix: apt-get install fio")
	}
	dir := t.TempDir()
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	if st.Type == unix.TMPFS_MAGIC {
		t.Skip("SKIPPED: temporary files are in RAM here; fix: TMPDIR=a folder on a disk make parity")
	}
	program := probeProgram(t)
	got := make([]figures, len(diskParities))
	beside(rounds, len(got), func(i int, ours bool) {
		p, v := diskParities[i], 0.0
		if ours {
			v = probeDisk(t, program, dir, p)
		} else {
			v = fioDisk(t, fio, dir, p)
		}
		if v <= 0 {
			t.Fatalf("%s: %v", p.section, v)
		}
		got[i].add(ours, v)
	})
	for i, p := range diskParities {
		if !parity(t, "disk, "+p.section, "fio", p.unit, got[i], parityApart) {
			t.Errorf("%s isn't what fio measures", p.section)
		}
	}
}

// probeDisk is a section's figure by the lab's probe.
func probeDisk(t *testing.T, program, dir string, p diskParity) (v float64) {
	t.Helper()
	args := []string{"disk", "dir=" + dir, "size=" + strconv.Itoa(parityDiskSize), "hot=" + strconv.Itoa(16<<20),
		"ms=" + strconv.Itoa(parityDiskMS), "only=" + p.section}
	converse(t, program, args, func(h bench.Heard) (err error) {
		switch {
		case h.Kind == line.End && p.figure != "":
			v, err = h.Value(p.figure)
		case h.Kind == line.Samples && p.figure == "":
			d, herr := h.Histogram()
			if herr != nil {
				return herr
			}
			ns, _ := d.Quantile(0.5)
			v = ns / 1e9
		}
		return err
	})
	return v
}

// fioDisk is the same by fio. Its file is laid out and written before (overwrite),
// by threads with pread and pwrite (psync), as the probe's is, and the clock is the
// same one. Its scrambling of each buffer before a write is off: by itself that
// takes a tenth of a millisecond for each MiB, which its rate includes; the probe
// stamps a block with sixteen bytes.
func fioDisk(t *testing.T, fio, dir string, p diskParity) float64 {
	t.Helper()
	name := filepath.Join(dir, "fio")
	defer func() {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
	}()
	args := append([]string{"--name=lab", "--filename=" + name, "--size=" + strconv.Itoa(parityDiskSize), "--ioengine=psync", "--thread", "--overwrite=1",
		"--scramble_buffers=0", "--clocksource=clock_gettime",
		"--time_based", "--runtime=" + strconv.Itoa(parityDiskMS) + "ms", "--group_reporting", "--output-format=json"}, p.fio...)
	cmd := exec.Command(fio, args...)
	ownSession(cmd)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("fio %v: %v: %s", args, err, out)
	}
	var report struct{ Jobs []fioJob }
	if err := json.Unmarshal(out, &report); err != nil || len(report.Jobs) != 1 || report.Jobs[0].Error != 0 {
		t.Fatalf("fio %v: %v: %s", args, err, out)
	}
	return p.read(report.Jobs[0])
}
