package main

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
)

// summary is what the site says of itself in one sentence.
const summary = "The Go SDK of the Intram Merchant API: signed calls, idempotent retries, waiting, verified webhooks, payin sessions, and a fake of the whole API."

// writeForPrograms writes llms.txt, a list of the English pages, and llms-full.txt, the
// pages themselves, for programs that write code with the SDK.
func (s *site) writeForPrograms(out string) error {
	var list, full strings.Builder
	fmt.Fprintf(&list, "# Intram Go SDK\n\n> %s\n\n", summary)
	fmt.Fprint(&full, list.String())
	for _, section := range []struct {
		title string
		takes func(p page) bool
	}{
		{"Begin here", func(p page) bool { return p.route == "agents" || p.route == "start" }},
		{"Documentation", func(p page) bool { return p.file != "" && strings.HasPrefix(p.file, "docs/") && !p.french() }},
		{"Modules", func(p page) bool { return strings.HasPrefix(p.route, "modules/") }},
		{"Reference", func(p page) bool { return strings.HasPrefix(p.route, "reference/") }},
		{"Optional", func(p page) bool {
			return p.french() || p.route == "changelog" || p.route == "contributing" || p.route == "security"
		}},
	} {
		fmt.Fprintf(&list, "## %s\n\n", section.title)
		for _, p := range s.pages {
			if p.stub || !section.takes(p) {
				continue
			}
			fmt.Fprintf(&list, "- [%s](/md/%s.md)%s\n", p.title, p.route, described(p))
			if section.title != "Optional" {
				fmt.Fprintf(&full, "\n<!-- %s -->\n\n%s\n", p.route, strings.TrimSpace(p.text))
			}
		}
		fmt.Fprintln(&list)
	}
	if err := writeFile(filepath.Join(out, "public", "llms.txt"), list.String()); err != nil {
		return err
	}
	return writeFile(filepath.Join(out, "public", "llms-full.txt"), full.String())
}

var firstSentence = regexp.MustCompile(`(?s)^([A-ZÀ-Ý][^|\x60#>]{20,240}?[.:])\s`)

// described returns a page's first sentence, after ": ", if it begins with one.
func described(p page) string {
	_, text, _ := strings.Cut(p.text, "\n")
	found := firstSentence.FindStringSubmatch(strings.TrimSpace(text))
	if found == nil {
		return ""
	}
	return ": " + strings.Join(strings.Fields(found[1]), " ")
}
