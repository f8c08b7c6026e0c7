// Command spell checks the spelling of the documents and of the comments that pkg.go.dev
// shows, by hunspell.
//
//	go -C tools run ./spell -root ..            # list the words that no dictionary has
//	go -C tools run ./spell -root .. -add en    # put them on the list of the project's own words, after you have looked at them
//
// Words of the project and of its field are in words.en.txt and words.fr.txt, one a line,
// in lower case. Code is left out: code blocks, what stands between backquotes, and
// whatever looks like a name of a program: WaitMany, op_id, POST, v1.
package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// language is a dictionary of hunspell, and where the project's own words are.
type language struct{ name, dictionary string }

var languages = []language{{"en", "en_US"}, {"fr", "fr_FR"}}

func main() {
	root := flag.String("root", ".", "the directory of the tree")
	add := flag.String("add", "", "put the words that are found on the list of this language")
	flag.Parse()
	findings, err := run(context.Background(), *root, *add)
	for _, f := range findings {
		fmt.Println(f)
	}
	if err == nil && len(findings) > 0 {
		err = fmt.Errorf("%d words: correct them, or put them on the list of tools/spell (-add)", len(findings))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "spell:", err)
		os.Exit(1)
	}
}

// word is a word in a place.
type word struct {
	text, path string
	line       int
}

func run(ctx context.Context, root, add string) ([]string, error) {
	list, err := exec.CommandContext(ctx, "git", "-C", root, "ls-files", "*.go", "*.md").Output() //nolint:gosec // a folder of the caller's
	if err != nil {
		return nil, err
	}
	words := make(map[string][]word) // by the language's name
	for path := range strings.FieldsSeq(string(list)) {
		if exempt.MatchString(path) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, path)) //nolint:gosec // a file of the tree
		if errors.Is(err, os.ErrNotExist) {
			continue // deleted, and not committed yet
		}
		if err != nil {
			return nil, err
		}
		if err := read(path, text, words); err != nil {
			return nil, err
		}
	}
	var findings []string
	for _, l := range languages {
		own := filepath.Join(root, "tools", "spell", "words."+l.name+".txt")
		found, err := check(ctx, l, own, words[l.name], add == l.name)
		if err != nil {
			return nil, err
		}
		findings = append(findings, found...)
	}
	return findings, nil
}

// elided is what French puts before a vowel: d'Intram.
var elided = regexp.MustCompile(`^(?:[cdjlmnst]|qu|jusqu|lorsqu|puisqu)'`)

// check returns the words that neither the dictionary nor the project's list has, and
// those of the list that no document uses.
func check(ctx context.Context, l language, own string, words []word, add bool) ([]string, error) {
	text, err := os.ReadFile(own) //nolint:gosec // a file of the tree
	if err != nil {
		return nil, err
	}
	listed := strings.Fields(string(text))
	unknown, err := unknownTo(ctx, l.dictionary, words)
	if err != nil {
		return nil, err
	}
	var findings []string
	used := make(map[string]bool)
	for _, w := range words {
		lower := elided.ReplaceAllString(strings.ToLower(w.text), "")
		used[lower] = true
		switch {
		case !unknown[w.text], slices.Contains(listed, lower):
		case add:
			listed = append(listed, lower)
		default:
			findings = append(findings, fmt.Sprintf("%s:%d: %s: no dictionary has %q", w.path, w.line, l.name, w.text))
		}
	}
	if add {
		slices.Sort(listed)
		return findings, os.WriteFile(own, []byte(strings.Join(listed, "\n")+"\n"), 0o644) //nolint:gosec // a file of the tree
	}
	for _, one := range listed {
		if !used[one] {
			findings = append(findings, fmt.Sprintf("%s: %q is in no document any more", filepath.Base(own), one))
		}
	}
	return findings, nil
}

// unknownTo asks hunspell which of the words its dictionary does not have.
func unknownTo(ctx context.Context, dictionary string, words []word) (map[string]bool, error) {
	unknown := make(map[string]bool)
	if len(words) == 0 {
		return unknown, nil
	}
	var input, complaint bytes.Buffer
	for _, w := range slices.CompactFunc(slices.SortedFunc(slices.Values(words), func(a, b word) int { return cmp.Compare(a.text, b.text) }),
		func(a, b word) bool { return a.text == b.text }) {
		fmt.Fprintln(&input, w.text)
	}
	command := exec.CommandContext(ctx, "hunspell", "-i", "UTF-8", "-d", dictionary, "-l") //nolint:gosec // one of ours
	command.Stdin, command.Stderr = &input, &complaint
	output, err := command.Output()
	if err != nil || complaint.Len() > 0 {
		return nil, fmt.Errorf("hunspell with %s: %w: %s (scripts/machine.sh installs it)", dictionary, err, complaint.String())
	}
	for one := range strings.FieldsSeq(string(output)) {
		unknown[one] = true
	}
	return unknown, nil
}
