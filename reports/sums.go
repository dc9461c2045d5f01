package reports

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"lab/bench/input"
	"lab/bench/results"
)

// maxFile is more than any file of a results folder has; a saved image may be large.
const maxFile = 64 << 30

// SumsFile lists the SHA-256 of every file of a results folder, in the form
// that sha256sum -c reads.
const SumsFile = "SHA256SUMS"

// sums computes SumsFile of a folder. Hidden files, and what is no plain file,
// are left out.
func sums(root *os.Root) ([]byte, error) {
	var b bytes.Buffer
	err := fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name != "." && strings.HasPrefix(path.Base(name), "."):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case !d.Type().IsRegular() || name == SumsFile:
			return nil
		}
		sum, err := sumFile(root, name)
		if err != nil {
			return err
		}
		// sha256sum marks a name with a line break or backslash by a backslash
		// before the sum. No file of ours has one.
		if strings.ContainsAny(name, "\n\\") {
			return nil
		}
		fmt.Fprintf(&b, "%x  %s\n", sum, name)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", SumsFile, err)
	}
	return b.Bytes(), nil
}

func sumFile(root *os.Root, name string) ([]byte, error) {
	f, err := input.OpenIn(root, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err == nil {
		err = input.Fits(name, st.Size(), maxFile)
	}
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	if _, err := io.Copy(h, io.LimitReader(f, maxFile)); err != nil {
		return nil, err
	}
	return h.Sum(nil), nil
}

// ChangedTrials names those files that a report is made from and that SumsFile has
// other sums of: none if nothing changed, or there is no SumsFile yet.
func ChangedTrials(dir string) []string {
	wrong, _ := CheckSums(dir)
	var out []string
	for _, name := range []string{results.ManifestFile, results.MachineFile, results.TrialsFile} {
		if slices.ContainsFunc(wrong, func(s string) bool { return strings.HasPrefix(s, name+": ") }) {
			out = append(out, name)
		}
	}
	return out
}

// CheckSums compares a folder with its SumsFile. It returns one line for each
// file that is changed, missing, or there and not listed, sorted; nothing when
// all is as it was.
func CheckSums(dir string) ([]string, error) {
	root, err := input.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("check: %w", err)
	}
	defer root.Close()
	data, err := input.ReadIn(root, SumsFile, 64<<20)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("check: %s has no %s; lab report writes it, of the files as they are now", dir, SumsFile)
	}
	if err != nil {
		return nil, fmt.Errorf("check: %w", err)
	}
	listed, err := parseSums(data)
	if err != nil {
		return nil, fmt.Errorf("check: %s:%w", path.Join(dir, SumsFile), err)
	}
	now, err := sums(root)
	if err != nil {
		return nil, fmt.Errorf("check: %w", err)
	}
	are, err := parseSums(now)
	if err != nil {
		return nil, err
	}
	var out []string
	for name, sum := range listed {
		switch is, ok := are[name]; {
		case !ok:
			out = append(out, name+": is missing")
		case is != sum:
			out = append(out, name+": isn't what was written")
		}
	}
	for name := range are {
		if _, ok := listed[name]; !ok {
			out = append(out, name+": was added")
		}
	}
	slices.Sort(out)
	return out, nil
}

// parseSums reads lines "<64 hex digits>  <name>". An error begins with the
// line's number.
func parseSums(data []byte) (map[string]string, error) {
	out := map[string]string{}
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		sum, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		if !ok || len(sum) != 2*sha256.Size || strings.Trim(sum, "0123456789abcdef") != "" || name == "" {
			return nil, fmt.Errorf("%d: not a checksum, two spaces and a name", n)
		}
		if _, twice := out[name]; twice {
			return nil, fmt.Errorf("%d: %s is listed twice", n, name)
		}
		out[name] = sum
	}
	return out, nil
}
