package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// source returns what is to be written otherwise in a Go file.
func (all rules) source(path string, text []byte) ([]string, error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var findings []string
	output := false
	for i, line := range strings.Split(string(text), "\n") {
		if output = isComment(line) && (output || exampleOutput.MatchString(line)); output {
			continue
		}
		if isComment(line) && columns(line) > maxColumns && !verbatim.MatchString(path) && canWrap(line) {
			findings = append(findings, fmt.Sprintf("%s:%d: a comment of %d columns: wrap it at %d", path, i+1, columns(line), maxColumns))
		}
	}
	for _, group := range file.Comments {
		for _, comment := range group.List {
			for i, line := range strings.Split(comment.Text, "\n") {
				if !strings.HasPrefix(line, "//\t") && !directive.MatchString(line) {
					findings = append(findings, all.check(fmt.Sprintf("%s:%d", path, fset.Position(comment.Pos()).Line+i), line)...)
				}
			}
		}
	}
	if strings.HasSuffix(path, "_test.go") {
		return findings, nil
	}
	ast.Inspect(file, func(node ast.Node) bool {
		if literal, ok := node.(*ast.BasicLit); ok && literal.Kind == token.STRING {
			if value, err := strconv.Unquote(literal.Value); err == nil && strings.Contains(value, " ") {
				findings = append(findings, all.check(fmt.Sprintf("%s:%d", path, fset.Position(literal.Pos()).Line), value)...)
			}
		}
		return true
	})
	return findings, nil
}

const (
	maxColumns = 90
	tabColumns = 4
)

var (
	directive = regexp.MustCompile(`^\s*//(go:|nolint|line |export |\w+:)`)
	// exampleOutput begins what an Example prints, which is compared line by line.
	exampleOutput = regexp.MustCompile(`^\s*// (?i:(unordered )?output:)`)
	listItem      = regexp.MustCompile(`^\s*//\s+(-|\*|\d+\.)\s`)
)

func isComment(line string) bool { return strings.HasPrefix(strings.TrimLeft(line, "\t "), "//") }

func columns(line string) int {
	return utf8.RuneCountInString(line) + (tabColumns-1)*strings.Count(line, "\t")
}

// prose reports whether a line is a part of a paragraph, not code, a list, a heading or a directive.
func prose(line string) bool {
	text := strings.TrimLeft(line, "\t ")
	return strings.HasPrefix(text, "// ") && !strings.HasPrefix(text, "//  ") && !strings.HasPrefix(text, "// #") &&
		!listItem.MatchString(line) && !directive.MatchString(line)
}

// canWrap reports whether a line is of a kind that is wrapped, and has a space to be wrapped at.
func canWrap(line string) bool {
	if !prose(line) && !listItem.MatchString(line) {
		return false
	}
	text := strings.TrimLeft(line, "\t ")
	indent := tabColumns * strings.Count(line[:len(line)-len(text)], "\t")
	return strings.LastIndexByte(text[:min(len(text), maxColumns-indent)], ' ') > len("// ")
}

// wrapComments wraps each paragraph of a comment that has a line which is too wide. A comment behind code stays as
// it is.
func wrapComments(text []byte) []byte {
	lines := strings.Split(string(text), "\n")
	var out []string
	output := false
	for i := 0; i < len(lines); {
		line := lines[i]
		output = isComment(line) && (output || exampleOutput.MatchString(line))
		if output || !isComment(line) || !prose(line) && !listItem.MatchString(line) {
			out = append(out, line)
			i++
			continue
		}
		indent := line[:len(line)-len(strings.TrimLeft(line, "\t "))]
		first, rest := indent+"// ", indent+"// "
		end := i + 1
		if marker := listItem.FindString(line); marker != "" {
			first = marker
			rest = indent + "//" + strings.Repeat(" ", len(marker)-len(indent)-len("//"))
			for end < len(lines) && strings.HasPrefix(lines[end], rest) && !listItem.MatchString(lines[end]) && len(lines[end]) > len(rest) && lines[end][len(rest)] != ' ' {
				end++
			}
		} else {
			for end < len(lines) && strings.HasPrefix(lines[end], indent+"//") && prose(lines[end]) {
				end++
			}
		}
		wide := false
		for _, l := range lines[i:end] {
			wide = wide || columns(l) > maxColumns && canWrap(l)
		}
		if !wide {
			out = append(out, lines[i:end]...)
		} else {
			var words []string
			for j, l := range lines[i:end] {
				l = strings.TrimPrefix(l, map[bool]string{true: first, false: rest}[j == 0])
				words = append(words, strings.Fields(l)...)
			}
			out = append(out, fill(words, first, rest)...)
		}
		i = end
	}
	return []byte(strings.Join(out, "\n"))
}

// fill puts words on lines of at most maxColumns.
func fill(words []string, first, rest string) []string {
	var lines []string
	line, empty := first, true
	for _, word := range words {
		switch {
		case empty:
			line += word
		case columns(line)+1+utf8.RuneCountInString(word) <= maxColumns:
			line += " " + word
		default:
			lines = append(lines, line)
			line = rest + word
		}
		empty = false
	}
	return append(lines, line)
}
