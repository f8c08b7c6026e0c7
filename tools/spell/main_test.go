package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestProseIsTakenApartFromCode(t *testing.T) {
	t.Parallel()
	words := make(map[string][]word)
	markdown("a.md", "# A payout\n\nCall `WiatMany` with [its ids](docs/idss.md#hedd) at https://exmaple.com, POST op_2f4a v1.2 or WaitMany.\n"+
		"```go\nerorr := 1\n```\n<!-- hiddden -->\n> Intram's bank\n", words)
	assert.Equal(t, []string{"payout", "Call", "with", "its", "ids", "at", "or", "Intram", "bank"}, texts(words["en"]))
	assert.Equal(t, 3, words["en"][1].line)

	words = make(map[string][]word)
	markdown("a.md", "````md\n```go\nerorr\n```\nstil code\n````\nProse\n", words)
	assert.Equal(t, []string{"Prose"}, texts(words["en"]), "a longer fence holds shorter ones")

	words = make(map[string][]word)
	markdown("docs/errors.md", "In English.\n\n> En français\n", words)
	markdown("docs/fr/faq.md", "Des questions\n", words)
	assert.Equal(t, []string{"In", "English"}, texts(words["en"]))
	assert.Equal(t, []string{"En", "français", "Des", "questions"}, texts(words["fr"]))
}

func TestCommentsOfWhatIsExportedAreRead(t *testing.T) {
	t.Parallel()
	words := make(map[string][]word)
	require.NoError(t, comments("a.go", []byte(`// Package shop sells.
package shop

// Pay pays, as [Basket.Pay] does.
//
//	erorr := Pay()
func Pay() {} // no doc

// hidden hides.
func hidden() {}

// Basket holds.
type Basket struct {
	// Price costs.
	Price int
}

// Empty empties.
func (*Basket) Empty() {}

// leave leaves.
func (basket) Leave() {}

// Leap leaps.
func (*basket) Leap() {}

type basket struct{}

// Codes mean.
const (
	CodeA = "a" // first
	codeB = "b" // second
)
`), words))
	assert.Equal(t, []string{"Package", "shop", "sells", "Pay", "pays", "as", "does", "Basket", "holds", "Price", "costs", "Empty", "empties", "Codes", "mean", "first"}, texts(words["en"]))
}

func TestMisspeltWordsAreReportedWithTheirPlace(t *testing.T) {
	t.Parallel()
	hunspell(t)
	root := t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(root, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o750))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	write("README.md", "A payin of Intram's.\nIt is sennt.\n")
	write("docs/fr/a.md", "Le reversement d'Intram est payer.\nUne opérattion.\n")
	write("CHANGELOG.md", "Histroy.\n")
	write("tools/spell/words.en.txt", "intram\npayin\nunused\n")
	write("tools/spell/words.fr.txt", "intram\n")
	for _, args := range [][]string{{"init", "-q"}, {"add", "-A"}} {
		require.NoError(t, exec.CommandContext(t.Context(), "git", append([]string{"-C", root}, args...)...).Run())
	}

	got, err := run(t.Context(), root, "")
	require.NoError(t, err)
	assert.Equal(t, []string{
		`README.md:2: en: no dictionary has "sennt"`,
		`words.en.txt: "unused" is in no document any more`,
		`docs/fr/a.md:2: fr: no dictionary has "opérattion"`,
	}, got)

	_, err = run(t.Context(), root, "fr")
	require.NoError(t, err)
	list, err := os.ReadFile(filepath.Join(root, "tools", "spell", "words.fr.txt"))
	require.NoError(t, err)
	assert.Equal(t, "intram\nopérattion\n", string(list))
}

func TestADictionaryThatIsMissingIsNamed(t *testing.T) {
	t.Parallel()
	hunspell(t)
	_, err := unknownTo(t.Context(), "xx_XX", []word{{"word", "a.md", 1}})
	assert.ErrorContains(t, err, "scripts/machine.sh")
}

func hunspell(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("hunspell"); err != nil && os.Getenv("CI") != "true" {
		t.Skip("there is no hunspell here: scripts/machine.sh installs it") //nolint:forbidigo // a laptop without hunspell; CI has it
	}
}

func texts(words []word) (texts []string) {
	for _, w := range words {
		texts = append(texts, w.text)
	}
	return texts
}
