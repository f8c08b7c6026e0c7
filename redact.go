package intram

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/intram/intram-go/internal/wire"
)

// secret is a string that prints as [redacted] in every format. It is kept behind a function, since fmt
// reads the unexported fields of a struct without asking their methods: there it finds an address.
type secret struct{ reveal func() string }

func newSecret(value string) secret { return secret{func() string { return value }} }

// value is the string itself, empty if there is none.
func (s secret) value() string {
	if s.reveal == nil {
		return ""
	}
	return s.reveal()
}

// Each type that prints less than it holds has a method named shown. Its methods Format and LogValue, for fmt and slog, are
// generated from that.
//
//go:generate go -C tools run ./redacted ..

const redacted = "[redacted]"

// Format implements [fmt.Formatter], and so covers every verb.
func (secret) Format(f fmt.State, _ rune)        { writeString(f, redacted) }
func (secret) LogValue() slog.Value              { return slog.StringValue(redacted) }
func (secret) MarshalText() ([]byte, error)      { return []byte(redacted), nil }
func (secret) MarshalJSON() ([]byte, error)      { return []byte(`"` + redacted + `"`), nil }
func writeString(w io.Writer, s string)          { _, _ = io.WriteString(w, s) }
func hidden(kind string, parts ...string) string { return kind + "{" + strings.Join(parts, " ") + "}" }

// RawMessage is JSON exactly as the API sent it, so that nothing it says is lost to a caller who needs a field
// that the SDK does not know. It holds what customers typed, so it prints as its length only; use
// string(raw), or json.Unmarshal, to read it.
type RawMessage []byte

// shown returns what is printed: the length, never the content.
func (m RawMessage) shown() string { return fmt.Sprintf("RawMessage(%d bytes)", len(m)) }

// MarshalJSON implements [json.Marshaler]. An empty RawMessage is null.
func (m RawMessage) MarshalJSON() ([]byte, error) {
	if len(m) == 0 {
		return []byte("null"), nil
	}
	return wire.WithoutBOM(m), nil
}

// UnmarshalJSON implements [json.Unmarshaler]. It keeps a copy; null leaves the message empty.
func (m *RawMessage) UnmarshalJSON(data []byte) error {
	if wire.IsNull(data) {
		*m = nil
		return nil
	}
	*m = bytes.Clone(data)
	return nil
}

// marshalRaw is MarshalJSON for what came from the API: it goes out as it came in.
func marshalRaw(raw RawMessage, fallback any) ([]byte, error) {
	if len(raw) > 0 {
		return raw.MarshalJSON()
	}
	return json.Marshal(fallback)
}
