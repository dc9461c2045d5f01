package fleet

import (
	"debug/elf"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"lab/bench/input"
)

// linkTo finds where a text leads: the target of a Markdown link, without its anchor, if
// it is a path.
var linkTo = regexp.MustCompile(`\]\(([^)\s#:]+)(?:#[^)\s]*)?\)`)

// texts are what people read next to the programs in folder dir, with all that these texts
// link to: a reader of the bundle finds the file that LAB.md speaks of. What isn't there
// is left out, and so is what was built or drawn into a folder of sources: two bundles of
// one lab are the same, whatever was tested or drawn there.
func texts(dir string) (out []Part, err error) {
	has, skip := map[string]bool{}, ignored{}
	names := []string{"README.md", "LAB.md", "LICENSE", "CHANGELOG.md"}
	for i := 0; i < len(names); i++ { // it grows meanwhile
		name := names[i]
		file := filepath.Join(dir, filepath.FromSlash(name))
		st, err := os.Stat(file)
		if err != nil || has[name] {
			continue
		}
		has[name] = true
		switch {
		case st.IsDir():
			err = input.Walk(file, func(_, rel string, info fs.FileInfo) error {
				if info.Mode().IsRegular() && !skip.left(dir, path.Join(name, filepath.ToSlash(rel))) {
					names = append(names, path.Join(name, filepath.ToSlash(rel)))
				}
				return nil
			})
		case st.Mode().IsRegular() && !isProgram(file):
			out = append(out, Part{Name: name, Path: file})
			if path.Ext(name) == ".md" {
				var more []string
				more, err = leadsTo(file, name)
				names = append(names, more...)
			}
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// drawn is what lab report leaves in any folder of results.
var drawn = regexp.MustCompile(`(^|/)(plots/|report\.(md|html|tex|txt)$)`)

// left says of a file in the folder dir, called name there, whether it is what tests or
// reports left: what a .gitignore above it names, or what is drawn.
func (x ignored) left(dir, name string) bool {
	if drawn.MatchString(name) {
		return true
	}
	words := strings.Split(name, "/")
	for i := range words {
		above := path.Join(words[:i]...)
		for _, p := range x.in(dir, above) {
			if p.names(words[i:]) {
				return true
			}
		}
	}
	return false
}

// ignored are the patterns of .gitignore files, by their folders.
type ignored map[string][]pattern

func (x ignored) in(dir, folder string) []pattern {
	if all, known := x[folder]; known {
		return all
	}
	text, _ := input.ReadFile(filepath.Join(dir, filepath.FromSlash(folder), ".gitignore"), 1<<20)
	x[folder] = nil
	for line := range strings.Lines(input.Text(text)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' && line[0] != '!' {
			x[folder] = append(x[folder], pattern(line))
		}
	}
	return x[folder]
}

// A pattern is a line of a .gitignore. Without a slash in it it is any file's or folder's
// below; one with a slash behind it is a folder's alone.
type pattern string

// names says whether it names a file below its folder, or a folder that this is in.
func (p pattern) names(words []string) bool {
	text, folder := strings.CutSuffix(string(p), "/")
	anywhere := !strings.Contains(text, "/")
	text = strings.TrimPrefix(text, "/")
	for i := range words {
		if folder && i == len(words)-1 {
			break
		}
		name := words[i]
		if !anywhere {
			name = strings.Join(words[:i+1], "/")
		}
		if ok, _ := path.Match(text, name); ok {
			return true
		}
	}
	return false
}

// isProgram says whether a file is a program, of whatever kind.
func isProgram(file string) bool {
	f, err := input.Open(file)
	if err != nil {
		return false
	}
	defer f.Close()
	var head [len(elf.ELFMAG)]byte
	_, err = io.ReadFull(f, head[:])
	return err == nil && string(head[:]) == elf.ELFMAG
}

// leadsTo are the files and folders that a text links to, seen from where it is called
// name. What is outside of that isn't among them.
func leadsTo(file, name string) (out []string, err error) {
	text, err := input.ReadFile(file, 16<<20)
	for _, m := range linkTo.FindAllSubmatch(text, -1) {
		if to := path.Join(path.Dir(name), string(m[1])); to != "." && filepath.IsLocal(to) {
			out = append(out, to)
		}
	}
	return out, err
}
