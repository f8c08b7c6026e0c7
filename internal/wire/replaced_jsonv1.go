//go:build !go1.27 || !goexperiment.jsonv2

package wire

// replacedText finds nothing: the encoding/json of Go 1.26 leaves a mark in the document.
func replacedText(any, []byte) (path string, replaced bool) { return "", false }
