package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"
)

// built is the site as make site leaves it.
const built = ".vitepress/dist"

// need fails in CI, and skips on a laptop.
func need(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing, and CI must have it", what)
	}
	t.Skipf("%s is missing", what) //nolint:forbidigo // a laptop may lack it; CI may not
}

// htmlPages returns the addresses of all pages of the site.
func htmlPages(t *testing.T) []string {
	t.Helper()
	if _, err := os.Stat(built); err != nil {
		need(t, built+" (run make site)")
	}
	var pages []string
	require.NoError(t, fs.WalkDir(os.DirFS(built), ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && strings.HasSuffix(name, ".html") && name != "404.html" {
			pages = append(pages, "/"+name)
		}
		return err
	}))
	require.Greater(t, len(pages), 30)
	return pages
}

// document is what a page has of links.
type document struct {
	links     []string // of <a>
	resources []string // what a browser fetches by itself
	anchors   map[string]bool
}

func readDocument(t *testing.T, file string) document {
	t.Helper()
	f, err := os.Open(file)
	require.NoError(t, err)
	defer f.Close() //nolint:errcheck // it was only read
	root, err := html.Parse(f)
	require.NoError(t, err)
	d := document{anchors: map[string]bool{}}
	for node := range root.Descendants() {
		for _, a := range node.Attr {
			switch {
			case a.Key == "id":
				d.anchors[a.Val] = true
			case a.Key == "href" && node.Data == "a":
				d.links = append(d.links, a.Val)
			case a.Key == "href" && node.Data == "link", a.Key == "src", a.Key == "srcset":
				d.resources = append(d.resources, a.Val)
			}
		}
	}
	return d
}

// Each link leads to a page of the site that is there, at a heading that it has, and
// nothing that a page needs is fetched from elsewhere.
func TestNoLinkIsBroken(t *testing.T) {
	t.Parallel()
	pages := htmlPages(t)
	documents := map[string]document{}
	for _, page := range pages {
		documents[page] = readDocument(t, filepath.Join(built, page))
	}
	checked := 0
	for _, page := range pages {
		for _, resource := range documents[page].resources {
			if assert.True(t, strings.HasPrefix(resource, "/") && !strings.HasPrefix(resource, "//") || strings.HasPrefix(resource, "data:"), "%s fetches %s", page, resource) {
				assertFile(t, page, resource)
			}
		}
		for _, to := range documents[page].links {
			target, err := url.Parse(to)
			if !assert.NoError(t, err, "%s: %s", page, to) || target.IsAbs() {
				continue
			}
			checked++
			at := page
			if target.Path != "" {
				at = path.Join(path.Dir(page), target.Path)
				if strings.HasPrefix(target.Path, "/") {
					at = target.Path
				}
			}
			if strings.HasSuffix(at, "/") {
				at += "index.html"
			}
			if !strings.HasSuffix(at, ".html") {
				assertFile(t, page, at)
				continue
			}
			there, ok := documents[at]
			if assert.True(t, ok, "%s links %s, which is no page", page, to) && target.Fragment != "" {
				assert.True(t, there.anchors[target.Fragment], "%s links %s, and the page has no such heading", page, to)
			}
		}
	}
	assert.Greater(t, checked, 1000)
}

func assertFile(t *testing.T, page, name string) {
	t.Helper()
	if !strings.HasPrefix(name, "data:") {
		_, err := os.Stat(filepath.Join(built, filepath.FromSlash(name)))
		assert.NoError(t, err, "%s needs %s", page, name)
	}
}

