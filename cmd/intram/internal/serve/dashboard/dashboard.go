// Package dashboard is the dashboard of "intram serve": pages that show what the fake
// received, did and sent, and forms that act on it.
//
// The server renders complete pages that need no script. A script keeps them fresh while
// they are open.
package dashboard

import (
	"bytes"
	"context"
	"embed"
	"html/template"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/intram/intram-go/cmd/intram/internal/serve/preset"
	"github.com/intram/intram-go/internal/mockapi"
)

const (
	// Path is where the dashboard is. No path of the API begins so.
	Path = "/_intram/"
	// TimePath responds with the server's time in the format of a signature.
	TimePath = Path + "time"

	timeFormat = "2006-01-02T15:04:05.000Z"
)

// Config is what a dashboard shows.
type Config struct {
	Core    *mockapi.Server
	URL     string
	Presets *preset.Active
	Curl    string // a signed call for a shell
	// Committed waits until what was done is saved.
	Committed func()
	// StateFile is where the state is kept; empty for nowhere.
	StateFile string
}

// Dashboard is the dashboard of one server.
type Dashboard struct {
	Config
	mux       *http.ServeMux
	templates map[language]*template.Template
	sessions  sessions
	origins   *http.CrossOriginProtection
	stopwatch atomic.Pointer[time.Time] // since when, on the server's clock

	ending context.Context //nolint:containedctx // ends with the dashboard: a browser that listens for changes must stop
	end    context.CancelFunc
}

//go:embed pages static
var files embed.FS

// New makes the dashboard of a server.
func New(c Config) *Dashboard {
	d := &Dashboard{Config: c, mux: http.NewServeMux(), templates: parse(), origins: http.NewCrossOriginProtection()}
	d.sessions.open()
	_ = d.restartStopwatch(nil) // it cannot fail
	d.ending, d.end = context.WithCancel(context.Background())
	d.mux.Handle("GET "+Path+"{$}", http.RedirectHandler(Path+"sandbox/", http.StatusSeeOther))
	for pattern, view := range d.views() {
		d.mux.HandleFunc("GET "+Path+"{env}/"+pattern, d.show(view))
	}
	d.mux.HandleFunc("GET "+Path, d.Lost)
	d.mux.HandleFunc("POST "+Path+"act", d.act)
	d.mux.HandleFunc("POST "+Path+"language", d.setLanguage)
	d.mux.HandleFunc("GET "+Path+"changes", d.changes)
	d.mux.HandleFunc("GET "+TimePath, d.time)
	for file, kind := range map[string]string{"style.css": "text/css", "live.js": "text/javascript", "icon.svg": "image/svg+xml"} {
		d.mux.HandleFunc("GET "+Path+"static/"+file, static(file, kind))
	}
	return d
}

// Close ends the requests of browsers that listen for changes.
func (d *Dashboard) Close() { d.end() }

// ServeHTTP responds to requests under Path.
func (d *Dashboard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secure(w.Header())
	d.mux.ServeHTTP(w, r)
}

// view is a page: the data of its template, or false when there is no such thing.
type view struct {
	template string // and the key of its title
	data     func(*page) (any, bool)
}

// page is what every page has.
type page struct {
	*Dashboard
	Env      string
	Lang     language
	View     string
	Here     string // the page's own address
	Token    string // of its forms
	Notice   string
	Made     string // the path of what the form has made
	Problem  string
	Now      time.Time
	Running  bool
	Data     any
	request  *http.Request
	response http.ResponseWriter
}

// Other is the other environment.
func (p *page) Other() string {
	if p.Env == "live" {
		return "sandbox"
	}
	return "live"
}

// Tab is the page in the navigation that this one belongs to.
func (p *page) Tab() string {
	switch p.View {
	case "request", "operation", "transaction", "payin":
		return p.View + "s"
	case "delivery":
		return "webhooks"
	}
	return p.View
}

// Query is what is looked for.
func (p *page) Query() string { return strings.ToValidUTF8(p.request.URL.Query().Get("q"), "") }

