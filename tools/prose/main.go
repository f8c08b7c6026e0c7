// Command prose checks how comments, error texts and documents are written: that comments wrap at 90
// columns, and that the words are those of words.txt.
//
//	go -C tools run ./prose -root ..          # list what is to be written otherwise
//	go -C tools run ./prose -root .. -wrap    # wrap the comments that are too wide
//
// It looks at comments of Go, at texts with a space in Go files that are not tests, and at Markdown outside of code.
package main

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

//go:embed words.txt
var wordList string

func main() {
	root := flag.String("root", ".", "the directory of the tree")
	wrap := flag.Bool("wrap", false, "wrap the comments that are too wide, in place")
	only := flag.String("only", "", "look only at the files below this folder")
	flag.Parse()
	findings, err := run(*root, *only, *wrap)
	for _, f := range findings {
		fmt.Println(f)
	}
	if err == nil && len(findings) > 0 {
		err = fmt.Errorf("%d places to write otherwise", len(findings))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "prose:", err)
		os.Exit(1)
	}
}

func run(root, only string, wrap bool) ([]string, error) {
	rules, err := parseRules(wordList)
	if err != nil {
		return nil, err
	}
	list, err := exec.CommandContext(context.Background(), "git", "-C", root, "ls-files", "*.go", "*.md").Output() //nolint:gosec // a folder of the caller's
	if err != nil {
		return nil, err
	}
	var findings []string
	for path := range strings.FieldsSeq(string(list)) {
		if !strings.HasPrefix(path, only) || exempt.MatchString(path) {
			continue
		}
		file := filepath.Join(root, path)
		text, err := os.ReadFile(file) //nolint:gosec // a file of the tree
		if errors.Is(err, os.ErrNotExist) {
			continue // deleted, and not committed yet
		}
		if err != nil {
			return nil, err
		}
		if strings.HasSuffix(path, ".md") {
			findings = append(findings, rules.markdown(path, string(text))...)
			continue
		}
		if wrap && !verbatim.MatchString(path) {
			wrapped := wrapComments(text)
			if !bytes.Equal(wrapped, text) {
				if err := os.WriteFile(file, wrapped, 0o644); err != nil { //nolint:gosec // a file of the tree
					return nil, err
				}
				text = wrapped
			}
		}
		found, err := rules.source(path, text)
		if err != nil {
			return nil, err
		}
		findings = append(findings, found...)
	}
	return findings, nil
}

var (
	// exempt is history, which is not written anew, what lists the words, and the texts of licences.
	exempt = regexp.MustCompile(`^(CHANGELOG|NOTICE)\.md$|^tools/prose/|(^|/)testdata/|_gen\.go$|(^|/)node_modules/`)
	// verbatim are programs that a document shows as they stand.
	verbatim = regexp.MustCompile(`^docs/routers/|^batch/example`)
)

// rule is a word that is written otherwise.
type rule struct {
	pattern *regexp.Regexp
	instead string
}

type rules []rule

// parseRules reads lines of a regular expression, a tab and what to write instead.
func parseRules(list string) (rules, error) {
	var all rules
	lines := bufio.NewScanner(strings.NewReader(list))
	for lines.Scan() {
		line := lines.Text()
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		pattern, instead, ok := strings.Cut(line, "\t")
		if !ok {
			return nil, fmt.Errorf("words.txt: no tab in %q", line)
		}
		compiled, err := regexp.Compile(`(?i)\b(?:` + pattern + `)\b`)
		if err != nil {
			return nil, err
		}
		all = append(all, rule{compiled, instead})
	}
	return all, nil
}

// check returns what a line of prose at a place says otherwise.
func (all rules) check(where, text string) []string {
	text = quoted.ReplaceAllString(text, "")
	var findings []string
	for _, r := range all {
		if found := r.pattern.FindString(text); found != "" {
			findings = append(findings, fmt.Sprintf("%s: %q: write %s", where, found, r.instead))
		}
	}
	return findings
}

// quoted is what stands in backquotes or quotation marks: code, and the words of others.
// lost-answers is a name: a preset of faults.
var quoted = regexp.MustCompile("`[^`]*`|\"[^\"]*\"|\\blost-answers\\b")

func (all rules) markdown(path, text string) []string {
	var findings []string
	code := false
	for i, line := range strings.Split(text, "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			code = !code
		} else if !code {
			findings = append(findings, all.check(fmt.Sprintf("%s:%d", path, i+1), line)...)
		}
	}
	return findings
}
