package browser

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/cmd/intram/internal/serve/servetest"
)

// chromium opens a browser with a profile of its own. Whatever a page complains of (a
// script's error, a breach of the Content-Security-Policy) fails the test.
func chromium(t *testing.T) context.Context {
	t.Helper()
	program := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			program = found
			break
		}
	}
	if program == "" {
		servetest.Need(t, "chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program), chromedp.UserDataDir(t.TempDir()), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("no-proxy-server", true),
		chromedp.Flag("lang", "en"), chromedp.Flag("hide-scrollbars", true), chromedp.WindowSize(1280, 900))
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
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
		}
	}))
	_, err := chromedp.Call(ctx, log.Enable, cdp.Empty{})
	require.NoError(t, err)
	return ctx
}

// until waits for a condition of the page, in JavaScript, over the navigations that
// happen meanwhile.
func until(condition string) chromedp.Action[chromedp.Void] {
	holds := chromedp.Poll[chromedp.Void]("Boolean("+condition+")", chromedp.WithPollingTimeout(10*time.Second))
	return func(ctx context.Context, target *chromedp.Target) (done chromedp.Void, err error) {
		for range 20 {
			if _, err = holds(ctx, target); err == nil || ctx.Err() != nil {
				return done, err
			}
		}
		return done, fmt.Errorf("%s: %w", condition, err)
	}
}

// says waits until a part of the page has a text.
func says(selector, text string) chromedp.Action[chromedp.Void] {
	return until(`[...document.querySelectorAll(` + quotedJS(selector) + `)].some(e => e.textContent.includes(` + quotedJS(text) + `))`)
}

func quotedJS(s string) string { return `"` + strings.ReplaceAll(s, `"`, `\"`) + `"` }

// TestAPersonPaysAndSeesTheDelivery is the dashboard as a person uses it, in a real
// browser.
func TestAPersonPaysAndSeesTheDelivery(t *testing.T) {
	t.Parallel()
	browser := chromium(t)
	handler := servetest.NewReceiver(t)
	p := servetest.Start(t, t.TempDir(), "--forward-to", handler.URL)
	client := p.Client()

	// The dashboard is open before anything happens, and shows a request as it arrives.
	require.NoError(t, chromedp.Do(browser,
		chromedp.Navigate(p.URL), until(`document.documentElement.dataset.connected === "yes"`), says("#latest-requests", "No request yet")))
	op, err := client.PaymentRequests.Create(t.Context(), servetest.PaymentRequest(12000, "Commande 4521"))
	require.NoError(t, err)
	require.NoError(t, chromedp.Do(browser, says("#latest-requests a", "/v1/payment-requests"), says("#latest-requests .status", "202")))

	// To the payment, and to the page that the customer sees.
	require.NoError(t, chromedp.Do(browser,
		chromedp.Click(chromedp.CSS(`.pages a[href$="/transactions"]`)), says("h1", "Transactions"),
		chromedp.Click(chromedp.CSS("#transaction-list a")), says("#facts .status", "PENDING"),
		chromedp.Click(chromedp.CSS("#checkout")), says("h1", "Pay Boutique Démo"),
		chromedp.SetValue(chromedp.CSS("#msisdn"), "22961000000"),
		chromedp.Click(chromedp.CSS(`form[action$="/pay"] button`)), says("h1", "Payment received")))
	paid := handler.Acknowledged(t, "payment_request.paid", op.ID)

	// Back on the dashboard the payment has arrived and the handler was told. It is told
	// again.
	delivery := paid.Header.Get("X-Intram-Delivery")
	require.NoError(t, chromedp.Do(browser,
		chromedp.Navigate(p.URL+"/_intram/sandbox/webhooks"), until(`document.documentElement.dataset.connected === "yes"`),
		says("tr:has(#d-"+delivery+") .status.good", "delivered"),
		chromedp.Click(chromedp.CSS("#resend-"+delivery)),
		says(".notice", "being sent again"),
		until(`document.querySelectorAll("tr:has(#d-`+delivery+`) .attempts li").length === 2`)))

	result, err := client.Transactions.Get(t.Context(), servetest.ReferenceOf(t, client, op))
	require.NoError(t, err)
	assert.Equal(t, intram.TransactionSuccess, result.Status)
}

