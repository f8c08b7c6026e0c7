package intram_test

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// notInFrench are the pages that have no French version yet, with the reason.
var notInFrench = map[string]string{}

// onlyInFrench are the pages of docs/fr that have no English version.
var onlyInFrench = []string{"docs/fr/lexique.md"} // the glossary that translations follow

// The French documents follow the English ones: the same pages, headings, code, links,
// tables and names, each page made from today's English, in French typography.
func TestEachPageHasItsFrench(t *testing.T) {
	t.Parallel()
	pages := englishPages(t)
	var want []string
	for _, page := range pages {
		if reason, missing := notInFrench[page]; missing {
			assert.NotEmpty(t, reason, page)
			continue
		}
		want = append(want, frenchName(page))
	}
	for page := range notInFrench {
		assert.Contains(t, pages, page, "notInFrench names a page that is gone")
	}
	got, err := filepath.Glob("docs/fr/*.md")
	require.NoError(t, err)
	for i := range got {
		got[i] = filepath.ToSlash(got[i])
	}
	assert.ElementsMatch(t, append(want, onlyInFrench...), append(got, "README.fr.md"), "the pages of docs/fr and README.fr.md")
	for _, page := range want {
		french := readDocument(t, page)
		for _, complaint := range french.follows(readDocument(t, englishName(page))) {
			t.Error(complaint)
		}
		for _, complaint := range french.typography() {
			t.Error(complaint)
		}
	}
	for _, page := range onlyInFrench {
		assert.Empty(t, readDocument(t, page).typography())
	}
}

func TestAFrenchPageThatDiffersIsReported(t *testing.T) {
	t.Parallel()
	english := document{name: "docs/faq.md", text: strings.Join([]string{
		"# Questions", "", "## Is it paid", "", "See [the page](payments.md#limits), [the README](../README.md), [a program](../examples/shop/main.go), `Paid()`.",
		"", "```go", "client.Get() // paid", "```", "", "| a | b |", "|---|---|", "| 1 | 2 |",
		"| `Wait()` | paid |", "| [limits](payments.md#limits) | [the README](../README.md) |", "",
	}, "\n")}
	stamp := english.stamp()
	text := strings.Join([]string{
		"# Questions", "", `<a id="is-it-paid"></a>`, "## Savoir si c'est payé", "",
		"Voyez [la page](payments.md#limits), [le README](../../README.fr.md), [un programme](../../examples/shop/main.go), `Paid()`, [lexique](lexique.md).",
		"", "```go", "client.Get() // paid", "```", "", "| a | b |", "|---|---|", "| 1 | 2 |",
		"| `Wait()` | `paid` |", "| [limites](payments.md#limits) | [le README](../../README.fr.md) |", "", stamp, "",
	}, "\n")
	require.Empty(t, document{name: "docs/fr/faq.md", text: text}.follows(english))
	for _, tt := range []struct{ from, to, want string }{
		{"\n" + stamp, "", "docs/fr/faq.md: it does not end with <!-- en: … -->"},
		{stamp, stamp + "\nEncore.", "docs/fr/faq.md: it does not end with <!-- en: … -->"},
		{stamp, "<!-- en: 0123456789abcdef -->", "docs/fr/faq.md: docs/faq.md has changed since it was translated; " +
			"see it by: git diff $(git log -1 --format=%h -S0123456789abcdef -- docs/fr/faq.md) -- docs/faq.md\n" +
			"then translate what changed, and end the page with " + stamp},
		{`<a id="is-it-paid"></a>` + "\n", "", "docs/fr/faq.md: headings: the English has 2 #is-it-paid, this has 2 #savoir-si-cest-payé"},
		{"## Savoir", "### Savoir", "docs/fr/faq.md: headings: the English has 2 #is-it-paid, this has 3 #is-it-paid"},
		{"// paid", "// payé", "docs/fr/faq.md: code: the English has go\nclient.Get() // paid\n, this has go\nclient.Get() // payé\n"},
		{"```go", "```sh", "docs/fr/faq.md: code: the English has go\nclient.Get() // paid\n, this has sh\nclient.Get() // paid\n"},
		{"../../README.fr.md", "../../README.md", "docs/fr/faq.md: links: the English has ../../README.fr.md, this has ../../README.md"},
		{"payments.md#limits", "payments.md", "docs/fr/faq.md: links: the English has payments.md#limits, this has payments.md"},
		{"\n| 1 | 2 |", "", "docs/fr/faq.md: rows of tables: the English has 5, this has 4"},
		{"`Paid()`", "payé", "docs/fr/faq.md: `Paid()` of the English is missing"},
		{"`Paid()`", "`Paid()`, `Payé()`", "docs/fr/faq.md: the English has no `Payé()`"},
	} {
		changed := strings.Replace(text, tt.from, tt.to, 1)
		require.NotEqual(t, text, changed, tt.from)
		assert.Equal(t, []string{tt.want}, document{name: "docs/fr/faq.md", text: changed}.follows(english), tt.from)
	}
	lines := strings.Split(text, "\n")
	lines[14], lines[15] = lines[15], lines[14]
	assert.Equal(t, []string{
		"docs/fr/faq.md: line 15, of line 14 of the English: `Wait()` is missing",
		"docs/fr/faq.md: line 15, of line 14 of the English: links: the English has nothing more, this has ../../README.fr.md",
		"docs/fr/faq.md: line 16, of line 15 of the English: the English row has no `Wait()`",
		"docs/fr/faq.md: line 16, of line 15 of the English: the English row has no `paid`",
		"docs/fr/faq.md: line 16, of line 15 of the English: links: the English has ../../README.fr.md, this has nothing more",
	}, document{name: "docs/fr/faq.md", text: strings.Join(lines, "\n")}.follows(english), "two rows swapped")
}

