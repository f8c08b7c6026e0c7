package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestASurfaceHasEveryKindOfDeclaration(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "go.mod", "module example.test/p\n\ngo 1.26\n")
	write(t, dir, "p.go", `package p

import "context"

const Answer, hidden = 42, 1

var Err error

type Plain string

func (Plain) Word() string { return "" }
func (Plain) word() string { return "" }

type Held struct {
	Name  string
	Extra map[string]any
	inner int
}

func (h *Held) Get(ctx context.Context, ids ...string) (*Held, error) { return h, nil }

type Sealed interface{ Name() string; sealed() }

type Pair[T any] struct{ Left, Right T }

type Also = Held

func Make[T any](of T) Pair[T] { return Pair[T]{of, of} }
`)
	got, err := surface(dir, ".")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"const Answer untyped int = 42",
		"field Held.Extra map[string]any",
		"field Held.Name string",
		"field Pair.Left T",
		"field Pair.Right T",
		"func (*Held) Get(ctx context.Context, ids ...string) (*Held, error)",
		"func (Plain) Word() string",
		"func Make[T any](of T) Pair[T]",
		"method Sealed.Name() string",
		"type Also = Held",
		"type Held struct // not comparable",
		"type Pair[T any] struct // not comparable",
		"type Plain string",
		"type Sealed interface // other packages cannot implement it",
		"var Err error",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestAChangeOfTheSurfaceIsTold(t *testing.T) {
	t.Parallel()
	released := []string{"func Gone()", "func Stays()", "func (*Held) Get(id string) error"}
	now := []string{"func Stays()", "func (*Held) Get(id string, n int) error", "func New[T any](of T) T", "field Held.Name string"}
	for _, tt := range []struct {
		name, changelog string
		want            []string
	}{
		{"nothing is told", "# Changelog\n\n## [Unreleased]\n\n- Nothing.\n", []string{"Gone", "Get", "Get", "New", "Name"}},
		{"what is gone is not marked", "# Changelog\n\n## [Unreleased]\n\n- `Gone` is gone, `Get` takes a number, `New` and `Name` are new.\n", []string{"Gone", "Get"}},
		{"all is told", "# Changelog\n\n## [Unreleased]\n\n- **Breaking**: `Gone` is gone, `Held.Get` takes\n  a number.\n- `New`, `Held.Name`.\n", nil},
		{"part of a word is no name", "# Changelog\n\n## [Unreleased]\n\n- **Breaking**: `GoneBy`, `Get`.\n- `New`, `Names`.\n", []string{"Gone", "Name"}},
		{"told of an earlier release", "# Changelog\n\n## [Unreleased]\n\n## [0.1.0] - 2026-11-01\n\n- **Breaking**: `Gone`, `Get`, `New`, `Name`.\n", []string{"Gone", "Get", "Get", "New", "Name"}},
	} {
		errs := untold("p.txt", released, now, tt.changelog)
		if len(errs) != len(tt.want) {
			t.Errorf("%s: %v", tt.name, errs)
			continue
		}
		for i, want := range tt.want {
			if !strings.Contains(errs[i].Error(), want) {
				t.Errorf("%s: %v does not name %s", tt.name, errs[i], want)
			}
		}
	}
}

func TestWhatAMergeDoesToTheChangelogIsSeen(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, changelog, want string }{
		{"in order", "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- One.\n- Two.\n\n## [0.1.0] - 2026-11-01\n\n- One.\n", ""},
		{"nothing yet", "# Changelog\n\n## [Unreleased]\n", ""},
		{"the old heading is back", "# Changelog\n\n## [Unreleased]\n\n- One.\n\n## Unreleased\n\n- Two.\n", "heading"},
		{"two headings", "# Changelog\n\n## [Unreleased]\n\n- One.\n\n## [Unreleased]\n", "heading"},
		{"no heading", "# Changelog\n\n- One.\n", "heading"},
		{"twice, wrapped and marked", "# Changelog\n\n## [Unreleased]\n\n- One\n  two.\n\n### Changed\n\n- **Breaking**: One two.\n\n### Fixed\n", "twice: One two."},
	} {
		errs := malformed(tt.changelog)
		if tt.want == "" {
			if len(errs) != 0 {
				t.Errorf("%s: %v", tt.name, errs)
			}
			continue
		}
		if len(errs) != 1 || !strings.Contains(errs[0].Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, errs, tt.want)
		}
	}
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
