package fidelity

import (
	"maps"
	"slices"
	"strings"
)

// Verdict is what the comparison of a line comes to.
type Verdict string

// The verdicts.
const (
	Agrees       Verdict = "agrees"
	Differs      Verdict = "differs"
	Inconclusive Verdict = "inconclusive"
	NotPlayed    Verdict = "not_played"
)

// Difference is a fact that two reports tell otherwise. An empty value is a fact that one
// of them does not have.
type Difference struct {
	Fact   string `json:"fact"`
	First  string `json:"first"`
	Second string `json:"second"`
}

// Comparison is one line of two reports.
type Comparison struct {
	Entry

	Verdict     Verdict      `json:"verdict"`
	Why         string       `json:"why,omitempty"`
	Differences []Difference `json:"differences,omitempty"`
}

// Compare holds two reports against each other, line by line in the order of the first. A
// line that only the second has comes last.
func Compare(first, second *Report) []Comparison {
	others := map[Line]Result{}
	for _, r := range second.Lines {
		others[r.Line] = r
	}
	var all []Comparison
	for _, r := range first.Lines {
		other, known := others[r.Line]
		delete(others, r.Line)
		all = append(all, compareLine(r, other, known))
	}
	for _, r := range second.Lines {
		if _, left := others[r.Line]; left {
			all = append(all, Comparison{Entry: r.Entry, Verdict: NotPlayed, Why: "the report does not have this line: it is of another version"})
		}
	}
	return all
}

func compareLine(r, other Result, known bool) Comparison {
	c := Comparison{Entry: r.Entry}
	switch {
	case !known:
		c.Verdict, c.Why = NotPlayed, "only the report has this line: it is of another version"
	case r.State == StateInconclusive:
		c.Verdict, c.Why = Inconclusive, r.Why
	case r.State != StateSeen:
		c.Verdict, c.Why = NotPlayed, r.Why
	case other.State == StateInconclusive:
		c.Verdict, c.Why = Inconclusive, other.Why
	case other.State != StateSeen:
		c.Verdict, c.Why = NotPlayed, other.Why
	default:
		names := maps.Clone(r.Facts)
		maps.Copy(names, other.Facts)
		for _, name := range slices.Sorted(maps.Keys(names)) {
			if r.Facts[name] != other.Facts[name] {
				c.Differences = append(c.Differences, Difference{name, r.Facts[name], other.Facts[name]})
			}
		}
		c.Verdict = Agrees
		if len(c.Differences) > 0 {
			c.Verdict = Differs
		}
	}
	return c
}

// Missing tells two lists of fields apart: what only the first has, and what only the
// second has. Both are empty when the order alone is another.
func (d Difference) Missing() (onlyFirst, onlySecond []string, list bool) {
	a, b := strings.Split(d.First, ", "), strings.Split(d.Second, ", ")
	if len(a) < 3 || len(b) < 3 {
		return nil, nil, false
	}
	only := func(a, b []string) (only []string) {
		for _, field := range a {
			if !slices.Contains(b, field) {
				only = append(only, field)
			}
		}
		return only
	}
	return only(a, b), only(b, a), true
}
