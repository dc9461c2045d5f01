package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"lab/cmd/cli"
)

// lab run command takes what hyperfine takes where it means the same, under the same
// name, so that a line that somebody has in a script already works. Where hyperfine has
// another syntax than the lab's flags it is rewritten before these are parsed, and
// nothing behind this file knows of it.

// pairedLists makes of -L NAME V1,V2, as hyperfine has it, what lab run takes:
// -L NAME=V1,NAME=V2. What follows -- isn't the lab's.
func pairedLists(args []string) []string {
	var out []string
	for i := 0; i < len(args); i++ {
		if args[i] == "--" {
			return append(out, args[i:]...)
		}
		out = append(out, args[i])
		if (args[i] == "-L" || args[i] == "--parameter-list") && i+2 < len(args) && !strings.ContainsAny(args[i+1], "=-") {
			var words []string
			for v := range strings.SplitSeq(args[i+2], ",") {
				words = append(words, args[i+1]+"="+v)
			}
			out = append(out, strings.Join(words, ","))
			i += 2
		}
	}
	return out
}

// exports are files of the results folder that lab run leaves elsewhere as well, by
// flags: what each is called there.
type exports map[string]*string

// exported is the file of a results folder that each of these flags copies.
var exported = map[string]string{"export-json": "summary.json", "export-csv": "trials.csv", "export-markdown": "report.md"}

func (e exports) flags(fl *pflag.FlagSet) {
	for name, file := range exported {
		e[name] = fl.String(name, "", "`FILE` new file for a copy of "+file)
		cli.Further(fl, name)
	}
	fl.BoolP("no-shell", "N", true, "always so: the lab executes a command itself, without a shell between")
	cli.Further(fl, "no-shell")
}

// export copies them out of a folder.
func (a *app) export(e exports, dir string) error {
	for name, to := range e {
		if *to == "" {
			continue
		}
		in, err := os.Open(filepath.Join(dir, exported[name]))
		if err != nil {
			return err
		}
		err = a.newFile(*to, func(w io.Writer) error {
			_, err := io.Copy(w, in)
			return err
		})
		in.Close()
		if err != nil {
			return err
		}
	}
	return nil
}
