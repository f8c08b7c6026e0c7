package mockapi

import (
	"encoding/json"
	"strings"
	"testing"
)

var jsonSeeds = []string{
	"", " ", "{}", "[]", "null", "nul", "true", "false", "tru", `""`, `"a`, `"\\u00e9"`, `"\\u00eg"`, `"\\x"`, `"\\`, "\"\n\"", "\"\x1f\"", "\"\x7f\"",
	"0", "-0", "01", "-", "1.", "1.5", ".5", "1e", "1e+", "1E-9", "1e5x", "+1", "--1", "1 2",
	`{"a":1}`, `{"a":1,}`, `{"a"}`, `{"a":}`, `{a:1}`, `{"a":1,"a":2}`, `{"a" : [ 1 , {"b" : null} ] }`, `{"a":1`, `{"a":1]`, `{`, `{"a`, `{"a":1 "b":2}`, `{,}`,
	"[1,]", "[1", "[,1]", "[1 2]", "[[[]]]", "[1}", "\xff", "\"\xff\"", "\v1", "[1,2,3]",
	strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000), strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001),
	strings.Repeat(`{"a":`, 10_001) + "1" + strings.Repeat("}", 10_001),
}

// The document, which is not copied, reads what encoding/json reads.
func FuzzDocument(f *testing.F) {
	for _, s := range jsonSeeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		trimmed := []byte(strings.Trim(string(b), " \t\r\n"))
		d, ok := parseDocument(b)
		if !ok {
			return
		}
		var want map[string]json.RawMessage
		if err := json.Unmarshal(trimmed, &want); err != nil {
			t.Fatal(err)
		}
		members := d.members(nil)
		for name, value := range want {
			if strings.ContainsRune(name, '\uFFFD') {
				continue // names that are not UTF-8 may collide after they are replaced
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