// What a merchant reads is there in both languages, and llms.txt names each page.
func TestEachPageIsInBothLanguagesAndForPrograms(t *testing.T) {
	t.Parallel()
	htmlPages(t)
	list, err := os.ReadFile(filepath.Join(built, "llms.txt"))
	require.NoError(t, err)
	full, err := os.ReadFile(filepath.Join(built, "llms-full.txt"))
	require.NoError(t, err)
	data, err := os.ReadFile(filepath.Join("content", "pages.json"))
	require.NoError(t, err)
	var pages []struct {
		Route string
		Stub  bool
	}
	require.NoError(t, json.Unmarshal(data, &pages))
	builders := regexp.MustCompile(`^(fr/)?((reference|modules)/.*|agents|changelog|contributing|security|lexique)$`)
	for _, p := range pages {
		if p.Stub {
			assert.Regexp(t, builders, p.Route, "a page that is not there in both languages")
			continue
		}
		markdown := "/md/" + p.Route + ".md"
		assert.Contains(t, string(list), "("+markdown+")")
		text, err := os.ReadFile(filepath.Join(built, filepath.FromSlash(markdown)))
		require.NoError(t, err)
		if !strings.HasPrefix(p.Route, "fr/") && !slices.Contains([]string{"changelog", "contributing", "security"}, p.Route) {
			assert.Contains(t, string(full), strings.TrimSpace(string(text)), p.Route)
		}
	}
}

// serve serves the site as any host of static files does.
func serve(t *testing.T) string {
	t.Helper()
	htmlPages(t)
	server := httptest.NewServer(http.FileServer(http.Dir(built)))
	t.Cleanup(server.Close)
	return server.URL
}

// chromium opens a browser with a profile of its own. What a page complains of fails the
// test, and so does a request to another host.
func chromium(t *testing.T, site string) context.Context {
	t.Helper()
	program := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			program = found
			break
		}
	}
	if program == "" {
		need(t, "chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program), chromedp.UserDataDir(t.TempDir()), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("no-proxy-server", true),
		chromedp.Flag("lang", "en"), chromedp.WindowSize(1280, 900))
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	ctx, cancelAllocator := chromedp.NewExecAllocator(ctx, options...)
	ctx, cancelBrowser := chromedp.NewContext(ctx)
	var mu sync.Mutex
	var complaints []string
	t.Cleanup(func() {
		cancelBrowser()
		cancelAllocator()
		mu.Lock()
		defer mu.Unlock()
		assert.Empty(t, complaints, "what the browser complained of")
	})
	require.NoError(t, chromedp.Listen(ctx, func(event any) {
		mu.Lock()
		defer mu.Unlock()
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			complaints = append(complaints, e.ExceptionDetails.Text)
		case *log.EventEntryAdded:
			if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
				complaints = append(complaints, e.Entry.Text+" "+e.Entry.URL)
			}
		case *network.EventRequestWillBeSent:
			if u := e.Request.URL; !strings.HasPrefix(u, site) && !strings.HasPrefix(u, "data:") && !strings.HasPrefix(u, "about:") {
				complaints = append(complaints, "it asked for "+u)
			}
		}
	}))
	_, err := chromedp.Call(ctx, log.Enable, cdp.Empty{})
	require.NoError(t, err)
	_, err = chromedp.Call(ctx, network.Enable, network.EnableParams{})
	require.NoError(t, err)
	return ctx
}

// until waits for a condition of the page, in JavaScript, over the navigations that
// happen meanwhile.
func until(condition string) chromedp.Action[chromedp.Void] {
	holds := chromedp.Poll[chromedp.Void]("Boolean("+condition+")", chromedp.WithPollingTimeout(20*time.Second))
	return func(ctx context.Context, target *chromedp.Target) (done chromedp.Void, err error) {
		for range 20 {
			if _, err = holds(ctx, target); err == nil || ctx.Err() != nil {
				return done, err
			}
		}
		return done, fmt.Errorf("%s: %w", condition, err)
	}
}

// ready waits until the page's own script runs.
const ready = `document.querySelector("#app")?.__vue_app__ && document.readyState === "complete"`

