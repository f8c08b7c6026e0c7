package main

import (
	"fmt"
	"go/scanner"
	"go/token"
)

// lexeme is a token of Go and where it stands.
type lexeme struct {
	token      token.Token
	text       string
	start, end int
	// optional is set for a comma before a closing bracket, which comes and goes with a
	// line break.
	optional bool
}

// scan takes Go, or a piece of it, apart. Comments are left out, and semicolons that the
// scanner adds at line breaks.
func scan(text []byte) ([]lexeme, error) {
	var (
		all  []lexeme
		s    scanner.Scanner
		errs scanner.ErrorList
	)
	file := token.NewFileSet().AddFile("", -1, len(text))
	s.Init(file, text, errs.Add, 0)
	for {
		pos, tok, literal := s.Scan()
		if tok == token.EOF {
			break
		}
		if tok == token.SEMICOLON && literal == "\n" {
			continue
		}
		if literal == "" || !tok.IsLiteral() && !tok.IsKeyword() {
			literal = tok.String()
		}
		switch tok {
		case token.RPAREN, token.RBRACK, token.RBRACE:
			if n := len(all); n > 0 && all[n-1].token == token.COMMA {
				all[n-1].optional = true
			}
		}
		start := file.Offset(pos)
		all = append(all, lexeme{tok, literal, start, start + len(literal), false})
	}
	if err := errs.Err(); err != nil {
		return nil, fmt.Errorf("no Go: %w", err)
	}
	return all, nil
}

func byStart(l lexeme, offset int) int { return l.start - offset }

// matched is how many of the lexemes at the beginning of all are those of the pattern, 0
// if they are not.
func matched(all, pattern []lexeme) int {
	n := 0
	for _, want := range pattern {
		if n > 0 && n < len(all) && all[n].optional && want.token != token.COMMA {
			n++
		}
		switch {
		case n < len(all) && all[n].token == want.token && all[n].text == want.text:
			n++
		case !want.optional:
			return 0
		}
	}
	return n
}
