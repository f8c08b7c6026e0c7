package dashboard

import (
	"net/http"
	"strings"

	xlanguage "golang.org/x/text/language"

	"github.com/intram/intram-go/cmd/intram/internal/locale"
)

// language is a language of the pages.
type language string

const (
	english language = "en"
	french  language = "fr"
)

var languages = []language{english, french}

// languageOf is what the browser's person has chosen, or else what the browser asks for.
func languageOf(r *http.Request) language {
	if c, err := r.Cookie(languageCookie); err == nil {
		for _, lang := range languages {
			if c.Value == string(lang) {
				return lang
			}
		}
	}
	asked, _, err := xlanguage.ParseAcceptLanguage(r.Header.Get("Accept-Language"))
	if err != nil {
		return english
	}
	_, index, _ := ours.Match(asked...)
	return languages[index]
}

// ours finds the best of the pages' languages. The first is what a browser gets that asks
// for none of them.
var ours = xlanguage.NewMatcher([]xlanguage.Tag{xlanguage.English, xlanguage.French})

// text is a text of the pages; an unknown key stands for itself.
func text(lang language, key string) string {
	w, ok := words[key]
	if !ok {
		return key
	}
	return phrase(w).in(lang)
}

// counted is a text with a number in it, %d, the one for one before the bar and the one
// for several behind it.
func counted(lang language, key string, n int) string {
	one, several, _ := strings.Cut(text(lang, key), "|")
	if n == 1 {
		return one
	}
	return strings.ReplaceAll(several, "%d", money(int64(n)))
}

// words are all texts of the pages, in both languages.
var words = locale.Pages
