package reports

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"lab/bench/clean"
	"lab/bench/input"
	"lab/bench/results"
	"lab/reports/msg"
)

// maxFile is more than any file of a results folder has; a saved image may be large.
const maxFile = 64 << 30

// SumsFile lists the SHA-256 of every file of a results folder, in the form
// that sha256sum -c reads.
const SumsFile = "SHA256SUMS"

// sums computes the SHA-256, in hexadecimal, of each file of a folder, by name.
// Hidden files, and what is no plain file, are left out.
func sums(root *os.Root) (map[string]string, error) {
	out := map[string]string{}
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
		out[name] = fmt.Sprintf("%x", sum)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", SumsFile, err)
	}
	return out, nil
}

// listing writes sums as SumsFile. sha256sum has a form of its own for a name with a
// line break or backslash; no file of ours has one.
func listing(sums map[string]string) []byte {
	var b bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(sums)) {
		if !strings.ContainsAny(name, "\n\\") {
			fmt.Fprintf(&b, "%s  %s\n", sums[name], name)
		}
	}
	return b.Bytes()
}

// readSums reads a folder's SumsFile.
func readSums(root *os.Root) (map[string]string, error) {
	data, err := input.ReadIn(root, SumsFile, 64<<20)
	if err != nil {
		return nil, err
	}
	out, err := parseSums(data)
	if err != nil {
		return nil, fmt.Errorf("%s:%w", path.Join(root.Name(), SumsFile), err)
	}
	return out, nil
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

// Read reads a results folder as [results.Read] does, and says in Run.Changed which
// files of its data have other sums in SumsFile: none if there is no SumsFile yet.
func Read(dir string) (*results.Run, error) {
	run, err := results.Read(dir)
	if err != nil {
		return nil, err
	}
	wrong, _ := CheckSums(dir)
	for _, w := range wrong {
		if results.IsData(w.Name) {
			run.Changed = append(run.Changed, w.Name)
		}
	}
	return run, nil
}

// A Wrong is a file that isn't as SumsFile has it, and how.
type Wrong struct {
	Name string
	How  msg.Message
}

func (w Wrong) String() string { return w.Name + ": " + w.How.String() }

// Lines are files with what is wrong with them, one below the other.
func Lines(wrong []Wrong) string {
	lines := make([]string, len(wrong))
	for i, w := range wrong {
		lines[i] = w.String()
	}
	return strings.Join(lines, "\n     ")
}

// CheckSums compares a folder with its SumsFile. It returns each
// file that is changed, missing, or there and not listed, sorted; nothing when
// all is as it was.
func CheckSums(dir string) ([]Wrong, error) {
	root, err := input.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("check: %w", err)
	}
	defer root.Close()
	were, err := readSums(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("check: %s has no %s; lab report writes it, of the files as they are now", dir, SumsFile)
	}
	if err != nil {
		return nil, fmt.Errorf("check: %w", err)
	}
	are, err := sums(root)
	if err != nil {
		return nil, fmt.Errorf("check: %w", err)
	}
	var out []Wrong
	for name, sum := range were {
		switch is, ok := are[name]; {
		case !ok:
			out = append(out, Wrong{clean.Line(name), msg.T("sums.missing")})
		case is != sum:
			out = append(out, Wrong{clean.Line(name), msg.T("sums.changed")})
		}
	}
	for name := range are {
		if _, ok := were[name]; !ok {
			out = append(out, Wrong{clean.Line(name), msg.T("sums.added")})
		}
	}
	slices.SortFunc(out, func(a, b Wrong) int { return strings.Compare(a.Name, b.Name) })
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
