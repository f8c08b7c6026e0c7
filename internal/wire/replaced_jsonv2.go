//go:build go1.27 && goexperiment.jsonv2

package wire

import (
	"bytes"
	"encoding/json"
	"encoding/json/jsontext"
	jsonv2 "encoding/json/v2"
	"errors"
	"strings"
)

// replacedText reports whether encoding/json, which wrote document, has replaced a byte
// of value that is not UTF-8, and the path of its field. Go 1.27 writes U+FFFD for it, so
// a document with one is written again by the encoder that refuses such a byte.
func replacedText(value any, document []byte) (path string, replaced bool) {
	if !bytes.Contains(document, []byte("\uFFFD")) {
		return "", false
	}
	_, err := jsonv2.Marshal(value, json.DefaultOptionsV1(), json.ReportErrorsWithLegacySemantics(false), jsontext.AllowInvalidUTF8(false))
	return pathOf(err), err != nil
}

// pathOf returns the field that an error of the encoder is about, up to a field whose
// keys are the caller's.
func pathOf(err error) string {
	var pointer jsontext.Pointer
	if e := new(jsontext.SyntacticError); errors.As(err, &e) {
		pointer = e.JSONPointer
	}
	if e := new(jsonv2.SemanticError); errors.As(err, &e) { // around a syntactic one, with the longer path
		pointer = e.JSONPointer
	}
	var names []string
	for name := range pointer.Tokens() {
		names = append(names, name)
		if ownedByCaller(name) {
			break
		}
	}
	return strings.Join(names, ".")
}
