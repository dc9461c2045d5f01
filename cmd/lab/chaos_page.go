package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"lab/bench/chaos"
	"lab/bench/residue"
	"lab/reports/msg"
	"lab/reports/page"
	"lab/reports/plot"
)

// The report of lab chaos: a row for each part of each launcher that was killed, a column
// for each kind of thing that anybody left. On a terminal the columns are short and the
// notes few; in the file (--out) is all that was seen, with the programs' versions.

// files are the report as files.
func (r *chaosReport) files() ([]plot.File, error) {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return nil, err
	}
	return []plot.File{{Name: "chaos.json", Data: append(b, '\n')}, {Name: "chaos.md", Data: r.page(true).Markdown(msg.Reader())}}, nil
}

// chaosKinds are the heads of the table's columns.
func chaosKinds(k residue.Kind) string {
	return map[residue.Kind]string{residue.Process: say("processes"), residue.Cgroup: say("cgroups"), residue.Mount: say("mounts"),
		residue.Link: say("devices"), residue.Namespace: say("networks"), residue.File: say("files")}[k]
}

// page has a line for each part of each victim: after how many kills something of each
// kind was left. whole adds what else is known.
func (r *chaosReport) page(whole bool) *page.Page {
	p := &page.Page{}
	if whole {
		p.Title(say("What is left when it is killed"))
		p.Text(say("Made on %s, kernel %s, cgroups %s, seed %d.", r.Began.Format("2006-01-02"), r.Kernel, r.Cgroups, r.Seed))
	}
	// A column for each kind of thing that anybody left; who left nothing has zeros in
	// all.
	kinds := chaos.Kinds(r.Rows)
	t := page.Table{Align: "llrr" + strings.Repeat("r", len(kinds)+1), Head: []page.Text{say("environment"), say("killed"), say("kills"), say("clean")}}
	for _, k := range kinds {
		t.Head = append(t.Head, chaosKinds(k))
	}
	t.Head = append(t.Head, say("next failed"))
	var lines []page.Text
	for _, row := range r.Rows {
		if row.NotRun != "" {
			lines = append(lines, say("%s, %s: not run: %s", row.Victim, row.Part, row.NotRun))
			continue
		}
		cells := []page.Text{row.Victim, row.Part, row.Kills, row.Clean}
		for _, k := range kinds {
			cell := fmt.Sprint(row.Left[k])
			if row.Left[k]+row.Next[k] > 0 {
				cell += fmt.Sprintf("/%d", row.Next[k])
			}
			cells = append(cells, cell)
		}
		t.Rows = append(t.Rows, append(cells, row.Failed))
		lines = append(lines, r.lines(row, whole)...)
	}
	if len(t.Rows) > 0 {
		short := t
		short.Head = slices.Clone(t.Head)
		for i, k := range kinds {
			short.Head[4+i] = map[residue.Kind]string{residue.Process: say("proc"), residue.Cgroup: say("cgr"), residue.Mount: say("mnt"),
				residue.Link: say("dev"), residue.Namespace: say("net"), residue.File: say("file")}[k]
		}
		p.Table(t, short.Without(len(short.Head)-1)) // a failure has a line below
	}
	p.Text(say("clean: nothing was left %v after the kill, or after the workload's own end; a/b: something of this kind was left after a kills, and after b of them still after the next start. Seed %d.", r.Patience, r.Seed))
	p.List(lines...)
	if whole {
		var versions []page.Text
		for _, row := range r.Rows {
			if v, ok := r.Versions[row.Victim]; ok && row.Part == chaos.Client {
				versions = append(versions, row.Victim+": "+v)
			}
		}
		p.List(versions...)
	}
	return p
}

// mostExamples is how many things of a row are named in a results folder.
const mostExamples = 8

// lines are what else is to be said of a row.
func (r *chaosReport) lines(row chaos.Row, whole bool) (out []page.Text) {
	name := func(items []residue.Item, most int) string {
		var names []string
		for _, i := range items[:min(most, len(items))] {
			names = append(names, string(i.Kind)+" "+i.Name)
		}
		return strings.Join(names, "; ")
	}
	most := 2
	if whole {
		most = mostExamples
	}
	if len(row.Examples) > 0 {
		out = append(out, say("%s, %s killed: left, for instance: %s", row.Victim, row.Part, name(row.Examples, most)))
	}
	if len(row.Later) > 0 && whole {
		out = append(out, say("%s, %s killed: there after the next start, for instance: %s", row.Victim, row.Part, name(row.Later, most)))
	}
	if row.Failure != "" {
		out = append(out, say("%s, %s killed: the next start failed: %s", row.Victim, row.Part, row.Failure))
	}
	if row.Missed > 0 && whole {
		out = append(out, say("%s: %s wasn't there any more %d times, which aren't counted", row.Victim, row.Part, row.Missed))
	}
	if row.Short {
		out = append(out, say("%s, %s: the time was over; fix: a longer --within", row.Victim, row.Part))
	}
	if len(row.Remain) > 0 {
		out = append(out, say("%s, %s killed: the lab couldn't remove: %s", row.Victim, row.Part, name(row.Remain, mostExamples)))
	}
	return out
}
