// Package strictjson refuses JSON that two readers could read in two ways.
//
// encoding/json takes the last of two keys with one name, and takes AMOUNT for amount. Where money is read, an answer that says
// an amount twice says nothing.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
)

// More than any answer needs. The keys of an object are compared with each other, so there may not be too many.
const (
	maxDepth = 64
	maxKeys  = 512
)

// ErrTooDeep is why a document with too many levels is refused.
var ErrTooDeep = fmt.Errorf("JSON of more than %d levels", maxDepth)

// ErrDuplicateKey is why an object is refused that has one key twice.
var ErrDuplicateKey = errors.New("JSON with one key twice in an object")

// ErrTooManyKeys is why an object is refused that has more keys than are compared.
var ErrTooManyKeys = fmt.Errorf("JSON with more than %d keys in an object", maxKeys)

// callerOwned are the objects that hold what the caller sent: their keys are the caller's, and no amount is read from them.
var callerOwned = [][]byte{[]byte("metadata"), []byte("webhook_data"), []byte("payload")}

// Check refuses a document with two keys of an object that encoding/json takes for one, and one that is too deep. The document
// must be valid JSON: call it after it was unmarshalled.
func Check(document []byte) error {
	_, err := Split(document)
	return err
}

// Parts is where the answer's own value stands in a document, so that it can be kept as it came.
type Parts struct {
	// Data is the value of the key data of the outermost object, nil when there is none.
	Data []byte
	// Items are the elements of Data when it is an array.
	Items [][]byte
}

// Split is [Check], and tells where the data is.
func Split(document []byte) (Parts, error) {
	s, _ := scanners.Get().(*scanner) // New makes nothing else
	s.data = document
	err := s.value(0, true)
	parts := s.parts
	clear(s.keys[:cap(s.keys)]) // they are pieces of the document
	*s = scanner{keys: s.keys[:0]}
	scanners.Put(s)
	return parts, err
}

var scanners = sync.Pool{New: func() any { return &scanner{keys: make([][]byte, 0, 48)} }}

// dataKey is the key whose value is split.
var dataKey = []byte("data")

// scanner goes through valid JSON once.
type scanner struct {
	data  []byte
	at    int
	keys  [][]byte // of all objects that are open, the innermost last
	parts Parts
	inner bool // in the value of dataKey
}

// value goes past one value inside of depth others. checked says whether its keys are looked at.
func (s *scanner) value(depth int, checked bool) error {
	s.space()
	switch c := s.peek(); c {
	case '{', '[':
		if depth++; depth > maxDepth {
			return ErrTooDeep
		}
		if c == '{' {
			return s.object(depth, checked)
		}
		return s.array(depth, checked)
	case '"':
		s.str()
	default:
		start := s.at
		s.literal()
		if s.at == start {
			return errInvalid
		}
	}
	return nil
}

func (s *scanner) object(depth int, checked bool) error {
	first := len(s.keys)
	defer func() { s.keys = s.keys[:first] }()
	for s.at++; ; {
		s.space()
		switch s.peek() {
		case '}':
			s.at++
			return nil
		case ',':
			s.at++
			continue
		case '"':
		default:
			return errInvalid
		}
		key := s.str()
		inner := checked
		if checked {
			key = unescaped(key)
			for _, earlier := range s.keys[first:] {
				if bytes.EqualFold(earlier, key) {
					return ErrDuplicateKey
				}
			}
			if s.keys = append(s.keys, key); len(s.keys)-first > maxKeys {
				return ErrTooManyKeys
			}
			for _, owned := range callerOwned {
				inner = inner && !bytes.Equal(key, owned)
			}
		}
		s.space()
		if s.peek() != ':' {
			return errInvalid
		}
		s.at++
		if depth == 1 && bytes.EqualFold(key, dataKey) {
			if err := s.split(depth, inner); err != nil {
				return err
			}
			continue
		}
		if err := s.value(depth, inner); err != nil {
			return err
		}
	}
}

// split goes past the value of dataKey, and notes where it stands.
func (s *scanner) split(depth int, checked bool) error {
	s.space()
	start := s.at
	s.inner = true
	err := s.value(depth, checked)
	s.inner = false
	s.parts.Data = s.data[start:s.at:s.at]
	return err
}

func (s *scanner) array(depth int, checked bool) error {
	for s.at++; ; {
		s.space()
		switch s.peek() {
		case ']':
			s.at++
			return nil
		case ',':
			s.at++
		case 0:
			return errInvalid
		default:
			start := s.at
			if err := s.value(depth, checked); err != nil {
				return err
			}
			if s.inner && depth == 2 {
				s.parts.Items = append(s.parts.Items, s.data[start:s.at:s.at])
			}
		}
	}
}

// errInvalid ends the scan of a document that was not valid JSON after all.
var errInvalid = errors.New("JSON that is not valid")

// str goes past a string and returns what is between its quotes.
func (s *scanner) str() []byte {
	rest := s.data[s.at+1:]
	for i := 0; i < len(rest); i++ {
		switch rest[i] {
		case '\\':
			i++
		case '"':
			s.at += i + len(`""`)
			return rest[:i]
		}
	}
	s.at = len(s.data)
	return nil
}

// literal goes past a number, true, false or null.
func (s *scanner) literal() {
	for ; s.at < len(s.data); s.at++ {
		switch s.data[s.at] {
		case ',', ']', '}', ' ', '\t', '\r', '\n':
			return
		}
	}
}

func (s *scanner) space() {
	for s.at < len(s.data) {
		switch s.data[s.at] {
		case ' ', '\t', '\r', '\n':
			s.at++
		default:
			return
		}
	}
}

// peek is the next byte, 0 at the end.
func (s *scanner) peek() byte {
	if s.at < len(s.data) {
		return s.data[s.at]
	}
	return 0
}

// unescaped is a key as encoding/json reads it: \u0061mount is amount.
func unescaped(key []byte) []byte {
	if bytes.IndexByte(key, '\\') < 0 {
		return key
	}
	var s string
	if json.Unmarshal(append(append([]byte{'"'}, key...), '"'), &s) != nil {
		return key
	}
	return []byte(s)
}
