package browser

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/cmd/intram/internal/serve/servetest"
)

// axe is axe-core, which npm ci in testdata/axe brings.
func axe(t *testing.T) string {
	t.Helper()
	script, err := os.ReadFile(filepath.Join("testdata", "axe", "node_modules", "axe-core", "axe.min.js"))
	if errors.Is(err, fs.ErrNotExist) {
		if os.Getenv("CI") == "true" {
			t.Fatal("axe-core is missing, and CI must have it: make axe")
		}
		t.Skip("axe-core is missing: make axe") //nolint:forbidigo // a laptop may lack it; CI may not
	}
	require.NoError(t, err)
	return string(script)
}

// runAxe looks for what keeps a person with a keyboard, a screen reader or weak eyes out,
// and returns it in words.
const runAxe = `axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}).then(
  r => JSON.stringify(r.violations.flatMap(v => v.nodes.map(n => v.id + ": " + v.help + ": " + n.html.slice(0, 160) + " " + (n.any[0]?.message ?? "")))))`

// look is how a person looks at a page.
type look struct {
	lang, scheme  string
	width, height int64
}

func (l look) name() string { return fmt.Sprintf("%s-%s-%d", l.lang, l.scheme, l.width) }

// TestEveryPageIsForEverybody opens each page in a browser, with nothing on it and with
// 500 operations, at two sizes, light and dark, in both languages, and lets axe-core look
// at names, contrast, focus and structure. With INTRAM_LOOK it leaves a picture of each.
func TestEveryPageIsForEverybody(t *testing.T) {
	t.Parallel()
	script := axe(t)
	for name, fill := range map[string]func(*testing.T, *servetest.Process) []string{
		"empty": func(*testing.T, *servetest.Process) []string { return nil }, "full": fiveHundred,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startFrozen(t)
			pages := append([]string{
				"", "requests", "operations", "transactions", "payins", "wallets", "webhooks", "faults", "numbers", "search?q=0003",
			}, fill(t, p)...)
			browser := chromium(t)
			for i, page := range pages {
				if !strings.HasPrefix(page, "/") {
					pages[i] = "/_intram/sandbox/" + page
				}
				status, _ := p.Dashboard(t).Get(pages[i])
				require.Equal(t, http.StatusOK, status, pages[i])
			}
			for _, l := range []look{{"en", "light", 1280, 900}, {"fr", "dark", 390, 844}, {"fr", "light", 1280, 900}, {"en", "dark", 390, 844}} {
				_, err := chromedp.Call(browser, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
					Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: l.scheme}},
				})
				require.NoError(t, err)
				_, err = chromedp.Call(browser, network.SetCookie, network.SetCookieParams{Name: "intram_language", Value: l.lang, URL: p.URL + "/_intram/"})
				require.NoError(t, err)
				viewport := []chromedp.EmulateViewportOption{}
				if l.width < 500 {
					viewport = append(viewport, chromedp.EmulateMobile)
				}
				for i, page := range pages {
					if l.lang == "fr" == (l.width > 500) && i > 2 {
						continue // the other two looks have seen it
					}
					require.NoError(t, chromedp.Do(browser, chromedp.EmulateViewport(l.width, l.height, viewport...), chromedp.Navigate(p.URL+page), until("document.readyState === 'complete'")))
					found, err := chromedp.Run(browser, chromedp.Evaluate[string](script+";"+runAxe, chromedp.EvalAwaitPromise))
					require.NoError(t, err)
					var violations []string
					require.NoError(t, json.Unmarshal([]byte(found), &violations))
					assert.Empty(t, violations, "%s, %s", page, l.name())
					overflow, err := chromedp.Run(browser, chromedp.Evaluate[int](`document.documentElement.scrollWidth - document.documentElement.clientWidth`))
					require.NoError(t, err)
					assert.LessOrEqual(t, overflow, 0, "%s, %s is wider than the screen", page, l.name())
					tab, err := chromedp.Run(browser, chromedp.Evaluate[bool](activeTabInView))
					require.NoError(t, err)
					assert.True(t, tab, "%s, %s: the active tab is out of view", page, l.name())
					lines, err := chromedp.Run(browser, chromedp.Evaluate[bool](twoLinesAnItem))
					require.NoError(t, err)
					assert.True(t, lines, "%s, %s: an item takes more than two lines", page, l.name())
					if into := os.Getenv("INTRAM_LOOK"); into != "" {
						picture, err := chromedp.Run(browser, chromedp.CaptureScreenshot())
						require.NoError(t, err)
						file := fmt.Sprintf("%s-%02d-%s-%s.png", name, i, strings.NewReplacer("/", "_", "?", "_").Replace(page), l.name())
						require.NoError(t, os.WriteFile(filepath.Join(into, file), picture, 0o644))
					}
				}
			}
		})
	}
}