// A merchant looks for a word, in either language, with or without its accents.
func TestTheSearchFinds(t *testing.T) {
	t.Parallel()
	site := serve(t)
	for _, look := range []struct{ start, word, finds string }{
		{"/", "idempotence", ""},
		{"/", "allowlist", "going-live"},
		{"/fr/", "idempotence", "/fr/"},
		{"/fr/", "clé", "/fr/"},
		{"/fr/", "cle", "/fr/"},
	} {
		t.Run(look.start+look.word, func(t *testing.T) {
			t.Parallel()
			browser := chromium(t, site)
			require.NoError(t, chromedp.Do(browser,
				chromedp.Navigate(site+look.start), until(ready),
				until(`(document.querySelector(".DocSearch-Button")?.click(), document.querySelector("#localsearch-input"))`),
				chromedp.SendKeys(chromedp.CSS("#localsearch-input"), look.word),
				until(`[...document.querySelectorAll("#localsearch-list a")].some(a => a.getAttribute("href").includes("`+look.finds+`"))`),
				until(`(document.querySelector("#localsearch-list a").click(), true)`),
				until(`document.querySelector("main")?.innerText.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase().includes("`+strings.ReplaceAll(look.word, "é", "e")+`")`)))
		})
	}
}

// A reader who changes the language stays on the page.
func TestTheLanguageSwitchKeepsThePage(t *testing.T) {
	t.Parallel()
	site := serve(t)
	browser := chromium(t, site)
	for _, page := range []string{"/payouts.html", "/webhooks.html", "/start.html", "/"} {
		require.NoError(t, chromedp.Do(browser,
			chromedp.Navigate(site+page), until(ready),
			until(`(document.querySelector('.VPNavBarTranslations a[href$="/fr`+strings.TrimSuffix(page, ".html")+`"], .VPNavBarTranslations a[href$="/fr`+page+`"]')?.click(), location.pathname === "/fr`+page+`")`),
			until(`document.documentElement.lang === "fr" && document.querySelector("main h1")`),
			until(`(document.querySelector('.VPNavBarTranslations a:not([href*="/fr/"])')?.click(), location.pathname === "`+page+`")`),
			until(`document.documentElement.lang === "en"`)), page)
	}
}

// No page is wider than a telephone.
func TestEachPageFitsATelephone(t *testing.T) {
	t.Parallel()
	site := serve(t)
	browser := chromium(t, site)
	require.NoError(t, chromedp.Do(browser, chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile)))
	for _, page := range htmlPages(t) {
		require.NoError(t, chromedp.Do(browser, chromedp.Navigate(site+page), until(ready)), page)
		overflow, err := chromedp.Run(browser, chromedp.Evaluate[int](`document.documentElement.scrollWidth - document.documentElement.clientWidth`))
		require.NoError(t, err)
		assert.LessOrEqual(t, overflow, 0, "%s is wider than the screen", page)
	}
}

// The pictures of the site are taken with INTRAM_SCREENSHOTS=folder.
func TestThePicturesOfTheSite(t *testing.T) {
	t.Parallel()
	site := serve(t)
	browser := chromium(t, site)
	into := os.Getenv("INTRAM_SCREENSHOTS")
	for name, shot := range map[string]struct {
		page          string
		width, height int64
	}{
		"site-questions-desktop": {"/", 1280, 800}, "site-payouts-french-desktop": {"/fr/payouts.html", 1280, 800},
		"site-payouts-french-phone": {"/fr/payouts.html", 390, 844}, "site-reference-desktop": {"/reference/intram.html", 1280, 800},
	} {
		options := []chromedp.EmulateViewportOption{}
		if shot.width < 500 {
			options = append(options, chromedp.EmulateMobile)
		}
		require.NoError(t, chromedp.Do(browser, chromedp.EmulateViewport(shot.width, shot.height, options...), chromedp.Navigate(site+shot.page), until(ready)))
		picture, err := chromedp.Run(browser, chromedp.CaptureScreenshot())
		require.NoError(t, err)
		assert.NotEmpty(t, picture)
		if into != "" {
			require.NoError(t, os.WriteFile(filepath.Join(into, name+".png"), picture, 0o600))
		}
	}
}
