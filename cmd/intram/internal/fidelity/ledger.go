// Package fidelity plays the lines of docs/fidelity.md against a sandbox, writes down
// what was seen without secrets or personal data, and compares it with the fake of
// package intramtest.
package fidelity

import (
	_ "embed"
	"strings"
)

// Line names a line of docs/fidelity.md by its section and its behaviour. Two sections
// may say the same.
type Line struct {
	Section   string `json:"section"`
	Behaviour string `json:"behaviour"`
}

// Entry is a line of the ledger with its source: documented, seen or chosen.
type Entry struct {
	Line

	Source string `json:"source"`
}

// SourceChosen marks what no documentation says.
const SourceChosen = "chosen"

// ledgerText holds the lines of docs/fidelity.md: section, source and behaviour, between
// tabs. The installed command has no repository.
//
//go:embed ledger.tsv
var ledgerText string

// Ledger returns the lines of docs/fidelity.md in their order.
func Ledger() []Entry {
	var entries []Entry
	for line := range strings.Lines(ledgerText) {
		section, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		source, behaviour, _ := strings.Cut(rest, "\t")
		entries = append(entries, Entry{Line{section, behaviour}, source})
	}
	return entries
}

// The sections of the ledger that have probes.
const (
	sectionAccess       = "Addresses, keys and signatures"
	sectionIdempotency  = "Idempotency"
	sectionPayloads     = "Payloads"
	sectionPayouts      = "Balance and payouts"
	sectionPayments     = "Payment requests and the checkout page"
	sectionRefunds      = "Refunds"
	sectionTransactions = "Transactions and operations"
	sectionWebhooks     = "Webhooks"
	sectionNumbers      = "Test numbers"
	sectionPayin        = "Payin sessions"
)

// IsPayin reports whether a line is of payin sessions, which need credentials of their
// own.
func IsPayin(line Line) bool { return line.Section == sectionPayin }
