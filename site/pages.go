package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// repository is where a link leads that is to no page of the site.
const repository = "https://github.com/intram/intram-go"

// page is one page of the site.
type page struct {
	file  string // in the project, with slashes; empty for a reference
	route string // on the site, without .html
	title string
	text  string // Markdown, with the links of the project
	// stub says that the page only leads to the one in the other language.
	stub bool
}

// french reports whether the page is in French.
func (p page) french() bool { return strings.HasPrefix(p.route, "fr/") }

type site struct {
	root   string
	pages  []page
	byFile map[string]string // route by file
}

func (s *site) add(p page) { s.pages = append(s.pages, p) }

// findPages finds the documents of the project: the pages of docs/ and docs/fr/, and the
// READMEs of its modules.
func findPages(root string) (*site, error) {
	s := &site{root: root, byFile: map[string]string{}}
	files, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		return nil, err
	}
	french, err := filepath.Glob(filepath.Join(root, "docs", "fr", "*.md"))
	if err != nil {
		return nil, err
	}
	for _, file := range append(files, french...) {
		name, err := filepath.Rel(root, file)
		if err != nil {
			return nil, err
		}
		name = filepath.ToSlash(name)
		route := strings.TrimSuffix(strings.TrimPrefix(name, "docs/"), ".md")
		if path.Base(route) == "README" {
			route = path.Join(path.Dir(route), "index")
		}
		if err := s.read(name, route); err != nil {
			return nil, err
		}
	}
	others := map[string]string{
		"README.md": "start", "README.fr.md": "fr/start", "CHANGELOG.md": "changelog", "CONTRIBUTING.md": "contributing",
		"SECURITY.md": "security", "AGENTS.md": "agents",
	}
	modules, err := filepath.Glob(filepath.Join(root, "*", "README.md"))
	if err != nil {
		return nil, err
	}
	deeper, err := filepath.Glob(filepath.Join(root, "*", "*", "README.md"))
	if err != nil {
		return nil, err
	}
	for _, file := range append(modules, deeper...) {
		name, err := filepath.Rel(root, filepath.Dir(file))
		if err != nil {
			return nil, err
		}
		switch name = filepath.ToSlash(name); {
		case strings.HasPrefix(name, "docs"), strings.HasPrefix(name, "site"), strings.Contains(name, "node_modules"):
		default:
			others[name+"/README.md"] = "modules/" + strings.ReplaceAll(name, "/", "-")
		}
	}
	for file, route := range others {
		if err := s.read(file, route); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return s, nil
}

var titleLine = regexp.MustCompile(`(?m)^# (.+)$`)

func (s *site) read(file, route string) error {
	text, err := os.ReadFile(filepath.Join(s.root, file)) //nolint:gosec // a file of the project
	if err != nil {
		return err
	}
	title := titleLine.FindSubmatch(text)
	if title == nil {
		return fmt.Errorf("%s has no title: begin it with a line \"# …\"", file)
	}
	s.add(page{file: file, route: route, title: strings.ReplaceAll(string(title[1]), "`", ""), text: string(text)})
	s.byFile[file] = route
	return nil
}

// pair gives each page that is in one language only a page in the other, which says so: a
// change of the language leads to it.
func (s *site) pair() {
	routes := map[string]bool{}
	for _, p := range s.pages {
		routes[p.route] = true
	}
	for _, p := range slices.Clone(s.pages) {
		if english, ok := strings.CutPrefix(p.route, "fr/"); !ok && !routes["fr/"+p.route] {
			s.add(page{route: "fr/" + p.route, title: p.title, stub: true, text: fmt.Sprintf("# %s\n\nCette page est en anglais\u00a0: [%s](/%s.md).\n", p.title, p.title, p.route)})
		} else if ok && !routes[english] {
			s.add(page{route: english, title: p.title, stub: true, text: fmt.Sprintf("# %s\n\nThis page is in French: [%s](/%s.md).\n", p.title, p.title, p.route)})
		}
	}
}

// write writes the pages with the links of the site, the pictures, and the list that the
// navigation is made of.
func (s *site) write(out string) error {
	slices.SortFunc(s.pages, func(a, b page) int { return cmp.Compare(a.route, b.route) })
	for _, p := range s.pages {
		text := p.text
		if p.file != "" {
			text = s.linked(p)
		}
		if err := writeFile(filepath.Join(out, p.route+".md"), text); err != nil {
			return err
		}
		if p.stub {
			continue
		}
		// The Markdown itself, for programs: llms.txt links it.
		if err := writeFile(filepath.Join(out, "public", "md", p.route+".md"), p.text); err != nil {
			return err
		}
	}
	if err := os.CopyFS(filepath.Join(out, "public", "images"), os.DirFS(filepath.Join(s.root, "docs", "images"))); err != nil {
		return err
	}
	type entry struct {
		Route string `json:"route"`
		Title string `json:"title"`
		Stub  bool   `json:"stub,omitempty"`
	}
	list := make([]entry, len(s.pages))
	for i, p := range s.pages {
		list[i] = entry{p.route, p.title, p.stub}
	}
	data, err := json.MarshalIndent(list, "", " ")
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(out, "pages.json"), string(data))
}

func writeFile(name, text string) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o750); err != nil {
		return err
	}
	return os.WriteFile(name, []byte(text), 0o600)
}

var (
	link     = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	codeSpan = regexp.MustCompile("`+[^`]+`+")
)

// linked returns the page's text with the links of the site. Code stays as it is.
func (s *site) linked(p page) string {
	var b strings.Builder
	fence := ""
	for line := range strings.Lines(p.text) {
		switch mark := strings.TrimLeft(line, " "); {
		case fence != "":
			if strings.HasPrefix(mark, fence) {
				fence = ""
			}
		case strings.HasPrefix(mark, "```"):
			fence = "```"
		default:
			line = s.linkedLine(p, line)
		}
		b.WriteString(line)
	}
	return b.String()
}

// linkedLine changes the links of a line. A link's text may be code, which holds none.
func (s *site) linkedLine(p page, line string) string {
	var code []string
	line = codeSpan.ReplaceAllStringFunc(line, func(span string) string {
		code = append(code, span)
		return "\x00"
	})
	line = link.ReplaceAllStringFunc(line, func(whole string) string {
		return "](" + s.target(p, link.FindStringSubmatch(whole)[1]) + ")"
	})
	line = strings.ReplaceAll(line, "{{", "{<!-- -->{")
	for _, span := range code {
		line = strings.Replace(line, "\x00", span, 1)
	}
	return line
}

// target returns where a link of the page leads on the site.
func (s *site) target(p page, to string) string {
	if strings.Contains(to, "://") || strings.HasPrefix(to, "#") || strings.HasPrefix(to, "mailto:") {
		return to
	}
	file, fragment, _ := strings.Cut(to, "#")
	if fragment != "" {
		fragment = "#" + fragment
	}
	file = path.Join(path.Dir(p.file), file)
	if route, ok := s.byFile[file]; ok {
		return "/" + route + ".md" + fragment
	}
	if picture, ok := strings.CutPrefix(file, "docs/images/"); ok {
		return "/images/" + picture
	}
	kind := "blob"
	if info, err := os.Stat(filepath.Join(s.root, file)); err == nil && info.IsDir() {
		kind = "tree"
	}
	return repository + "/" + kind + "/main/" + file + fragment
}
