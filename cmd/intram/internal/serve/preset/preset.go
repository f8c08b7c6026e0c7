// Package preset has the named sets of faults that "intram serve" knows.
package preset

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/intram/intram-go/internal/mockapi"
)

// lasting is how long a preset lasts on the server's clock: longer than anybody looks.
const lasting = 30 * 24 * time.Hour

// Preset is a named set of faults. What it does to a call or a delivery follows from the
// server's seed.
type Preset struct {
	Name string
	// About and AboutFrench say what it does, in one line.
	About, AboutFrench string

	rates []mockapi.FaultRate
}

func rate(perThousand int, f mockapi.Fault) mockapi.FaultRate {
	if f.For == 0 {
		f.For = lasting
	}
	return mockapi.FaultRate{Fault: f, PerThousand: perThousand}
}

var presets = []Preset{
	{"flaky", "one call in five fails, twice at most: 502, 503, 500, resets, lost responses",
		"un appel sur cinq échoue, deux fois au plus : 502, 503, 500, coupures, réponses perdues", []mockapi.FaultRate{
			rate(60, mockapi.Fault{Kind: mockapi.FaultProxyError, Times: 2}),
			rate(40, mockapi.Fault{Kind: mockapi.FaultUnavailable, Times: 2}),
			rate(30, mockapi.Fault{Kind: mockapi.FaultServerError, Times: 2}),
			rate(30, mockapi.Fault{Kind: mockapi.FaultReset, Times: 2}),
			rate(40, mockapi.Fault{Kind: mockapi.FaultDropResponse, Times: 2}),
		}},
	{"slow", "every response takes two seconds", "chaque réponse prend deux secondes", []mockapi.FaultRate{
		rate(1000, mockapi.Fault{Kind: mockapi.FaultLatency, Delay: 2 * time.Second}),
	}},
	{"outage", "only the proxy responds, with 503, for two minutes", "seul le proxy répond, par 503, pendant deux minutes", []mockapi.FaultRate{
		rate(1000, mockapi.Fault{Kind: mockapi.FaultProxyError, Status: http.StatusServiceUnavailable, For: 2 * time.Minute}),
	}},
	{"lost-answers", "half of the POSTs are executed and their first response is lost", "la moitié des POST sont exécutés et leur première réponse se perd", []mockapi.FaultRate{
		rate(500, mockapi.Fault{Kind: mockapi.FaultDropResponse, On: http.MethodPost, Times: 1}),
	}},
	{"rate-limit", "the first response to every call is 429 and Retry-After: 1", "chaque appel reçoit d'abord 429 et Retry-After: 1", []mockapi.FaultRate{
		rate(1000, mockapi.Fault{Kind: mockapi.FaultUnavailable, Status: http.StatusTooManyRequests, RetryAfter: "1", Times: 1}),
	}},
	{"garbage", "one response in three is cut in half or is a web page, once", "une réponse sur trois est coupée en deux ou est une page web, une fois", []mockapi.FaultRate{
		rate(170, mockapi.Fault{Kind: mockapi.FaultTruncate, Times: 1}),
		rate(170, mockapi.Fault{Kind: mockapi.FaultNotJSON, Times: 1}),
	}},
	{"clock-skew", "the server's clock is ten minutes ahead of everybody's", "l'horloge du serveur avance de dix minutes", []mockapi.FaultRate{
		rate(1000, mockapi.Fault{Kind: mockapi.FaultClockSkew}),
	}},
	{"duplicate-webhooks", "every webhook arrives twice", "chaque webhook arrive deux fois", []mockapi.FaultRate{
		rate(1000, mockapi.Fault{Kind: mockapi.FaultWebhookDuplicate, Times: 1}),
	}},
	{"late-webhooks", "every webhook comes half a minute late", "chaque webhook arrive avec une demi-minute de retard", []mockapi.FaultRate{
		rate(1000, mockapi.Fault{Kind: mockapi.FaultWebhookLate, Delay: 30 * time.Second, Times: 1}),
	}},
	{"reordered-webhooks", "half of the webhooks let the next one pass", "la moitié des webhooks laissent passer le suivant", []mockapi.FaultRate{
		rate(500, mockapi.Fault{Kind: mockapi.FaultWebhookReordered, Times: 1}),
	}},
	{"lost-webhooks", "one event in three is never sent", "un évènement sur trois n'est jamais envoyé", []mockapi.FaultRate{
		rate(333, mockapi.Fault{Kind: mockapi.FaultWebhookDropped}),
	}},
	{"forged-webhooks", "the first attempt of every webhook has a wrong signature", "la première tentative de chaque webhook a une fausse signature", []mockapi.FaultRate{
		rate(1000, mockapi.Fault{Kind: mockapi.FaultWebhookBadSignature, Times: 1}),
	}},
	{"stale-webhooks", "the first attempt of every webhook is signed for ten minutes ago", "la première tentative de chaque webhook est signée dix minutes en arrière", []mockapi.FaultRate{
		rate(1000, mockapi.Fault{Kind: mockapi.FaultWebhookStale, Times: 1}),
	}},
}

// All are the presets, in the order they are listed.
func All() []Preset { return presets }

// Active are the presets that are on at a server.
type Active struct {
	core *mockapi.Server

	mu    sync.Mutex
	names []string
}

// New switches presets on, and those off that were on.
func New(core *mockapi.Server, names ...string) (*Active, error) {
	a := &Active{core: core}
	return a, a.Set(names...)
}

// Names are the presets that are on.
func (a *Active) Names() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.names)
}

// Set switches these presets on and all others off.
func (a *Active) Set(names ...string) error {
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	var rates []mockapi.FaultRate
	for _, name := range names {
		i := slices.IndexFunc(presets, func(p Preset) bool { return p.Name == name })
		if i < 0 {
			return fmt.Errorf("there is no fault preset %q: want one of %s", name, strings.Join(Names(), ", "))
		}
		rates = append(rates, presets[i].rates...)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.core.SeededFaults(a.core.Seed(), rates...); err != nil {
		return fmt.Errorf("the fault presets %s do not go together: each wants to hit every call or every webhook", strings.Join(names, " and "))
	}
	a.names = names
	return nil
}

// Clear ends every fault, presets and scripted ones.
func (a *Active) Clear() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.core.ClearFaults()
	a.names = nil
}

// Names are the names of all presets.
func Names() []string {
	names := make([]string, len(presets))
	for i, p := range presets {
		names[i] = p.Name
	}
	return names
}