func TestFrenchTypographyIsChecked(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Payé\u00a0: «\u00a0oui\u00a0», 25\u00a0000\u00a0FCFA, à 10:30.": "",
		"`a : b ; c`, [d](https://e.example/?f=1;g) <!-- h : i -->":      "",
		"| a |\n|:---|\n| b\u00a0? |":                                    "",
		"```sh\nmake : it\n```":                                          "",
		"Payé : oui":                                                     "1: a no-break space (U+00A0) belongs before \":\"",
		"Payé: oui":                                                      "1: a no-break space (U+00A0) belongs before \":\"",
		"Est-ce payé ?":                                                  "1: a no-break space (U+00A0) belongs before \"?\"",
		"Est-ce payé?":                                                   "1: a no-break space (U+00A0) belongs before \"?\"",
		"Oui; non":                                                       "1: a no-break space (U+00A0) belongs before \";\"",
		"« oui\u00a0»":                                                   "1: a no-break space (U+00A0) belongs after \"«\"",
		"«\u00a0oui »":                                                   "1: a no-break space (U+00A0) belongs before \"»\"",
		"un \"oui\"":                                                     "1: quotation marks are « »",
		"25 000 ventes":                                                  "1: a no-break space (U+00A0) belongs in \"25 000\"",
		"25\u00a0000 FCFA":                                               "1: a no-break space (U+00A0) belongs before \"FCFA\"",
		"le 2026-11-26":                                                  "1: a date is written as 26 novembre 2026",
	} {
		got := strings.Join(document{name: "f.md", text: text}.typography(), "\n")
		assert.Equal(t, want, strings.TrimPrefix(got, "f.md:"), text)
	}
}

// englishPages are the README and the pages of docs.
func englishPages(t *testing.T) []string {
	t.Helper()
	pages, err := filepath.Glob("docs/*.md")
	require.NoError(t, err)
	require.NotEmpty(t, pages)
	for i := range pages {
		pages[i] = filepath.ToSlash(pages[i])
	}
	return append(pages, "README.md")
}

func frenchName(english string) string {
	if english == "README.md" {
		return "README.fr.md"
	}
	return "docs/fr/" + strings.TrimPrefix(english, "docs/")
}

func englishName(french string) string {
	if french == "README.fr.md" {
		return "README.md"
	}
	return "docs/" + strings.TrimPrefix(french, "docs/fr/")
}

