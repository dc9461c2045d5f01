package fleet

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"

	"lab/bench/input"
)

// maxHosts is more than any fleet has.
const maxHosts = 100_000

// maxValues are those of a fleet.json with so many: each has its name, state and boot, and
// some notes.
const maxValues = 20 * maxHosts

// hostName is what ssh takes for a machine: a name of its configuration, user@name, an
// address. It never begins as an option does.
var hostName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._@:%\[\]-]{0,252}$`)

// withPort is a name, and no IPv6 address, with a port behind it.
var withPort = regexp.MustCompile(`^[^:\[\]]+:[0-9]+$`)

// ReadHosts reads the file that lists machines, one a line, as ssh takes them; behind #
// is a comment. An error names the line.
func ReadHosts(file string) ([]string, error) {
	data, err := input.ReadNamed(file, 16<<20)
	if err != nil {
		return nil, err
	}
	if bytes.HasPrefix(data, []byte{0xff, 0xfe}) || bytes.HasPrefix(data, []byte{0xfe, 0xff}) {
		return nil, fmt.Errorf("%s is UTF-16; fix: save it as UTF-8", file)
	}
	var out []string
	seen := map[string]int{}
	n := 0
	for line := range strings.Lines(input.Text(data)) {
		n++
		line, _, _ = strings.Cut(line, "#")
		name := strings.TrimSpace(line)
		switch {
		case name == "":
			continue
		case withPort.MatchString(name):
			return nil, fmt.Errorf("%s:%d: %q: a port is set in ssh's own configuration: Host %s, Port %s", file, n, name, name[:strings.LastIndex(name, ":")], name[strings.LastIndex(name, ":")+1:])
		case !hostName.MatchString(name) || strings.HasSuffix(name, "@") || strings.Contains(name, "[") && !strings.Contains(name, ":"):
			return nil, fmt.Errorf("%s:%d: %q isn't a machine's name; one a line, as ssh takes it: name or user@name; ports and keys are set in ssh's own configuration", file, n, name)
		case seen[folderOf(name)] > 0:
			return nil, fmt.Errorf("%s:%d: %s is named in line %d already", file, n, name, seen[folderOf(name)])
		case len(out) == maxHosts:
			return nil, fmt.Errorf("%s: more than %d machines", file, maxHosts)
		}
		seen[folderOf(name)] = n
		out = append(out, name)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s names no machine; one a line, as ssh takes it", file)
	}
	return out, nil
}

// folderOf is the name of a machine's folder.
func folderOf(name string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("@:%[]", r) {
			return '_'
		}
		return r
	}, name)
}
