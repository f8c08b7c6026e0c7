package dashboard

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

const (
	sessionCookie  = "intram_session"
	languageCookie = "intram_language"
	// maxForm is the largest form, and maxSessions how many browsers are told what came
	// of theirs.
	maxForm     = 64 << 10
	maxSessions = 256
)

// secure says what a browser may do with whatever comes from here: no script, style or
// connection of another origin, no frame, and nothing kept. There is no CORS header: no
// other site may read a page.
func secure(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "+
		"form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

// sessions ties the forms of a page to the browser that got it: a form needs the token
// that belongs to the browser's cookie, which no other site can read or set.
type sessions struct {
	key []byte

	mu      sync.Mutex
	notices map[string]notice
}

// notice is what came of a form, for the next page that the browser shows.
type notice struct{ done, problem, link string }

func (s *sessions) open() {
	s.key = []byte(newSecret())
	s.notices = map[string]notice{}
}

// of is the session of a browser, which gets one when it has none.
func (s *sessions) of(w http.ResponseWriter, r *http.Request) string {
	if c, err := r.Cookie(sessionCookie); err == nil && c.Value != "" {
		return c.Value
	}
	session := newSecret()
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // G124: Secure as far as the server is
		Name: sessionCookie, Value: session, Path: Path, HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode,
	})
	return session
}

func (s *sessions) token(session string) string {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte(session))
	return hex.EncodeToString(mac.Sum(nil))
}

func (s *sessions) leaveNotice(session string, n notice) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.notices) >= maxSessions {
		clear(s.notices)
	}
	s.notices[session] = n
}

func (s *sessions) takeNotice(session string) notice {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.notices[session]
	delete(s.notices, session)
	return n
}

// fromHere reads a form and reports whether it was sent from a page of ours: by its
// origin as the browser tells it, and by its token. If not, it has responded.
func (d *Dashboard) fromHere(w http.ResponseWriter, r *http.Request) bool {
	refuse := func(why string) bool {
		http.Error(w, "This form was not accepted: "+why+" Reload the page and try again.", http.StatusForbidden)
		return false
	}
	if d.origins.Check(r) != nil {
		return refuse("it came from another site.")
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if r.ParseForm() != nil {
		return refuse("it could not be read.")
	}
	c, err := r.Cookie(sessionCookie)
	if err != nil || !hmac.Equal([]byte(d.sessions.token(c.Value)), []byte(r.PostForm.Get("token"))) {
		return refuse("its token is not this browser's.")
	}
	return true
}

// back is the page that a form was on: one of ours, whatever the form says.
func back(r *http.Request) string {
	to := r.PostForm.Get("back")
	u, err := url.Parse(to)
	if err != nil || u.Scheme != "" || u.Host != "" || !strings.HasPrefix(u.Path, Path) || strings.Contains(to, `\`) || strings.Contains(u.Path, "..") {
		return Path
	}
	return u.RequestURI()
}
