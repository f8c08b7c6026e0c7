package mockapi

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

var jsonSeeds = []string{
	"", " ", "{}", "[]", "null", "nul", "true", "false", "tru", `""`, `"a`, `"\\u00e9"`, `"\\u00eg"`, `"\\x"`, `"\\`, "\"\n\"", "\"\x1f\"", "\"\x7f\"",
	"0", "-0", "01", "-", "1.", "1.5", ".5", "1e", "1e+", "1E-9", "1e5x", "+1", "--1", "1 2",
	`{"a":1}`, `{"a":1,}`, `{"a"}`, `{"a":}`, `{a:1}`, `{"a":1,"a":2}`, `{"a" : [ 1 , {"b" : null} ] }`, `{"a":1`, `{"a":1]`, `{`, `{"a`, `{"a":1 "b":2}`, `{,}`,
	"[1,]", "[1", "[,1]", "[1 2]", "[[[]]]", "[1}", "\xff", "\"\xff\"", "\v1", "[1,2,3]",
	strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000), strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001),
	strings.Repeat(`{"a":`, 10_001) + "1" + strings.Repeat("}", 10_001),
}

func TestValidJSONIsWhatEncodingJSONSays(t *testing.T) {
	t.Parallel()
	for _, s := range jsonSeeds {
		if trimmed := strings.Trim(s, " \t\r\n"); trimmed == s { // isValid takes a value with nothing around it
			assert.Equal(t, json.Valid([]byte(s)), isValid([]byte(s)), "%.60q", s)
		}
	}
}

func FuzzValidJSON(f *testing.F) {
	for _, s := range jsonSeeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		trimmed := []byte(strings.Trim(string(b), " \t\r\n"))
		if json.Valid(trimmed) != isValid(trimmed) {
			t.Fatalf("json.Valid says %v of %.200q", json.Valid(trimmed), trimmed)
		}
		d, ok := parseDocument(b)
		if !ok {
			return
		}
		// What is read must be what encoding/json reads.
		var want map[string]json.RawMessage
		if err := json.Unmarshal(trimmed, &want); err != nil {
			t.Fatal(err)
		}
		members := d.members(nil)
		for name, value := range want {
			if strings.ContainsRune(name, '\uFFFD') {
				continue // names that are not UTF-8 may collide once they are mended
			}
			if got := string(members.field(name)); got != string(value) {
				t.Fatalf("%q is %q, want %q", name, got, value)
			}
		}
		if !json.Valid(d.compact()) {
			t.Fatalf("compacted to %q", d.compact())
		}
	})
}