// TestTheKeyboardReachesEverything goes through pages with the Tab key: each link, button
// and field is reached, in the order of the page, and shows that it is.
func TestTheKeyboardReachesEverything(t *testing.T) {
	t.Parallel()
	p := startFrozen(t)
	ownPayout(t, p.Client(), "2290161000003", 1000, "SAL-1")
	browser := chromium(t)
	for _, page := range []string{"", "operations?status=failed", "numbers"} {
		require.NoError(t, chromedp.Do(browser, chromedp.Navigate(p.URL+"/_intram/sandbox/"+page), until("document.readyState === 'complete'")))
		total, err := chromedp.Run(browser, chromedp.Evaluate[int](numberFocusable))
		require.NoError(t, err)
		require.Greater(t, total, 15)
		before := ""
		for i := 0; i < total; {
			require.NoError(t, chromedp.Do(browser, chromedp.KeyEvent(kb.Tab)))
			at, err := chromedp.Run(browser, chromedp.Evaluate[string](focusedNow))
			require.NoError(t, err)
			if before != "" && strings.HasPrefix(at, before) {
				continue // a date has a stop for each of its parts, and one for its calendar
			}
			before = strconv.Itoa(i) + " "
			require.Equal(t, before+"outlined", at, page)
			i++
		}
	}
	require.NoError(t, chromedp.Do(browser, chromedp.Navigate(p.URL+"/_intram/sandbox/"), until("document.readyState === 'complete'"),
		chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Enter), until(`document.activeElement.id === "content"`)))
}

// TestTimesAreInTheReadersZone looks at the list from Cotonou, which is an hour ahead of
// UTC.
func TestTimesAreInTheReadersZone(t *testing.T) {
	t.Parallel()
	p := startFrozen(t)
	created := ownPayout(t, p.Client(), "22961234567", 1000, "SAL-1").CreatedAt.UTC()
	browser := chromium(t)
	_, err := chromedp.Call(browser, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "Africa/Porto-Novo"})
	require.NoError(t, err)
	require.NoError(t, chromedp.Do(browser, chromedp.Navigate(p.URL+"/_intram/sandbox/operations"),
		says("#operation-list time", created.Add(time.Hour).Format("15:04:05"))))
	title, err := chromedp.Run(browser, chromedp.Evaluate[string](`document.querySelector("#operation-list time").title`))
	require.NoError(t, err)
	assert.Equal(t, created.Format("2006-01-02 15:04:05.000")+" UTC", title)
	// What arrives later is in the same zone, and so is what a change brings.
	require.NoError(t, chromedp.Do(browser, until(`document.documentElement.dataset.connected === "yes"`)))
	p.Dashboard(t).Act("advance", "by", "1m")
	ownPayout(t, p.Client(), "22961234567", 1000, "SAL-2")
	require.NoError(t, chromedp.Do(browser, says("#operation-list a", "SAL-2"), says("#operation-list time", created.Add(time.Hour+time.Minute).Format("15:04:05"))))
}

