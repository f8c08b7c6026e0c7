package credential

import (
	"fmt"
	"io"
	"log/slog"
)

// Secret is a string that prints as [redacted] in every format. It is kept behind a
// function, since fmt reads the unexported fields of a struct without asking their
// methods: there it finds an address.
type Secret struct{ reveal func() string }

// NewSecret returns the secret with a value.
func NewSecret(value string) Secret { return Secret{func() string { return value }} }

// Value returns the string itself, empty if there is none.
func (s Secret) Value() string {
	if s.reveal == nil {
		return ""
	}
	return s.reveal()
}

const redacted = "[redacted]"

// Format implements [fmt.Formatter], and so covers every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue implements [slog.LogValuer].
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements [encoding.TextMarshaler].
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON implements [json.Marshaler].
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }
