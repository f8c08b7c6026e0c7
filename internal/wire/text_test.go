package wire_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go/internal/wire"
)

// A string that is taken as it stands is the one that encoding/json reads.
func TestStringsAreThoseOfEncodingJSON(t *testing.T) {
	t.Parallel()
	for _, data := range []string{
		`""`, `"XOF"`, `"op_1"`, `"MTN Bénin"`, `"😀"`, `"\ufffd"`, "\"\ufffd\"", "\"\xff\"", "\"a\xc3\"", `"a\"b"`, `"a\\"`, `"é"`, `"\u00e9"`, "\"\u2028\"",
	} {
		var want, got string
		require.NoError(t, json.Unmarshal([]byte(data), &want), data)
		require.NoError(t, wire.UnmarshalString([]byte(data), &got), data)
		assert.Equal(t, want, got, data)
		if text, plain := wire.String([]byte(data)); plain {
			assert.Equal(t, want, text, data)
		}
	}
	for _, data := range []string{``, `"`, `1`, `null`, `{}`, "\"\n\"", `"a`, `a"`} {
		_, plain := wire.String([]byte(data))
		assert.False(t, plain, data)
	}
}

// What describes takes a value of any kind, what is acted on takes its own only.
func TestKindsOfValues(t *testing.T) {
	t.Parallel()
	type all struct {
		Text  wire.Text
		Count wire.Count
		Flag  wire.Flag
		Time  wire.Time
	}
	for _, kind := range []string{`null`, `{}`, `[]`, `"x"`, `1.5`, `false`} {
		var v all
		document := `{"text":` + kind + `,"count":` + kind + `,"flag":` + kind + `,"time":` + kind + `}`
		require.NoError(t, json.Unmarshal([]byte(document), &v), document)
		assert.Zero(t, v.Count, kind)
		assert.False(t, bool(v.Flag), kind)
		assert.True(t, v.Time.IsZero(), kind)
		var id struct{ ID wire.ID }
		var word struct{ Word wire.Word }
		isString := kind == `null` || kind == `"x"`
		assert.Equal(t, isString, wire.Unmarshal([]byte(`{"id":`+kind+`}`), &id) == nil, kind)
		assert.Equal(t, isString, wire.Unmarshal([]byte(`{"word":`+kind+`}`), &word) == nil, kind)
	}
}