// screenshots are the pictures of docs/serve.md: name, address, and what the page must
// show first.
func TestThePagesLookAsInTheDocumentation(t *testing.T) {
	t.Parallel()
	browser := chromium(t)
	handler := servetest.NewReceiver(t)
	p := servetest.Start(t, t.TempDir(), "--forward-to", handler.URL)
	places := fillForPictures(t, p, handler)
	into := os.Getenv("INTRAM_SCREENSHOTS")
	for _, shot := range places {
		for _, size := range []struct {
			name          string
			width, height int64
		}{{"desktop", 1280, 800}, {"phone", 390, 844}} {
			viewport := []chromedp.EmulateViewportOption{}
			if size.name == "phone" {
				viewport = append(viewport, chromedp.EmulateMobile)
			}
			require.NoError(t, chromedp.Do(browser, chromedp.EmulateViewport(size.width, size.height, viewport...),
				chromedp.Navigate(p.URL+shot.path), says("body", shot.shows)))
			overflow, err := chromedp.Run(browser, chromedp.Evaluate[int](`document.documentElement.scrollWidth - document.documentElement.clientWidth`))
			require.NoError(t, err)
			picture, err := chromedp.Run(browser, chromedp.CaptureScreenshot())
			require.NoError(t, err)
			assert.LessOrEqual(t, overflow, 0, "%s on a %s is wider than the screen", shot.name, size.name)
			assert.NotEmpty(t, picture)
			if into != "" {
				require.NoError(t, os.WriteFile(filepath.Join(into, shot.name+"-"+size.name+".png"), smaller(t, picture), 0o644))
			}
		}
	}
}

// smaller is a picture with the 256 colours that it has most of, which is all that a page
// needs.
func smaller(t *testing.T, picture []byte) []byte {
	t.Helper()
	full, err := png.Decode(bytes.NewReader(picture))
	require.NoError(t, err)
	seen := map[color.Color]int{}
	bounds := full.Bounds()
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			seen[color.NRGBAModel.Convert(full.At(x, y))]++
		}
	}
	colours := slices.SortedFunc(maps.Keys(seen), func(a, b color.Color) int { return seen[b] - seen[a] })
	reduced := image.NewPaletted(bounds, color.Palette(colours[:min(len(colours), 256)]))
	draw.Draw(reduced, bounds, full, bounds.Min, draw.Src)
	var out bytes.Buffer
	require.NoError(t, (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, reduced))
	return out.Bytes()
}

// TestTheDashboardIsDarkAndFrenchWhereThePersonIs looks at it as the person's system and
// choice have it.
func TestTheDashboardIsDarkAndFrenchWhereThePersonIs(t *testing.T) {
	t.Parallel()
	browser := chromium(t)
	p := servetest.Start(t, t.TempDir())
	_, err := p.Client().Payouts.Create(t.Context(), servetest.Payout("22961000000", 25000))
	require.NoError(t, err)
	_, err = chromedp.Call(browser, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}},
	})
	require.NoError(t, err)
	require.NoError(t, chromedp.Do(browser, chromedp.EmulateViewport(1280, 800), chromedp.Navigate(p.URL),
		says("h2", "Latest requests"), chromedp.Click(chromedp.CSS(`button[value="fr"]`)), says("h2", "Dernières requêtes"), says("#latest-requests a", "/v1/payouts"),
		until("document.readyState === 'complete'"))) // the words are there before the style sheet
	paper, err := chromedp.Run(browser, chromedp.Evaluate[string](`getComputedStyle(document.body).backgroundColor`))
	require.NoError(t, err)
	assert.Equal(t, "rgb(15, 21, 19)", paper)
	picture, err := chromedp.Run(browser, chromedp.CaptureScreenshot())
	require.NoError(t, err)
	if into := os.Getenv("INTRAM_SCREENSHOTS"); into != "" {
		require.NoError(t, os.WriteFile(filepath.Join(into, "overview-dark.png"), smaller(t, picture), 0o644))
	}
}

