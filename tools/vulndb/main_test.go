package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	first = `{"id":"GO-2026-0001","modified":"2026-05-01T00:00:00Z","aliases":["CVE-2026-1"],"affected":[
		{"package":{"name":"example.com/b"},"ranges":[{"events":[{"introduced":"0"},{"fixed":"1.2.0"},{"introduced":"1.3.0"}]}]},
		{"package":{"name":"stdlib"},"ranges":[{"events":[{"introduced":"0"},{"fixed":"1.26.3"}]}]},
		{"package":{"name":"stdlib"}}]}`
	second = `{"id":"GO-2026-0002","modified":"0001-01-01T00:00:00Z","published":"2026-06-01T00:00:00Z","affected":[{"package":{"name":"example.com/a"}},{"package":{"name":"stdlib"}}]}`
)

// built makes a database of reports by the names of their files.
func built(t *testing.T, reports map[string]string) (dir, said string, err error) {
	t.Helper()
	from := t.TempDir()
	for name, text := range reports {
		require.NoError(t, os.WriteFile(filepath.Join(from, name), []byte(text), 0o600))
	}
	dir = filepath.Join(t.TempDir(), "db")
	var out bytes.Buffer
	err = run([]string{"-reports", from, "-out", dir}, &out)
	return dir, out.String(), err
}

func TestReportsBecomeADatabase(t *testing.T) {
	t.Parallel()
	dir, said, err := built(t, map[string]string{"GO-2026-0001.json": first, "GO-2026-0002.json": second, "README.md": "x"})
	require.NoError(t, err)
	assert.Equal(t, "2 reports on 3 modules\n", said)
	for name, want := range map[string]string{
		"index/db.json": `{"modified":"2026-06-01T00:00:00Z"}`,
		"index/modules.json": `[{"path":"example.com/a","vulns":[{"id":"GO-2026-0002","modified":"2026-06-01T00:00:00Z"}]},
			{"path":"example.com/b","vulns":[{"id":"GO-2026-0001","modified":"2026-05-01T00:00:00Z"}]},
			{"path":"stdlib","vulns":[{"id":"GO-2026-0001","modified":"2026-05-01T00:00:00Z","fixed":"1.26.3"},{"id":"GO-2026-0002","modified":"2026-06-01T00:00:00Z"}]}]`,
		"index/vulns.json": `[{"id":"GO-2026-0001","modified":"2026-05-01T00:00:00Z","aliases":["CVE-2026-1"]},{"id":"GO-2026-0002","modified":"2026-06-01T00:00:00Z"}]`,
	} {
		data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		require.NoError(t, err)
		assert.JSONEq(t, want, string(data), name)
	}
	data, err := os.ReadFile(filepath.Join(dir, "ID", "GO-2026-0001.json"))
	require.NoError(t, err)
	assert.Equal(t, first, string(data))
}

// A database that lacks reports would let a vulnerability pass.
func TestReportsThatCannotBeReadAreRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		reports map[string]string
		want    string
	}{
		"none":            {map[string]string{"other.json": first}, "has no reports"},
		"no JSON":         {map[string]string{"GO-2026-0001.json": "{"}, "GO-2026-0001.json: "},
		"another's name":  {map[string]string{"GO-2026-0001.json": second}, "GO-2026-0001.json: it is not a report"},
		"about no module": {map[string]string{"GO-2026-0001.json": `{"id":"GO-2026-0001","modified":"2026-05-01T00:00:00Z"}`}, "it is not a report"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := built(t, c.reports)
			require.ErrorContains(t, err, c.want)
		})
	}
	require.ErrorContains(t, run(nil, &bytes.Buffer{}), "name the -reports and the -out")
}
