// Command api writes the exported surface of each package that users import to a text
// file, one line a declaration, so that a change of it is seen in a diff and is told to
// users.
//
//	go -C tools run ./api -root ..            # write api/*.txt
//	go -C tools run ./api -root .. -check     # fail when they are not up to date, or a change is not in the changelog
//
// api/released has the surface of the last release. What differs from it has its name in
// the section "[Unreleased]" of CHANGELOG.md, and what was removed or changed in a line
// of that section that begins with "- **Breaking**:".
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	root := flag.String("root", ".", "the directory of the tree")
	check := flag.Bool("check", false, "change nothing; fail when a file is out of date or a change is not in the changelog")
	flag.Parse()
	if err := run(*root, *check); err != nil {
		fmt.Fprintln(os.Stderr, "api:", err)
		os.Exit(1)
	}
}

// public are the packages that users import: the folder of the module, and the folder in
// it.
var public = []struct{ module, dir string }{
	{".", "."}, {".", "intramtest"},
	{"batch", "."}, {"batch", "boltjournal"}, {"batch", "batchtest"},
	{"inbox/pginbox", "."}, {"inbox/redisinbox", "."}, {"inbox/sqlinbox", "."}, {"intramriver", "."},
	{"limit/redislimit", "."}, {"otelintram", "."},
}

func run(root string, check bool) error {
	changelog, err := os.ReadFile(filepath.Join(root, "CHANGELOG.md")) //nolint:gosec // a file of the tree
	if err != nil {
		return err
	}
	var failures []error
	if check {
		failures = malformed(string(changelog))
	}
	for _, p := range public {
		lines, err := surface(filepath.Join(root, p.module), p.dir)
		if err != nil {
			return err
		}
		name := fileName(p.module, p.dir)
		path := filepath.Join(root, "api", name)
		text := strings.Join(lines, "\n") + "\n"
		if !check {
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil { //nolint:gosec // a file of the tree
				return err
			}
			continue
		}
		written, err := os.ReadFile(path) //nolint:gosec // a file of the tree
		if err != nil {
			return err
		}
		if string(written) != text {
			failures = append(failures, fmt.Errorf("api/%s is out of date: run make api, and read its diff", name))
		}
		released, err := os.ReadFile(filepath.Join(root, "api", "released", name)) //nolint:gosec // a file of the tree
		if err != nil {
			return err
		}
		failures = append(failures, untold(name, strings.Split(strings.TrimSpace(string(released)), "\n"), lines, string(changelog))...)
	}
	return errors.Join(failures...)
}

// fileName returns the name of a package's file.
func fileName(module, dir string) string {
	path := filepath.ToSlash(filepath.Join(module, dir))
	if path == "." {
		path = "intram"
	}
	return strings.ReplaceAll(path, "/", "_") + ".txt"
}

// malformed returns what merging branches does to a changelog: a heading in its earlier
// form, and entries that are there twice.
func malformed(changelog string) []error {
	var errs []error
	if strings.Count(changelog, "\n## [Unreleased]\n") != 1 || strings.Contains(changelog, "\n## Unreleased\n") {
		errs = append(errs, errors.New(`CHANGELOG.md: want the heading "## [Unreleased]" once`))
	}
	all, _ := unreleased(changelog)
	seen := map[string]bool{}
	for _, entry := range all[min(1, len(all)):] { // what is before the first entry is none
		entry, _, _ = strings.Cut(entry, "\n#")
		entry = strings.Join(strings.Fields(strings.TrimPrefix(entry, "**Breaking**: ")), " ")
		if seen[entry] {
			errs = append(errs, fmt.Errorf("CHANGELOG.md: an entry is there twice: %s", entry))
		}
		seen[entry] = true
	}
	return errs
}

// untold returns an error for each difference between two surfaces that the changelog
// does not tell.
func untold(file string, released, now []string, changelog string) []error {
	all, breaking := unreleased(changelog)
	var errs []error
	for _, line := range released {
		if !slices.Contains(now, line) && !mentions(breaking, nameOf(line)) {
			errs = append(errs, fmt.Errorf("%s: removed or changed, and no line of the changelog's Unreleased that begins with \"- **Breaking**:\" names %s: %s",
				file, nameOf(line), line))
		}
	}
	for _, line := range now {
		if !slices.Contains(released, line) && !mentions(all, nameOf(line)) {
			errs = append(errs, fmt.Errorf("%s: new, and the changelog's Unreleased does not name %s: %s", file, nameOf(line), line))
		}
	}
	return errs
}

// unreleased returns the entries of the changelog's section Unreleased, and those among
// them that are marked as breaking.
func unreleased(changelog string) (all, breaking []string) {
	_, section, _ := strings.Cut(changelog, "\n## [Unreleased]\n")
	section, _, _ = strings.Cut(section, "\n## ")
	for entry := range strings.SplitSeq(section, "\n- ") {
		all = append(all, entry)
		if strings.HasPrefix(entry, "**Breaking**:") {
			breaking = append(breaking, entry)
		}
	}
	return all, breaking
}

// mentions reports whether an entry has the name as a word of its own.
func mentions(entries []string, name string) bool {
	word := func(c byte) bool {
		return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
	}
	return slices.ContainsFunc(entries, func(entry string) bool {
		for at := 0; ; {
			i := strings.Index(entry[at:], name)
			if i < 0 {
				return false
			}
			begin, end := at+i, at+i+len(name)
			if (begin == 0 || !word(entry[begin-1])) && (end == len(entry) || !word(entry[end])) {
				return true
			}
			at = end
		}
	})
}

// nameOf returns the name that a line of a surface declares, without its receiver or
// struct.
func nameOf(line string) string {
	rest := line
	for _, kind := range []string{"const ", "var ", "type ", "func ", "method ", "field "} {
		rest = strings.TrimPrefix(rest, kind)
	}
	if strings.HasPrefix(rest, "(") {
		_, rest, _ = strings.Cut(rest, ") ")
	}
	rest = rest[:strings.IndexFunc(rest+" ", func(r rune) bool { return strings.ContainsRune(" ([", r) })]
	if i := strings.LastIndexByte(rest, '.'); i >= 0 {
		rest = rest[i+1:]
	}
	return rest
}
