package signature

import (
	"embed"
	"strings"
)

// The programs sign a request as it should be, each in one language. Their tests run
// them.
//
//go:embed programs/sign.php programs/sign.mjs programs/sign.py programs/golang/main.go
var programs embed.FS

// Languages are those that the right lines are shown in: their names on the command line
// and for people.
var Languages = []Language{
	{"php", "PHP", "programs/sign.php", "// "}, {"node", "Node", "programs/sign.mjs", "// "}, {"python", "Python", "programs/sign.py", "# "},
	{"go", "Go", "programs/golang/main.go", "// "},
}

// Language is a language of clients.
type Language struct {
	// ID is the language's name on the command line, Name for people.
	ID, Name      string
	file, comment string
}

// sections are the parts of a program, in its order, and what the mistakes are called
// that are in them.
var sections = []struct {
	name     string
	mistakes []string // how their ids begin
}{
	{"key", []string{"key-", "wrong-key", "public-key-as-secret", "two-environments"}},
	{"timestamp", []string{"timestamp-", "other-timestamp"}},
	{"method", []string{"method-"}},
	{"path", []string{"path-", "public-path", "endpoint-path", "partial-path", "full-url", "query-in-path"}},
	{"query", []string{"query-unsorted", "query-missing", "query-mark", "query-decoded", "query-encoded", "query-unjoined", "query-word", "query-in-path"}},
	{"body", []string{"body-"}},
	{"text", []string{"separator-", "empty-field-dropped", "query-line-missing", "field-order", "webhook-layout", "text-utf16", "body-only", "body-missing"}},
	{"signature", []string{"hash-", "hmac-swapped", "other-algorithm", "signature-", "malformed-signature"}},
	{"headers", []string{"missing-", "duplicate-header", "secret-key-sent"}},
}

// Code are the lines of a program that are right where the findings are mistakes; all of
// them when there are none.
func (v *Verdict) Code(in Language) []string {
	var lines []string
	for _, s := range sections {
		if len(v.Findings) == 0 || v.isIn(s.mistakes) {
			lines = append(lines, in.section(s.name)...)
		}
	}
	return lines
}

// isIn reports whether one of the findings is a mistake of a section.
func (v *Verdict) isIn(mistakes []string) bool {
	for _, f := range v.Findings {
		for _, m := range mistakes {
			if f.ID == m || strings.HasSuffix(m, "-") && strings.HasPrefix(f.ID, m) {
				return true
			}
		}
	}
	return false
}

// section cuts the lines between a mark and the next one out of a program, without what
// they are indented by.
func (l Language) section(name string) []string {
	program, err := programs.ReadFile(l.file)
	if err != nil {
		return nil // it is embedded
	}
	var (
		lines  []string
		inside bool
		indent string
	)
	for line := range strings.Lines(string(program)) {
		line = strings.TrimRight(line, "\n")
		if mark, ok := strings.CutPrefix(strings.TrimLeft(line, " \t"), l.comment+"["); ok {
			inside = mark == name+"]"
			indent = line[:len(line)-len(strings.TrimLeft(line, " \t"))]
			continue
		}
		if inside {
			lines = append(lines, strings.ReplaceAll(strings.TrimPrefix(line, indent), "\t", "    "))
		}
	}
	return lines
}
