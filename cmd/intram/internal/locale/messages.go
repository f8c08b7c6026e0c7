package locale

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/internal/phrases"
)

// The command makes its messages in English, wherever they come from: its own, those of
// its packages, those of package batch. They are put into French where they are shown, by
// their formats: what "--%s is empty" was made with is found in the text, and put into
// the French of that format. So --json, the error's own text and what programs read stay
// English.

// Message returns a message for people in a language. A text without French stays as it
// is.
func Message(lang intram.Language, text string) string {
	if lang != intram.French {
		return text
	}
	lead := ""
	for _, prefix := range []string{"\n", "intram: "} {
		if rest, ok := strings.CutPrefix(text, prefix); ok {
			lead, text = lead+strings.Replace(prefix, ":", " :", 1), rest
		}
	}
	return Value(lang, respace(lead+french(text, 0)))
}

// Value returns a value of a table in a language: amounts and times are written as people
// write them there; all else stays.
func Value(lang intram.Language, text string) string {
	if lang != intram.French {
		return text
	}
	text = amounts.ReplaceAllStringFunc(text, func(amount string) string {
		digits := strings.TrimSuffix(amount, " XOF")
		return strings.NewReplacer(" ", noBreak, ".", ",").Replace(digits) + noBreak + "FCFA"
	})
	return moments.ReplaceAllString(text, "$3/$2/$1 $4"+noBreak+"UTC")
}

// Has reports whether a text has French by itself.
func Has(english string) bool {
	_, ok := catalogue()[english]
	return ok
}

// Messages lists the formats of all messages that have French.
func Messages() []string { return slices.Sorted(maps.Keys(catalogue())) }

const noBreak = "\u00a0"

var (
	amounts = regexp.MustCompile(`\b\d{1,3}(?: \d{3})*(?:\.\d+)? XOF\b`)
	moments = regexp.MustCompile(`\b(\d{4})-(\d\d)-(\d\d) (\d\d:\d\d):\d\dZ`)
)

func respace(text string) string { return phrases.In(string(intram.French)).Respace(text) }

var catalogue = sync.OnceValue(func() map[string]string {
	all := maps.Clone(frenchMessages)
	maps.Copy(all, frenchFiles)
	for _, more := range []map[string]string{frenchDoctor, frenchDeliveries, frenchFidelity, frenchServe} {
		maps.Copy(all, more)
	}
	return all
})

// pattern finds a format in a text.
type pattern struct {
	re     *regexp.Regexp
	french string
	// known is how much of the text the format says.
	known int
}

var verb = regexp.MustCompile(`%[-+#0-9.]*[a-zA-Z]|%%`)

var patterns = sync.OnceValue(func() []pattern {
	var all []pattern
	for format, french := range catalogue() {
		if !verb.MatchString(format) {
			continue
		}
		var re strings.Builder
		p := pattern{french: french}
		rest := format
		for _, at := range verb.FindAllStringIndex(format, -1) {
			literal := format[len(format)-len(rest) : at[0]]
			re.WriteString(regexp.QuoteMeta(literal))
			p.known += len(literal)
			switch format[at[1]-1] {
			case '%':
				re.WriteString("%")
			case 'd':
				re.WriteString(`(-?\d+)`)
			case 'q':
				re.WriteString(`(".*?")`)
			default:
				re.WriteString(`(.*?)`)
			}
			rest = format[at[1]:]
		}
		re.WriteString(regexp.QuoteMeta(rest))
		p.known += len(rest)
		p.re = regexp.MustCompile(`(?s)^` + re.String() + `$`)
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b pattern) int {
		return cmp.Or(cmp.Compare(b.known, a.known), cmp.Compare(a.french, b.french))
	})
	return all
})

// isAround reports whether a value has in it what stands around other messages: then the
// format that it was found by is that of the inner message.
func isAround(value string) bool {
	return strings.Contains(value, "; see: ") || strings.Contains(value, "; run the same command again: ")
}

var place = regexp.MustCompile(`\{(\d)(:[to])?\}`)

// french translates a message, and those that it was made with. One with nothing known in
// it stays.
func french(text string, depth int) string {
	if exact, ok := catalogue()[text]; ok {
		return exact
	}
	if depth > 6 {
		return text
	}
	for _, p := range patterns() {
		found := p.re.FindStringSubmatch(text)
		if found == nil || !strings.HasPrefix(p.french, "{1:t}") && slices.ContainsFunc(found[1:], isAround) {
			continue
		}
		return place.ReplaceAllStringFunc(p.french, func(mark string) string {
			parts := place.FindStringSubmatch(mark)
			n, err := strconv.Atoi(parts[1])
			if err != nil || n >= len(found) {
				return mark
			}
			switch parts[2] {
			case ":t":
				return french(found[n], depth+1)
			case ":o":
				return strings.ReplaceAll(found[n], " or ", " ou ")
			}
			return found[n]
		})
	}
	return text
}

// French returns the French of a message by its format.
func French(format string) string { return catalogue()[format] }