// Stopwatch is since when the stopwatch runs, and Elapsed for how long.
func (p *page) Stopwatch() time.Time   { return *p.stopwatch.Load() }
func (p *page) Elapsed() time.Duration { return p.Now.Sub(p.Stopwatch()) }

// ID is the one in the page's address.
func (p *page) ID() string { return p.request.PathValue("id") }

func (d *Dashboard) show(v view) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		env := r.PathValue("env")
		if env != "sandbox" && env != "live" {
			d.Lost(w, r)
			return
		}
		p := &page{
			Dashboard: d, Env: env, Lang: languageOf(r), View: v.template, Here: r.URL.RequestURI(), request: r, response: w,
			Now: d.Core.Clock().Now(), Running: d.Core.Clock().Running(),
		}
		session := d.sessions.of(w, r)
		p.Token = d.sessions.token(session)
		if r.Header.Get("X-Live") == "" { // what a script fetches is not what a person reads
			n := d.sessions.takeNotice(session)
			p.Notice, p.Problem, p.Made = n.done, n.problem, n.link
		}
		status := http.StatusOK
		var ok bool
		if p.Data, ok = v.data(p); !ok {
			p.View, status = "missing", http.StatusNotFound
		}
		p.write(status)
	}
}

func (p *page) write(status int) {
	var b bytes.Buffer
	if err := p.templates[p.Lang].ExecuteTemplate(&b, p.View, p); err != nil {
		http.Error(p.response, "The page could not be made: "+err.Error(), http.StatusInternalServerError)
		return
	}
	h := p.response.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", string(p.Lang))
	h.Set("Vary", "Accept-Language, Cookie")
	p.response.WriteHeader(status)
	_, _ = p.response.Write(b.Bytes()) // the browser may be gone
}

// time responds with the server's time, for clients that sign with it.
func (d *Dashboard) time(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte(d.Core.Clock().Now().Format(timeFormat) + "\n"))
}

func static(file, kind string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		b, err := files.ReadFile("static/" + file)
		if err != nil {
			http.Error(w, "not there", http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", kind+"; charset=utf-8")
		_, _ = w.Write(b)
	}
}

// parse makes the templates of each language.
func parse() map[language]*template.Template {
	all := map[language]*template.Template{}
	for _, lang := range languages {
		all[lang] = template.Must(template.New("").Funcs(functions(lang)).ParseFS(files, "pages/*.html"))
	}
	return all
}

// changes notifies a browser of every change, until the browser or the server ends.
func (d *Dashboard) changes(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	flusher := http.NewResponseController(w)
	for message := ": listening\n\n"; ; message = "data: changed\n\n" {
		changed := d.Core.Changed()
		if _, err := w.Write([]byte(message)); err != nil || flusher.Flush() != nil {
			return
		}
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		case <-d.ending.Done():
			return
		}
	}
}

// setLanguage remembers a language for the browser.
func (d *Dashboard) setLanguage(w http.ResponseWriter, r *http.Request) {
	if !d.fromHere(w, r) {
		return
	}
	for _, lang := range languages {
		if r.PostForm.Get("language") == string(lang) {
			http.SetCookie(w, &http.Cookie{ //nolint:gosec // G124: Secure as far as the server is
				Name: languageCookie, Value: string(lang), Path: Path, MaxAge: 365 * 24 * 3600, HttpOnly: true,
				Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode,
			})
		}
	}
	http.Redirect(w, r, back(r), http.StatusSeeOther) //nolint:gosec // G710: back only leads to pages of ours
}

// statusClass is the colour of a status, beside its word.
func statusClass(status string) string {
	switch strings.ToLower(status) {
	case "succeeded", "success", "delivered", "completed", "accepted", "processed", "paid", "on", "refunded":
		return "good"
	case "failed", "error", "expired", "exhausted", "dropped", "declined", "lost":
		return "bad"
	case "queued", "processing", "pending", "none", "queued_for_settlement":
		return "wait"
	}
	return ""
}
