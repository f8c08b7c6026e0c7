package wire

import (
	"bytes"
	"encoding/json"
	"strings"
)

// ReadObject reads a JSON object with its numbers as they are written. It returns nil for
// anything else.
func ReadObject(data []byte) map[string]any {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var object map[string]any
	if decoder.Decode(&object) != nil {
		return nil
	}
	return object
}

// TextOf returns a word, which may be written as a number.
func TextOf(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}

// At returns the value under a path of names with points between them, nil when there is
// none.
func At(object map[string]any, path string) any {
	var value any = object
	for name := range strings.SplitSeq(path, ".") {
		fields, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = fields[name]
	}
	return value
}
