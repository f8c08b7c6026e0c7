package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAPackageUnderTheFloorFails(t *testing.T) {
	t.Parallel()
	const nine = "mode: atomic\nm/a/x.go:1.1,2.2 9 1\nm/a/x.go:3.1,4.2 1 0\n"
	for name, tt := range map[string]struct {
		profile string
		floor   string
		pkg     string
		want    string // in the error; empty: none
	}{
		"on the floor":                   {nine, "90", "m/a", ""},
		"one tenth over it":              {nine, "91", "m/a", "m/a: 90.0 % of 10 statements are covered, want 91 %"},
		"rounded down":                   {"m/a/x.go:1.1,2.2 8999 1\nm/a/x.go:3.1,4.2 1001 0\n", "90", "m/a", "89.9 %"},
		"covered by another test binary": {nine + "m/a/x.go:3.1,4.2 1 7\n", "100", "m/a", ""},
		"covered first, not later":       {nine + "m/a/x.go:1.1,2.2 9 0\n", "90", "m/a", ""},
		"another package's blocks":       {nine + "m/a/b/x.go:1.1,2.2 90 0\n", "90", "m/a", ""},
		"not measured":                   {nine, "90", "m/b", "m/b: not in the profile"},
		"an empty profile":               {"mode: atomic\n", "90", "m/a", "not in the profile"},
		"a torn line":                    {nine + "m/a/x.go:5.1,", "90", "m/a", "line 4"},
		"a count that is none":           {nine + "m/a/x.go:5.1,6.1 1 x", "90", "m/a", "line 4: count"},
		"a floor that is none":           {nine, "0", "m/a", "-floor is 0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			profile := filepath.Join(t.TempDir(), "coverage.out")
			if err := os.WriteFile(profile, []byte(tt.profile), 0o600); err != nil {
				t.Fatal(err)
			}
			err := run([]string{"-profile", profile, "-floor", tt.floor, tt.pkg}, t.Output())
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("got %v, want no error", err)
			case tt.want != "" && err == nil:
				t.Errorf("got no error, want one with %q", tt.want)
			case tt.want != "" && !strings.Contains(err.Error(), tt.want):
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

func TestNoPackagesIsNotAPass(t *testing.T) {
	t.Parallel()
	if err := run([]string{"-profile", "none"}, t.Output()); err == nil || !strings.Contains(err.Error(), "name the packages") {
		t.Errorf("got %v, want a request for packages", err)
	}
}
