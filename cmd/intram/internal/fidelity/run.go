package fidelity

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/internal/redact"
)

// Schema is the version of the report that this command writes, and the only one that it
// reads.
const Schema = "intram.fidelity/1"

// Report is what a run has seen. It has neither secrets nor personal data.
type Report struct {
	Schema  string    `json:"schema"`
	Version string    `json:"version"` // of the SDK
	Started time.Time `json:"started"`
	Server  string    `json:"server"`
	// Merchant is the beginning of the SHA-256 of the public key: two reports of one
	// merchant can be told.
	Merchant string   `json:"merchant"`
	Finished bool     `json:"finished"` // false when the run was interrupted
	Calls    int      `json:"calls"`
	Lines    []Result `json:"lines"`
}

// State is what came of a line.
type State string

// The states of a line.
const (
	StateSeen         State = "seen"         // the facts were seen
	StateInconclusive State = "inconclusive" // it could not be played, and nothing was learned
	StateNotPlayed    State = "not_played"   // there is no probe, or it was not asked for
)

// Result is one line of a report.
type Result struct {
	Entry

	State State       `json:"state"`
	Why   string      `json:"why,omitempty"`
	Facts Observation `json:"facts,omitempty"`
}

// Run plays the probes one after the other against a sandbox, and refuses what is none.
// The report has what was seen up to an interruption; save is called after each line that
// was played. The error is that of the context, of save, or that the keys are live after
// all.
func Run(ctx context.Context, config Config, save func(*Report) error) (*Report, Activity, error) {
	if err := config.Check(); err != nil {
		return nil, Activity{}, err
	}
	return run(ctx, config, save)
}

func run(ctx context.Context, config Config, save func(*Report) error) (*Report, Activity, error) {
	s, err := newSession(config)
	if err != nil {
		return nil, Activity{}, err
	}
	report, err := s.play(ctx, config, save)
	if report != nil && s.subscribing {
		// A response that says live ends the run: nothing more is sent, not even a
		// deletion.
		s.activity.LeftBehind = errors.Is(err, errLive) || s.removeSubscriptions(ctx)
		report.Calls = s.activity.Calls
		err = errors.Join(err, save(report))
	}
	return report, s.activity, err
}

func (s *Session) play(ctx context.Context, config Config, save func(*Report) error) (*Report, error) {
	report := &Report{
		Schema: Schema, Version: intram.Version, Started: config.Clock.Now().UTC().Truncate(time.Second),
		Server: shownAddress(config.BaseURL), Merchant: hash(config.PublicKey),
	}
	at := map[Line]int{}
	for i, e := range Ledger() {
		at[e.Line] = i
		why := unplayable(e.Line)
		if why == "" {
			why = "the run was interrupted"
		}
		report.Lines = append(report.Lines, Result{Entry: e, State: StateNotPlayed, Why: why})
	}
	if err := save(report); err != nil { // before anything is sent
		return report, err
	}
	// The first response tells the server's time. When there is none, each line says so.
	if _, err := s.get(ctx, "/balance"); errors.Is(err, errLive) || ctx.Err() != nil {
		return report, err
	}
	for _, p := range Probes() {
		i, known := at[p.Line]
		if !known {
			return nil, fmt.Errorf("no such line in the ledger: %s", p.Behaviour)
		}
		result := &report.Lines[i]
		if p.needs == needsPayin && config.Payin == nil {
			result.Why = "give --payin, and the credentials of payin sessions"
			continue
		}
		facts, err := p.play(ctx, s)
		report.Calls = s.activity.Calls
		var (
			unclear *inconclusiveError
			refused *refusedError
		)
		switch {
		case ctx.Err() != nil:
			return report, ctx.Err()
		case errors.Is(err, errLive):
			return report, err
		case errors.As(err, &unclear):
			result.State, result.Why = StateInconclusive, "could not be played: "+unclear.why
		case errors.As(err, &refused):
			result.State, result.Why = StateInconclusive, "could not be played: "+refused.Error()
		case err != nil:
			result.State, result.Why = StateInconclusive, "could not be played: "+redact.Cause(err, nil)
		default:
			result.State, result.Why, result.Facts = StateSeen, "", s.scrub(facts)
		}
		if err := save(report); err != nil {
			return report, err
		}
	}
	report.Finished = true
	return report, save(report)
}

// scrub is the last look at what is written down: a fact that has a secret of the run in
// it is hidden.
func (s *Session) scrub(facts Observation) Observation {
	secrets := []string{s.config.PublicKey, s.config.SecretKey, s.config.Nonce, "whsec_"}
	if p := s.config.Payin; p != nil {
		secrets = append(secrets, p.APIKey, p.APIClient)
	}
	for name, value := range facts {
		for _, secret := range secrets {
			if secret != "" && strings.Contains(value, secret) {
				facts[name] = hidden
			}
		}
	}
	return facts
}

// LocalServer is the address of a report that was made on this machine. It says nothing
// of the sandbox.
const LocalServer = "a server on this machine"

// shownAddress is the address of the API, which is a documented one, or that of a fake.
func shownAddress(address string) string {
	if OnThisMachine(address) {
		return LocalServer
	}
	return address
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:6])
}

// Encode writes a report.
func (r *Report) Encode() ([]byte, error) {
	data, err := json.MarshalIndent(r, "", "  ")
	return append(data, '\n'), err
}

// Decode reads a report.
func Decode(data []byte) (*Report, error) {
	var r Report
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, errors.New("it is not a report of intram fidelity run")
	}
	if r.Schema != Schema {
		return nil, fmt.Errorf("it is not a report of the version %s, which this command reads", Schema)
	}
	return &r, nil
}
