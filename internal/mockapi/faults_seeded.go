package mockapi

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// FaultRate is a fault and how often it is drawn.
type FaultRate struct {
	Fault
	PerThousand int
}

// SeededFaults replaces the faults to be drawn; without rates none is drawn. Package
// intramtest documents what a draw depends on: callIdentity and deliveryTarget build the
// identity of a call and of a delivery.
func (s *Server) SeededFaults(seed uint64, rates ...FaultRate) error {
	drawn := &seededFaults{seed: seed, attempts: map[string]int{}}
	now := s.clock.Now()
	var sums [numberOfDraws]int
	for i, r := range rates {
		active, err := prepareFault(r.Fault)
		if err != nil {
			return fmt.Errorf("rate %d: %w", i, err)
		}
		switch {
		case r.PerThousand < 1 || r.PerThousand > 1000:
			return fmt.Errorf("rate %d: intramtest: FaultRate.PerThousand: %d, want 1 to 1000", i, r.PerThousand)
		case r.Times == 0 && r.For == 0:
			return fmt.Errorf("rate %d: intramtest: Fault: Times and For: both missing; a drawn fault needs one of them to end", i)
		}
		draw := drawOf(active.rule)
		if sums[draw] += r.PerThousand; sums[draw] > 1000 {
			return errors.New("intramtest: SeededFaults: the rates sum to more than 1000 per thousand")
		}
		active.start(now)
		drawn.rates = append(drawn.rates, seededFault{active, draw, uint64(r.PerThousand)})
	}
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.seeded = drawn
	if len(rates) == 0 {
		s.faults.seeded = nil
	}
	s.faults.count()
	s.touch()
	return nil
}

// seededFaults holds the faults to be drawn, under the lock of faults.
type seededFaults struct {
	seed  uint64
	rates []seededFault
	// attempts counts the attempts of each call so far.
	attempts map[string]int
}

type seededFault struct {
	activeFault
	draw        drawKind
	perThousand uint64
}

// drawKind separates what is drawn independently.
type drawKind int

const (
	drawLatency drawKind = iota
	drawClock
	drawCall
	drawDelivery
	numberOfDraws
)

func drawOf(rule *faultRule) drawKind {
	switch {
	case rule.stage == atArrival:
		return drawLatency
	case rule.stage == atDelivery:
		return drawDelivery
	case rule.skewed:
		return drawClock
	default:
		return drawCall
	}
}

// draw picks the fault of an attempt, if any.
func (sf *seededFaults) draw(t *target, now time.Time, stages faultStage) *Fault {
	if sf == nil {
		return nil
	}
	for draw := range numberOfDraws {
		if (draw == drawDelivery) != (t.event != "") {
			continue
		}
		attempt := t.attempt
		if draw == drawClock {
			attempt = 0
		}
		left := hashOf(sf.seed, uint64(draw), t.identity, attempt) % 1000
		for i := range sf.rates {
			// The stages are compared last: an attempt draws the same fault at every
			// stage.
			r := &sf.rates[i]
			if r.draw != draw || r.over(now) || !r.matches(t, allStages) {
				continue
			}
			if left >= r.perThousand {
				left -= r.perThousand
				continue
			}
			if r.rule.stage&stages != 0 && (r.Times == 0 || t.attempt <= r.Times) {
				hit := r.Fault
				return &hit
			}
			break
		}
	}
	return nil
}

const allStages = atDial | atArrival | atCall | atDelivery

func (sf *seededFaults) clone() *seededFaults {
	if sf == nil {
		return nil
	}
	return &seededFaults{seed: sf.seed, rates: slices.Clone(sf.rates), attempts: maps.Clone(sf.attempts)}
}

// hashOf returns FNV-1a, finished by the mixer of SplitMix64: FNV alone hardly mixes its
// last bytes.
func hashOf(seed, draw uint64, identity string, attempt int) uint64 {
	const prime = 0x100000001b3
	h := uint64(0xcbf29ce484222325)
	word := func(v uint64) {
		for range 8 {
			h = (h ^ v&0xff) * prime
			v >>= 8
		}
	}
	word(seed)
	word(draw)
	word(uint64(attempt)) //nolint:gosec // a count
	for i := range len(identity) {
		h = (h ^ uint64(identity[i])) * prime
	}
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

// callTarget returns the call as a target of faults. With peek the attempt is not
// counted.
func (s *Server) callTarget(r *http.Request, endpoint string, routed, peek bool) *target {
	payin := isPayinPath(r.URL.EscapedPath())
	t := &target{method: r.Method, endpoint: endpoint, routed: routed, dated: !payin}
	s.faults.mu.Lock()
	seeded := s.faults.seeded != nil
	s.faults.mu.Unlock()
	if !seeded {
		return t
	}
	t.identity = s.callIdentity(r, endpoint, payin)
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	if sf := s.faults.seeded; sf != nil {
		t.attempt = sf.attempts[t.identity] + 1
		if !peek {
			sf.attempts[t.identity] = t.attempt
		}
	}
	return t
}

// countAttempt counts an attempt that callTarget peeked at.
func (f *faults) countAttempt(t *target) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.seeded != nil {
		f.seeded.attempts[t.identity] = t.attempt
	}
}

// callIdentity returns what stays the same over the attempts of a call and over runs.
func (s *Server) callIdentity(r *http.Request, endpoint string, payin bool) string {
	s.mu.Lock()
	segments := strings.Split(endpoint, "/")
	for i, segment := range segments {
		segments[i] = s.origin(segment)
	}
	s.mu.Unlock()
	parts := []string{r.Method, strings.Join(segments, "/"), r.URL.RawQuery}
	switch key := keyHeader(r.URL.Path, r.Header); {
	case key != "":
		parts = append(parts, "key", key)
	case payin:
		parts = append(parts, "payin")
	default:
		if a := s.accountOf(r.Header.Get("X-Api-Key")); a != nil {
			parts = append(parts, a.environment, a.merchant.name)
		}
	}
	return strings.Join(parts, "\n")
}

// origin returns what an id stands for in every run: the kind of operation and the key
// that created it. Anything else is returned as it is. The caller holds the lock.
func (s *Server) origin(id string) string {
	op := s.state.operations[id]
	if tx := s.state.transactions[id]; tx != nil {
		op = s.state.operations[tx.operation]
	}
	if op != nil {
		return op.kind + " " + op.key
	}
	if p := s.state.payins.byID[id]; p != nil {
		return "payin " + p.reference
	}
	return id
}

// deliveryTarget returns an attempt of a delivery as a target of faults. The caller holds
// the lock.
func (s *Server) deliveryTarget(d *delivery) *target {
	sub := d.subscription
	return &target{
		event: d.event.kind, dated: !sub.payin, attempt: len(d.attempts) + 1,
		identity: strings.Join([]string{"webhook", sub.url, sub.event, d.event.kind, s.origin(d.event.operation)}, "\n"),
	}
}