// stamp is the last line of the French page that was made from d.
func (d document) stamp() string {
	sum := sha256.Sum256([]byte(d.text))
	return "<!-- en: " + hex.EncodeToString(sum[:8]) + " -->"
}

var stampLine = regexp.MustCompile(`\n<!-- en: ([0-9a-f]{16}) -->\n$`)

// follows says in what d differs from the English page that it translates.
func (d document) follows(english document) (complaints []string) {
	complain := func(text string) { complaints = append(complaints, d.name+": "+text) }
	switch m := stampLine.FindStringSubmatch(d.text); {
	case m == nil:
		complain("it does not end with <!-- en: … -->")
	case !strings.HasSuffix(english.stamp(), " "+m[1]+" -->"):
		complain(fmt.Sprintf("%s has changed since it was translated; see it by: git diff $(git log -1 --format=%%h -S%s -- %s) -- %s\n"+
			"then translate what changed, and end the page with %s", english.name, m[1], d.name, english.name, english.stamp()))
	}
	compare := func(what string, want, got []string) {
		for i := range max(len(want), len(got)) {
			a, b := "nothing more", "nothing more"
			if i < len(want) {
				a = want[i]
			}
			if i < len(got) {
				b = got[i]
			}
			if a != b {
				complain(fmt.Sprintf("%s: the English has %s, this has %s", what, a, b))
				return
			}
		}
	}
	want, got := english.structure(), d.structure()
	compare("headings", want.headings, got.headings)
	compare("code", want.code, got.code)
	compare("rows of tables", want.tables, got.tables)
	for _, name := range slices.Sorted(maps.Keys(want.names)) {
		if !got.names[name] {
			complain("`" + name + "` of the English is missing")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(got.names)) {
		if !strings.Contains(english.text, name) { // a word of the API may be a word of English prose
			complain("the English has no `" + name + "`")
		}
	}
	// The order of words, and so of links, is each language's own.
	links := func(all []string, change func(string) string) (sorted []string) {
		for _, link := range all {
			if link = change(link); path.Base(link) != "lexique.md" {
				sorted = append(sorted, link)
			}
		}
		slices.Sort(sorted)
		return sorted
	}
	asItIs := func(link string) string { return link }
	compare("links", links(want.links, english.linkInFrench), links(got.links, asItIs))
	if !slices.Equal(want.tables, got.tables) {
		return complaints // there is no telling which rows belong together
	}
	for i, row := range got.rows {
		of := want.rows[i]
		in := fmt.Sprintf("line %d, of line %d of the English", row.line, of.line)
		for _, name := range of.names {
			if !slices.Contains(row.names, name) {
				complain(in + ": `" + name + "` is missing")
			}
		}
		for _, name := range row.names {
			if !strings.Contains(of.text, name) {
				complain(in + ": the English row has no `" + name + "`")
			}
		}
		compare(in+": links", links(of.links, english.linkInFrench), links(row.links, asItIs))
	}
	return complaints
}

// linkInFrench is a link of an English page as the French one has it: to the French of a
// page that has one.
func (d document) linkInFrench(link string) string {
	name, anchor, _ := strings.Cut(link, "#")
	if name == "" || strings.Contains(link, "://") || strings.HasPrefix(link, "mailto:") {
		return link
	}
	french := frenchName(d.name)
	target := path.Join(path.Dir(d.name), name)
	if target == french {
		target = d.name // each page of a pair links the other one
	} else if ok, _ := path.Match("docs/*.md", target); ok || target == "README.md" {
		if _, missing := notInFrench[target]; !missing {
			target = frenchName(target)
		}
	}
	relative, err := filepath.Rel(path.Dir(french), target)
	if err != nil {
		return err.Error()
	}
	relative = filepath.ToSlash(relative)
	if strings.HasSuffix(name, "/") {
		relative += "/"
	}
	if anchor != "" {
		relative += "#" + anchor
	}
	return relative
}

// structure is what a page and its translation have in common.
type structure struct {
	headings []string // level and id; the title has no id
	code     []string // language and text
	tables   []string // how many rows each has
	rows     []tableRow
	links    []string
	names    map[string]bool // what stands between backquotes
}

// tableRow is one row of a table, in a page's order.
type tableRow struct {
	line         int
	text         string
	names, links []string
}

func namesAndLinks(text string) (names, links []string) {
	for _, span := range codeSpan.FindAllStringSubmatch(text, -1) {
		names = append(names, span[1])
	}
	prose := codeSpan.ReplaceAllString(text, "`")
	for _, m := range slices.Concat(inlineLink.FindAllStringSubmatch(prose, -1), linkTarget.FindAllStringSubmatch(prose, -1)) {
		links = append(links, m[1])
	}
	return names, links
}

func (d document) structure() (s structure) {
	s.names = make(map[string]bool)
	ids, rows, above := d.headingIDs(), 0, false
	fences, _ := d.walk(func(line int, text string, in *fence) {
		row := in == nil && strings.HasPrefix(strings.TrimSpace(text), "|")
		if row {
			rows++
		} else if above {
			s.tables, rows = append(s.tables, fmt.Sprint(rows)), 0
		}
		above = row
		if in != nil {
			return
		}
		if headingLine.MatchString(text) {
			level := strings.IndexByte(text, ' ')
			id := ids[len(s.headings)]
			if level == 1 {
				id = "title"
			}
			s.headings = append(s.headings, fmt.Sprintf("%d #%s", level, id))
		}
		names, links := namesAndLinks(text)
		for _, name := range names {
			s.names[name] = true
		}
		s.links = append(s.links, links...)
		if row {
			s.rows = append(s.rows, tableRow{line: line, text: text, names: names, links: links})
		}
	})
	for _, block := range fences {
		s.code = append(s.code, block.language+"\n"+block.text)
	}
	return s
}

// headingIDs has one id for each heading: the one of the line before it, or its own.
func (d document) headingIDs() (ids []string) {
	own := d.ownAnchors()
	var before string
	d.walk(func(_ int, text string, in *fence) {
		if in == nil && headingLine.MatchString(text) {
			ids = append(ids, cmp.Or(before, own[len(ids)]))
		}
		before = ""
		if m := anchorLine.FindStringSubmatch(text); m != nil && in == nil {
			before = m[1]
		}
	})
	return ids
}

var (
	notProse     = regexp.MustCompile("`[^`]*`|\\]\\([^)]*\\)|<[^>]*>|https?://\\S+")
	spaceMissing = regexp.MustCompile(`[^\x{00a0}\x{202f}\s:|*-]([;?!»])|[^\x{00a0}\x{202f}\s|-](:)(?: |$)| ([:;?!»])(?: |$|[),.*|])`)
	openingQuote = regexp.MustCompile(`«[^\x{00a0}\x{202f}]`)
	plainDigits  = regexp.MustCompile(`\b\d{1,3} \d{3}\b`)
	plainUnit    = regexp.MustCompile(`\d (FCFA|XOF|XAF|%)`)
	isoDate      = regexp.MustCompile(`\b20\d\d-\d\d-\d\d\b`)
)

// typography says where the prose of a French page is not set as French is.
func (d document) typography() (complaints []string) {
	d.walk(func(line int, text string, in *fence) {
		complain := func(format string, args ...any) {
			complaints = append(complaints, fmt.Sprintf("%s:%d: %s", d.name, line, fmt.Sprintf(format, args...)))
		}
		if in != nil {
			return
		}
		prose := notProse.ReplaceAllString(text, "`")
		if m := spaceMissing.FindStringSubmatch(prose); m != nil {
			complain("a no-break space (U+00A0) belongs before %q", cmp.Or(m[1], m[2], m[3]))
		}
		if openingQuote.MatchString(prose) {
			complain(`a no-break space (U+00A0) belongs after "«"`)
		}
		if strings.Contains(prose, `"`) {
			complain("quotation marks are « »")
		}
		if m := plainDigits.FindString(prose); m != "" {
			complain("a no-break space (U+00A0) belongs in %q", m)
		}
		if m := plainUnit.FindStringSubmatch(prose); m != nil {
			complain("a no-break space (U+00A0) belongs before %q", m[1])
		}
		if isoDate.MatchString(prose) {
			complain("a date is written as 26 novembre 2026")
		}
	})
	return complaints
}
