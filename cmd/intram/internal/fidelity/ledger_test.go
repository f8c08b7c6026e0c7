package fidelity

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the ledger anew from docs/fidelity.md")

// documented reads the tables of docs/fidelity.md by the names of their columns.
func documented(t *testing.T) []Entry {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "docs", "fidelity.md"))
	require.NoError(t, err)
	var (
		entries []Entry
		section string
		columns []string
	)
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "## "); ok {
			section, columns = name, nil
		}
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(strings.TrimLeft(line, "| "), "--") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		behaviour, source := slices.Index(columns, "behaviour"), slices.Index(columns, "source")
		switch {
		case columns == nil:
			columns = cells
		case behaviour >= 0 && source >= 0:
			require.Greater(t, len(cells), max(behaviour, source), line)
			entries = append(entries, Entry{Line{section, cells[behaviour]}, cells[source]})
		}
	}
	require.NotEmpty(t, entries)
	return entries
}

func TestTheEmbeddedLedgerIsTheOneOfTheDocs(t *testing.T) {
	t.Parallel()
	want := documented(t)
	if *update {
		var b strings.Builder
		for _, e := range want {
			b.WriteString(e.Section + "\t" + e.Source + "\t" + e.Behaviour + "\n")
		}
		require.NoError(t, os.WriteFile("ledger.tsv", []byte(b.String()), 0o644))
		return
	}
	assert.Equal(t, want, Ledger(), "write it with: go test ./internal/fidelity -run Ledger -update")
}

func TestNoLineIsThereTwice(t *testing.T) {
	t.Parallel()
	seen := map[Line]bool{}
	for _, e := range documented(t) {
		assert.False(t, seen[e.Line], "%s: %s", e.Section, e.Behaviour)
		seen[e.Line] = true
	}
}

func TestEveryLineIsPlayedOrHasAReason(t *testing.T) {
	t.Parallel()
	played := map[Line]int{}
	for _, p := range Probes() {
		played[p.Line]++
	}
	for _, e := range documented(t) {
		why := unplayable(e.Line)
		switch played[e.Line] {
		case 0:
			assert.NotEmpty(t, why, "neither a probe nor a reason in unplayable.go: %s: %s", e.Section, e.Behaviour)
		case 1:
			assert.Empty(t, why, "both a probe and a reason: %s: %s", e.Section, e.Behaviour)
		default:
			t.Errorf("%d probes of one line: %s: %s", played[e.Line], e.Section, e.Behaviour)
		}
	}
}

func TestEveryProbeAndReasonNamesALine(t *testing.T) {
	t.Parallel()
	known := map[Line]bool{}
	for _, e := range documented(t) {
		known[e.Line] = true
	}
	for _, p := range Probes() {
		assert.True(t, known[p.Line], "a probe of a line that is not in docs/fidelity.md: %s: %s", p.Section, p.Behaviour)
	}
	for _, r := range reasons {
		for _, behaviour := range r.lines {
			assert.True(t, known[Line{r.section, behaviour}], "a reason for a line that is not in docs/fidelity.md: %s: %s", r.section, behaviour)
		}
	}
}