// startFrozen starts a server whose clock stands still, so that a page is the same each
// time.
func startFrozen(t *testing.T) *servetest.Process {
	t.Helper()
	return servetest.Start(t, t.TempDir(), "--clock", "frozen")
}

// numberFocusable numbers what the Tab key should reach, and counts it.
const numberFocusable = `(() => {
  window.reachable = [...document.querySelectorAll("a[href], button, input, select, summary, [tabindex='0']")].filter(
    e => e.type !== "hidden" && e.checkVisibility({visibilityProperty: true}) && !e.disabled);
  return window.reachable.length;
})()`

const focusedNow = `(() => {
  const style = getComputedStyle(document.activeElement);
  return window.reachable.indexOf(document.activeElement) + (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2 ? " outlined" : " not outlined");
})()`

// twoLinesAnItem looks at the lists, on a phone: two lines of text, and the space around
// them.
const twoLinesAnItem = `innerWidth > 500 || [...document.querySelectorAll(".items tbody tr")].every(r => r.getBoundingClientRect().height < 80)`

const activeTabInView = `(() => {
  const tab = document.querySelector('.pages a[aria-current]');
  if (!tab) return true;
  const box = tab.getBoundingClientRect();
  return box.left >= 0 && box.right <= document.documentElement.clientWidth;
})()`

// fiveHundred makes operations of each kind and outcome, and returns the pages of some.
func fiveHundred(t *testing.T, p *servetest.Process) []string {
	t.Helper()
	ctx, client := t.Context(), p.Client()
	handler := servetest.NewReceiver(t)
	_, err := client.Webhooks.Create(ctx, intram.WebhookParams{URL: handler.URL, Event: "payout.failed"})
	require.NoError(t, err)
	handler.Fail(true)
	var pages []string
	failed := ""
	for i := range 500 {
		switch {
		case i%10 == 7:
			op, err := client.PaymentRequests.Create(ctx, servetest.PaymentRequest(int64(500+i*37), "Commande "+strconv.Itoa(4000+i)))
			require.NoError(t, err)
			if i > 490 {
				pages = append(pages, "operations/"+op.ID)
			}
		case i == 488:
			op, err := client.Payouts.Create(ctx, intram.PayoutParams{Amount: intram.NewAmount(150000), Reference: "SAL-BANK-0526", Destination: intram.BankAccount{
				SWIFT: "ECOCBJBJ", AccountNumber: "BJ0610100100144390000769", AccountName: "Ada", AccountSurname: "Lovelace"}})
			require.NoError(t, err)
			pages = append(pages, "operations/"+op.ID)
		default:
			number := "22961" + fmt.Sprintf("%06d", 234500+i)
			if i > 495 || i%100 == 99 {
				number = "2296100000" + strconv.Itoa(i%5)
			}
			params := servetest.Payout(number, int64(500+i*4))
			params.Reference = fmt.Sprintf("SAL-2026-%04d", i)
			op, err := client.Payouts.Create(ctx, params)
			require.NoError(t, err)
			for range 3 {
				_, err = client.Operations.Get(ctx, op.ID)
				require.NoError(t, err)
			}
			if i == 498 { // its number is one that is refused
				failed = op.ID
				pages = append(pages, "operations/"+op.ID)
			}
		}
	}
	keys := p.Local().Sandbox
	pages = append(pages, "requests/"+servetest.SignedBy(t, p.URL, keys.PublicKey, keys.SecretKey, "/v1/payouts", `{"amount":1000}`))
	pages = append(pages, "deliveries/"+handler.Refused(t, string(intram.EventPayoutFailed), failed).Header.Get("X-Intram-Delivery"))
	open, err := client.Transactions.List(ctx, intram.TransactionListParams{Status: intram.TransactionPending, Limit: 1})
	require.NoError(t, err)
	require.NotEmpty(t, open.Items)
	reference := open.Items[0].Reference
	return append(pages, "transactions/"+reference, "/gateway/"+reference)
}
