package dashboard

import (
	"net/http"
	"path"
	"strings"
)

// lostView is an address with nothing behind it.
type lostView struct {
	Address string
	Guess   string // what may be looked for instead
}

// Lost responds to a browser with an unknown address: it shows where to continue. The
// form for the language is not on the page: the browser's session belongs to the
// dashboard's own addresses.
func (d *Dashboard) Lost(w http.ResponseWriter, r *http.Request) {
	secure(w.Header())
	env := "sandbox"
	if strings.HasPrefix(r.URL.Path, Path+"live/") {
		env = "live"
	}
	p := &page{
		Dashboard: d, Env: env, Lang: languageOf(r), View: "lost", Here: Path, request: r, response: w,
		Now: d.Core.Clock().Now(), Running: d.Core.Clock().Running(), Data: lostView{Address: r.URL.Path, Guess: path.Base(r.URL.Path)},
	}
	p.write(http.StatusNotFound)
}

// IsPage reports whether a request is a browser's, for an address that a person goes to
// or for what belongs to a page: its icon. What has the headers of the API is a call,
// whatever it accepts.
func IsPage(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	for _, name := range []string{"X-Api-Key", "X-Signature", "Authorization"} {
		if r.Header.Get(name) != "" {
			return false
		}
	}
	switch r.Header.Get("Sec-Fetch-Dest") {
	case "document", "image", "style", "script", "font", "manifest":
		return true
	}
	return strings.Contains(r.Header.Get("Accept"), "text/html") || IsIcon(r)
}

// IsIcon reports whether a browser asks for the picture of a site.
func IsIcon(r *http.Request) bool {
	return r.URL.Path == "/favicon.ico" || strings.HasPrefix(r.URL.Path, "/apple-touch-icon")
}

// Icon responds with the dashboard's icon.
func (d *Dashboard) Icon(w http.ResponseWriter, r *http.Request) {
	secure(w.Header())
	static("icon.svg", "image/svg+xml")(w, r)
}