// ownPayout is a payout with a reference of one's own.
func ownPayout(t *testing.T, client *intram.Client, number string, amount int64, reference string) *intram.Operation {
	t.Helper()
	params := servetest.Payout(number, amount)
	params.Reference = reference
	op, err := client.Payouts.Create(t.Context(), params)
	require.NoError(t, err)
	return op
}

type place struct{ name, path, shows string }

// fillForPictures lets a little of everything happen.
func fillForPictures(t *testing.T, p *servetest.Process, handler *servetest.Receiver) []place {
	t.Helper()
	ctx, client := t.Context(), p.Client()
	_, err := client.Balance.Get(ctx)
	require.NoError(t, err)
	first := ownPayout(t, client, "2290161000000", 25000, "SAL-0524")
	ownPayout(t, client, "2290161000003", 4000, "SAL-0525")
	bank, err := client.Payouts.Create(ctx, intram.PayoutParams{
		Amount: intram.NewAmount(150000), Reference: "SAL-0526",
		Destination: intram.BankAccount{SWIFT: "ECOCBJBJ", AccountNumber: "BJ0610100100144390000769", AccountName: "Ada", AccountSurname: "Lovelace"},
	})
	require.NoError(t, err)
	paid, err := client.PaymentRequests.Create(ctx, servetest.PaymentRequest(12000, "Commande 4521"))
	require.NoError(t, err)
	open, err := client.PaymentRequests.Create(ctx, servetest.PaymentRequest(7500, "Commande 4522"))
	require.NoError(t, err)
	reference := servetest.ReferenceOf(t, client, paid)
	b := p.Dashboard(t)
	b.Act("pay", "id", reference)
	handler.Acknowledged(t, "payment_request.paid", paid.ID)
	handler.Fail(true)
	slow := ownPayout(t, client, "2290161000000", 1800, "SAL-0527")
	handler.Refused(t, "payout.completed", slow.ID)
	handler.Fail(false)
	b.Act("add_fault", "kind", "proxy_error", "on", "GET /transactions", "times", "1")
	_, err = client.Transactions.List(ctx, intram.TransactionListParams{Limit: 5})
	require.Error(t, err)
	_, err = client.Transactions.List(ctx, intram.TransactionListParams{Limit: 5})
	require.NoError(t, err)

	keys := p.Local().Sandbox
	payin, err := intram.NewPayinClient(keys.PayinAPIKey, keys.PayinAPIClient, intram.WithPayinBaseURL(p.URL))
	require.NoError(t, err)
	session, err := payin.CreateSession(ctx, intram.PayinSessionParams{
		Reference: "7d0c2c1e-6f0e-4b51-9d57-1c9d3c1b7a10", Amount: intram.NewAmount(3000), MSISDN: "+2250700000000", CustomerName: "Ada Lovelace",
		Country: "CI", SuccessURL: "https://shop.example.com/merci", FailureURL: "https://shop.example.com/panier",
	})
	require.NoError(t, err)
	wrong := servetest.WronglySigned(t, p)
	b.Act("presets", "preset", "duplicate-webhooks")
	return []place{
		{"overview", "/_intram/sandbox/", "/v1/transactions"},
		{"requests", "/_intram/sandbox/requests", "signature_invalid"},
		{"request", "/_intram/sandbox/requests/" + wrong, "/api/v1/merchant"},
		{"operations", "/_intram/sandbox/operations", first.ID},
		{"operation", "/_intram/sandbox/operations/" + bank.ID, "waits for the back office"},
		{"transaction", "/_intram/sandbox/transactions/" + reference, "SUCCESS"},
		{"wallets", "/_intram/sandbox/wallets", "payment received"},
		{"webhooks", "/_intram/sandbox/webhooks", "payment_request.paid"},
		{"faults", "/_intram/sandbox/faults", "duplicate-webhooks"},
		{"checkout", "/gateway/" + servetest.ReferenceOf(t, client, open), "Commande 4522"},
		{"receipt", "/gateway/" + reference, "received"},
		{"payin", session.PaymentURL[len(p.URL):], "3"},
	}
}
