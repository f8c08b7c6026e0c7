// Command vulndb makes a database for govulncheck -db of the reports in the module
// golang.org/x/vulndb, for machines that reach a module proxy and not the database.
//
//	go -C tools run ./vulndb -reports <module>/data/osv -out <new folder>
//
// The layout is that of https://go.dev/doc/security/vuln/database.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "vulndb:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("vulndb", flag.ContinueOnError)
	reports := flags.String("reports", "", "the `directory` of reports, GO-….json")
	to := flags.String("out", "", "the `directory` to make")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *reports == "" || *to == "" {
		return errors.New("name the -reports and the -out")
	}
	files, err := filepath.Glob(filepath.Join(*reports, "GO-*.json"))
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("%s has no reports: an empty database would find nothing", *reports)
	}
	db := database{modules: map[string]*moduleIndex{}}
	for _, dir := range []string{"ID", "index"} {
		if err := os.MkdirAll(filepath.Join(*to, dir), 0o750); err != nil {
			return err
		}
	}
	for _, file := range files {
		data, err := os.ReadFile(file) //nolint:gosec // a folder of the caller's
		if err != nil {
			return err
		}
		if err := db.add(data, strings.TrimSuffix(filepath.Base(file), ".json")); err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(file), err)
		}
		if err := os.WriteFile(filepath.Join(*to, "ID", filepath.Base(file)), data, 0o600); err != nil { //nolint:gosec // likewise
			return err
		}
	}
	modules := make([]*moduleIndex, 0, len(db.modules))
	for _, path := range slices.Sorted(maps.Keys(db.modules)) {
		modules = append(modules, db.modules[path])
	}
	for name, value := range map[string]any{"db": map[string]time.Time{"modified": db.modified}, "modules": modules, "vulns": db.vulns} {
		data, err := json.Marshal(value)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(*to, "index", name+".json"), data, 0o600); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "%d reports on %d modules\n", len(files), len(modules))
	return nil
}

// database is what the indexes are made of.
type database struct {
	modified time.Time
	modules  map[string]*moduleIndex
	vulns    []vulnIndex
}

type moduleIndex struct {
	Path  string        `json:"path"`
	Vulns []moduleVulns `json:"vulns"`
}

type moduleVulns struct {
	ID       string    `json:"id"`
	Modified time.Time `json:"modified"`
	Fixed    string    `json:"fixed,omitempty"`
}

type vulnIndex struct {
	ID       string    `json:"id"`
	Modified time.Time `json:"modified"`
	Aliases  []string  `json:"aliases,omitempty"`
}

// add takes up a report, which must be the one that its file is named after.
func (db *database) add(data []byte, id string) error {
	var report struct {
		ID                  string
		Modified, Published time.Time
		Aliases             []string
		Affected            []struct {
			Package struct{ Name string }
			Ranges  []struct {
				Events []struct{ Fixed string }
			}
		}
	}
	if err := json.Unmarshal(data, &report); err != nil {
		return err
	}
	// The module says of no report when it was changed, and of some not when it was made:
	// the database dates them by their commits.
	if report.Modified.Before(report.Published) {
		report.Modified = report.Published
	}
	if report.ID != id || len(report.Affected) == 0 {
		return errors.New("it is not a report with its id and the modules it is about")
	}
	if report.Modified.After(db.modified) {
		db.modified = report.Modified
	}
	db.vulns = append(db.vulns, vulnIndex{report.ID, report.Modified, report.Aliases})
	for _, affected := range report.Affected {
		path := affected.Package.Name
		m := db.modules[path]
		if m == nil {
			m = &moduleIndex{Path: path}
			db.modules[path] = m
		}
		if n := len(m.Vulns); n > 0 && m.Vulns[n-1].ID == id { // a module that is there twice
			continue
		}
		m.Vulns = append(m.Vulns, moduleVulns{ID: id, Modified: report.Modified, Fixed: fixed(affected.Ranges)})
	}
	return nil
}

// fixed returns the version from which on all is fixed: that of the last event, empty if
// the last one introduces the vulnerability again.
func fixed(ranges []struct {
	Events []struct{ Fixed string }
},
) string {
	last := ""
	for _, r := range ranges {
		for _, e := range r.Events {
			last = e.Fixed
		}
	}
	return last
}
