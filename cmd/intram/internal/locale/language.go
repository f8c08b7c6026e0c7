package locale

import (
	"fmt"
	"strings"

	intram "github.com/intram/intram-go"
)

// Languages are those of the command.
var Languages = []string{string(intram.French), string(intram.English)}

// Parse reads the value of --lang and of INTRAM_LANG, which must be a language.
func Parse(value string) (intram.Language, error) {
	for _, language := range Languages {
		if strings.EqualFold(value, language) {
			return intram.Language(language), nil
		}
	}
	return "", fmt.Errorf("the language is %s, not %q", strings.Join(Languages, " or "), value)
}

// FromLocale returns the language of the machine's settings: the first of LC_ALL,
// LC_MESSAGES and LANG that is not empty decides, as POSIX has it. French in any country
// and encoding is French; "C", "POSIX" and all others are English. Windows sets none of
// them.
func FromLocale(lookup func(string) (string, bool)) intram.Language {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		value, _ := lookup(name)
		if value == "" {
			continue
		}
		language := strings.ToLower(value)
		if end := strings.IndexAny(language, "_-.@"); end >= 0 {
			language = language[:end]
		}
		if language == string(intram.French) {
			return intram.French
		}
		return intram.English
	}
	return intram.English
}

// Flag is the value of --lang.
type Flag struct {
	Value intram.Language
}

// String implements [pflag.Value].
func (f *Flag) String() string { return string(f.Value) }

// Type implements [pflag.Value].
func (f *Flag) Type() string { return "string" }

// Set implements [pflag.Value].
func (f *Flag) Set(value string) error {
	if value == "" { // which the command refuses in its own words
		f.Value = ""
		return nil
	}
	language, err := Parse(value)
	if err == nil {
		f.Value = language
	}
	return err
}

// FromArgs returns what a command line says with --lang, before it is read: the help is
// made in its language. The last one counts, as when it is read. A value that is no
// language is left to the reading.
func FromArgs(args []string) (language intram.Language, found bool) {
	for len(args) > 0 && args[0] != "--" {
		value, isLang := strings.CutPrefix(args[0], "--lang=")
		if args[0] == "--lang" && len(args) > 1 {
			value, isLang, args = args[1], true, args[1:]
		}
		args = args[1:]
		if isLang {
			one, err := Parse(value)
			language, found = one, err == nil
		}
	}
	return language, found
}
