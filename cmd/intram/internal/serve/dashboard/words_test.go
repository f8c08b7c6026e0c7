package dashboard

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/cmd/intram/internal/locale"
	"github.com/intram/intram-go/cmd/intram/internal/serve/preset"
	"github.com/intram/intram-go/cmd/intram/internal/signature"
)

var (
	usedInPages = regexp.MustCompile(`\b(?:t|count) "([a-z_]+)"`)
)

func TestEveryTextExistsInBothLanguages(t *testing.T) {
	t.Parallel()
	used := map[string]bool{"missing": true, "sandbox": true, "live": true}
	pages, err := files.ReadDir("pages")
	require.NoError(t, err)
	for _, page := range pages {
		content, err := files.ReadFile("pages/" + page.Name())
		require.NoError(t, err)
		for _, m := range usedInPages.FindAllStringSubmatch(string(content), -1) {
			used[m[1]] = true
		}
		// What is not in a t is in no language: a page has no words of its own.
		bare := regexp.MustCompile(`(?s)\{\{.*?\}\}|<[^>]*>`).ReplaceAllString(string(content), " ")
		for _, word := range regexp.MustCompile(`\pL{2,}`).FindAllString(bare, -1) {
			assert.Contains(t, []string{"Intram", "XOF", "UTC", "EN", "FR", "id", "min"}, word, "%s has a word that is not translated", page.Name())
		}
	}
	d := &Dashboard{}
	for name := range d.actions() {
		used["done_"+name] = true
	}
	for name := range d.creations() {
		used["done_"+name] = true
	}
	for _, v := range d.views() {
		used[v.template] = true
	}
	for _, concern := range []string{"failed_operations", "expired_operations", "refused_calls", "lost_deliveries", "waiting_deliveries", "settling_payouts"} {
		used[concern] = true
	}
	for _, field := range []string{"timestamp", "method", "path", "query", "body"} {
		used["field_"+field] = true
	}
	used["unknown_action"], used["xof"] = true, true
	for key := range used {
		w, ok := words[key]
		assert.True(t, ok, "%q has no text", key)
		assert.NotEmpty(t, w.English, "%q in English", key)
		assert.NotEmpty(t, w.French, "%q in French", key)
		assert.Equal(t, strings.Count(w.English, "%d"), strings.Count(w.French, "%d"), key)
		assert.Equal(t, strings.Count(w.English, "|"), strings.Count(w.French, "|"), key)
	}
	for key := range words {
		assert.True(t, used[key], "%q is used nowhere", key)
	}
	for _, p := range preset.All() {
		assert.NotEmpty(t, p.About)
		assert.NotEmpty(t, p.AboutFrench)
	}
}

// TestEveryFindingAboutASignatureIsInFrenchToo reads the findings off the package that
// makes them.
func TestEveryFindingAboutASignatureIsInFrenchToo(t *testing.T) {
	t.Parallel()
	made := regexp.MustCompile(`(?:\bid: |\badd\(|\bfinding\(|\bguess\{|^\t\t\{)"([a-z0-9]+(?:-[a-z0-9]+)+)",`)
	found := map[string]bool{}
	files, err := filepath.Glob(filepath.Join("..", "..", "signature", "*.go"))
	require.NoError(t, err)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") || filepath.Base(file) == "webhook.go" { // which are not of requests
			continue
		}
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		for line := range strings.Lines(string(content)) {
			for _, m := range made.FindAllStringSubmatch(line, -1) {
				found[m[1]] = true
				assert.True(t, locale.HasFinding(m[1]), "%s has no French", m[1])
			}
		}
	}
	assert.Greater(t, len(found), 50, "the findings were not found")
	for _, id := range locale.Findings() {
		assert.True(t, found[id], "nothing finds %s", id)
	}
	f := signature.Finding{ID: "public-path", What: "the public path was signed", Fix: "Sign the other one."}
	assert.Equal(t, "The public path was signed. Sign the other one.", locale.Finding(intram.English, f))
	assert.Contains(t, locale.Finding(intram.French, f), "chemin")
}

func TestTheLanguageIsTheBrowsersUnlessChosen(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		accept, chosen string
		want           language
	}{
		"nothing said":        {"", "", english},
		"French of Benin":     {"fr-BJ,fr;q=0.9,en;q=0.5", "", french},
		"English first":       {"en-GB,fr;q=0.8", "", english},
		"German, then French": {"de,fr;q=0.7,en;q=0.3", "", french},
		"none of ours":        {"de", "", english},
		"chosen":              {"en", "fr", french},
		"chosen nonsense":     {"fr", "xx", french},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, Path, nil)
			r.Header.Set("Accept-Language", tt.accept)
			if tt.chosen != "" {
				r.AddCookie(&http.Cookie{Name: languageCookie, Value: tt.chosen})
			}
			assert.Equal(t, tt.want, languageOf(r))
		})
	}
}
