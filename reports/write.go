package reports

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"lab/bench/input"
	"lab/bench/results"
	"lab/reports/analysis"
	"lab/reports/export"
	"lab/reports/msg"
	"lab/reports/plot"
)

// WriteRun writes the report of a run that was read already into dir, as
// [Write] does.
func WriteRun(run *results.Run, dir string, uid, gid int) error {
	files, err := Files(run)
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return writeFiles(dir, files, uid, gid, nil)
}

// Redraw writes the report of a run, as [Read] gives it, into its folder. In
// SHA256SUMS only the report's own files get new sums: what was measured keeps
// those of the run, and what was changed or added since stays said to be.
func Redraw(run *results.Run) error {
	files, err := Files(run)
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	root, err := input.OpenRoot(run.Dir)
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	defer root.Close()
	were, err := readSums(root)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("write report: %w", err)
	}
	if err := writeFiles(run.Dir, files, -1, -1, were); err != nil {
		return fmt.Errorf("%s: %w", run.Dir, err)
	}
	return nil
}

// Files makes all files of a run's report, and writes none.
func Files(run *results.Run) ([]plot.File, error) {
	a, l := analysis.Of(run), msg.Reader()
	table, err := trialsCSV(a)
	if err != nil {
		return nil, err
	}
	summary, err := SummaryJSON(a)
	if err != nil {
		return nil, err
	}
	plots, err := plot.Draw(a, l)
	if err != nil {
		return nil, err
	}
	whole, err := HTML([]*results.Run{run}, []string{run.Manifest.Scenario}, false)
	if err != nil {
		return nil, err
	}
	notebook, err := export.Notebook(a)
	if err != nil {
		return nil, err
	}
	vega, err := export.Vega(a)
	if err != nil {
		return nil, err
	}
	return slices.Concat([]plot.File{
		{Name: "report.md", Data: report(a).Markdown(l)},
		{Name: "report.html", Data: whole},
		{Name: "trials.csv", Data: table},
		{Name: "bench.txt", Data: benchText(a)},
		{Name: "summary.json", Data: summary},
		{Name: "tables.md", Data: tables(a).Markdown(l)},
		{Name: "machine.md", Data: machinePage(a).Markdown(l)},
		{Name: "methods.md", Data: methods(a).Markdown(l)},
		{Name: "table.tex", Data: latex(a)},
		{Name: ArtifactFile, Data: artifact(a).Markdown(l)},
		{Name: "analysis.ipynb", Data: notebook},
	}, plots, vega, export.Histograms(run)), nil
}

// WriteFiles puts files into a folder, with SHA256SUMS over all that is there then. They
// belong to uid and gid.
func WriteFiles(dir string, files []plot.File, uid, gid int) error {
	return writeFiles(dir, files, uid, gid, nil)
}

// writeFiles puts files into a folder, each at once or not at all, and
// SHA256SUMS over all that is there. Where there were sums, all but those of files
// stay.
func writeFiles(dir string, files []plot.File, uid, gid int, were map[string]string) error {
	// Through a root: the folder is the user's, and the writer may be root,
	// whom a planted link must not lead elsewhere.
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	defer root.Close()
	for _, f := range files {
		if err := results.Put(root, f.Name, uid, gid, f.Data); err != nil {
			return fmt.Errorf("write report: %w", err)
		}
	}
	if were == nil {
		return putSums(root, uid, gid)
	}
	for _, f := range files {
		were[f.Name] = fmt.Sprintf("%x", sha256.Sum256(f.Data))
	}
	return results.Put(root, SumsFile, uid, gid, listing(were))
}

// WriteSums writes SHA256SUMS of all that is in a results folder now.
func WriteSums(dir string, uid, gid int) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	defer root.Close()
	return putSums(root, uid, gid)
}

// RemoveSums removes a folder's SHA256SUMS, before more is measured into it.
func RemoveSums(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := root.Remove(SumsFile); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func putSums(root *os.Root, uid, gid int) error {
	are, err := sums(root)
	if err == nil {
		err = results.Put(root, SumsFile, uid, gid, listing(are))
	}
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}
