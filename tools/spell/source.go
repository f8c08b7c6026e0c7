package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strings"
)

var (
	// exempt is history, the texts of licences, the glossary, whose lines are in two
	// languages, and what users do not read.
	exempt = regexp.MustCompile(`^(NOTICE|CHANGELOG)\.md$|^docs/fr/lexique\.md$|^tools/|^bench/|(^|/)testdata/|(^|/)internal/|_gen\.go$|_test\.go$|(^|/)node_modules/`)
	// french are the documents in French.
	french = regexp.MustCompile(`^docs/fr/|\.fr\.md$`)
	// quotes are the documents whose quoted lines are what a merchant's operator is told
	// in French.
	quotes = regexp.MustCompile(`^docs/errors\.md$`)

	codeSpan  = regexp.MustCompile("`[^`]*`")
	comment   = regexp.MustCompile(`<!--.*?-->`)
	target    = regexp.MustCompile(`\]\([^)]*\)`)
	reference = regexp.MustCompile(`\[\*?[A-Z]\w*(\.\w+)*\]`) // [Client.Do] of a doc comment
	address   = regexp.MustCompile(`\S*(://|@|\.\w|\w/|/\w|_|=|\d)\S*`)
	letters   = regexp.MustCompile(`\pL+(?:['’]\pL+)*`)
	ofProgram = regexp.MustCompile(`^\p{Lu}{2,}s?$|\p{Ll}\p{Lu}|\p{Lu}{2}\p{Ll}`) // POST, WaitMany, HTTPClient
)

// read adds the words of a file, by language.
func read(path string, text []byte, words map[string][]word) error {
	if strings.HasSuffix(path, ".md") {
		markdown(path, string(text), words)
		return nil
	}
	return comments(path, text, words)
}

func markdown(path, text string, words map[string][]word) {
	name := "en"
	if french.MatchString(path) {
		name = "fr"
	}
	fence := ""
	for i, line := range strings.Split(text, "\n") {
		trimmed := strings.TrimLeft(line, " ")
		switch {
		case fence != "":
			if strings.HasPrefix(trimmed, fence) {
				fence = ""
			}
		case strings.HasPrefix(trimmed, "```"):
			fence = trimmed[:len(trimmed)-len(strings.TrimLeft(trimmed, "`"))]
		case name == "en" && quotes.MatchString(path) && strings.HasPrefix(line, "> "):
			words["fr"] = append(words["fr"], of(path, i+1, line)...)
		default:
			words[name] = append(words[name], of(path, i+1, line)...)
		}
	}
}

// comments adds the words of the comments of what a Go file exports.
func comments(path string, text []byte, words map[string][]word) error {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	note := func(groups ...*ast.CommentGroup) {
		for _, group := range groups {
			if group == nil {
				continue
			}
			for _, c := range group.List {
				if line := strings.TrimPrefix(c.Text, "//"); !strings.HasPrefix(line, "\t") && strings.HasPrefix(c.Text, "// ") { // no code, no directive
					words["en"] = append(words["en"], of(path, fset.Position(c.Pos()).Line, line)...)
				}
			}
		}
	}
	note(file.Doc)
	for _, decl := range file.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() && (d.Recv == nil || isExported(d.Recv.List[0].Type)) {
				note(d.Doc)
			}
		case *ast.GenDecl:
			if slices.ContainsFunc(d.Specs, exported) {
				note(d.Doc)
			}
			for _, spec := range d.Specs {
				switch s := spec.(type) {
				case *ast.ValueSpec:
					if s.Names[0].IsExported() {
						note(s.Doc, s.Comment)
					}
				case *ast.TypeSpec:
					if s.Name.IsExported() {
						note(s.Doc, s.Comment)
						ast.Inspect(s.Type, func(n ast.Node) bool {
							if field, ok := n.(*ast.Field); ok {
								note(field.Doc, field.Comment)
							}
							return true
						})
					}
				}
			}
		}
	}
	return nil
}

// isExported reports whether the type of a receiver is.
func isExported(receiver ast.Expr) bool {
	switch r := receiver.(type) {
	case *ast.StarExpr:
		return isExported(r.X)
	case *ast.IndexExpr: // of a type with a parameter
		return isExported(r.X)
	case *ast.Ident:
		return r.IsExported()
	}
	return false
}

// exported reports whether a declaration's first name is.
func exported(spec ast.Spec) bool {
	switch s := spec.(type) {
	case *ast.ValueSpec:
		return s.Names[0].IsExported()
	case *ast.TypeSpec:
		return s.Name.IsExported()
	}
	return false
}

// of returns the words of a line of prose.
func of(path string, line int, text string) (words []word) {
	text = target.ReplaceAllString(codeSpan.ReplaceAllString(comment.ReplaceAllString(text, " "), " "), "] ")
	text = address.ReplaceAllString(reference.ReplaceAllString(text, " "), " ")
	for _, one := range letters.FindAllString(text, -1) {
		one = strings.ReplaceAll(one, "’", "'")
		one = strings.TrimSuffix(one, "'s")
		if len([]rune(one)) > 1 && !ofProgram.MatchString(one) {
			words = append(words, word{one, path, line})
		}
	}
	return words
}
