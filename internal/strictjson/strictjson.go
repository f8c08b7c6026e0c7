// Package strictjson refuses JSON that two parsers could read differently.
//
// encoding/json uses the last of two keys with one name, and accepts AMOUNT for amount. A
// response with two values for an amount gives no amount.
//
// It has the module's only JSON scanner besides encoding/json's. encoding/json/v2 refuses
// duplicate names itself, matches names by case, and bounds depth too. Remove this
// package when Go 1.27, which has it, is the oldest version that the module supports.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"sync"
	"unicode"
	"unicode/utf8"
)

// MaxDepth is how many levels a document may have, more than any response needs. The
// caller's own objects are not counted.
const MaxDepth = 64

// narrow is up to how many keys of an object are compared with each other. The keys of a
// wider object are kept in a set.
const narrow = 32

// ErrTooDeep is the error for a document with too many levels.
var ErrTooDeep = fmt.Errorf("JSON of more than %d levels", MaxDepth)

// ErrDuplicateKey is the error for an object that has one key twice.
var ErrDuplicateKey = errors.New("JSON with one key twice in an object")

// callerOwned lists the objects that contain what the caller sent: their keys and depth
// are the caller's, and no amount is read from them.
var callerOwned = [][]byte{[]byte("metadata"), []byte("webhook_data"), []byte("payload")}

// Check refuses a document that is too deep, or with two keys in one object that
// encoding/json treats as one. The document must be valid JSON: call it after
// unmarshalling.
func Check(document []byte) error {
	parts, err := Split(document)
	if err != nil {
		return err
	}
	for i := range parts.Items {
		if parts.Refused[i] != nil {
			return parts.Refused[i]
		}
	}
	return nil
}

// Depth returns how many levels a document of valid JSON has: 1 for {}, 0 for a number.
func Depth(document []byte) int {
	s := scanner{data: document}
	return s.skip()
}

// Member returns the value of a key in an object of valid JSON, nil if there is none.
func Member(object []byte, key string) []byte {
	s := scanner{data: object}
	for s.space(); s.peek() == '{' || s.peek() == ','; s.space() {
		s.at++
		if s.space(); s.peek() != '"' {
			break
		}
		name := unescaped(s.str())
		s.space()
		s.at++ // past the colon
		s.space()
		start := s.at
		if s.value(0, false) != nil {
			break
		}
		if bytes.EqualFold(name, []byte(key)) {
			return object[start:s.at:s.at]
		}
	}
	return nil
}

// Parts holds the parts of a response's document as raw bytes, so that they can be kept
// unchanged.
type Parts struct {
	// Data is the value of the key data in the outermost object, nil if there is none.
	Data []byte
	// Event is the value of the key event, likewise.
	Event []byte
	// Items holds the elements of Data if it is an array.
	Items [][]byte
	// Paging is the value of the key paging in the outermost object, nil if there is
	// none.
	Paging []byte
	// Refused holds the error of each element that [Check] would refuse, by index. The
	// other elements can be used.
	Refused map[int]error
}

// Split is [Check], and also returns where the data is. A refused element of the data is
// in Refused, and is not an error of Split.
func Split(document []byte) (Parts, error) {
	s, _ := scanners.Get().(*scanner) // New makes nothing else
	s.data = document
	err := s.value(0, true)
	parts := s.parts
	*s = scanner{keys: s.keys[:0], folded: s.folded[:0], free: s.free}
	if cap(s.keys)+cap(s.folded) <= 1<<12 { // the buffers of a very wide document are not kept
		scanners.Put(s)
	}
	return parts, err
}

var scanners = sync.Pool{New: func() any { return &scanner{keys: make([]uint64, 0, 48), folded: make([]byte, 0, 64)} }}

// seed keeps a server from choosing keys whose hashes collide.
var seed = maphash.MakeSeed()

// dataKey is the key whose value is split. The values of pagingKey and eventKey are
// recorded.
var (
	dataKey   = []byte("data")
	pagingKey = []byte("paging")
	eventKey  = []byte("event")
)

// scanner reads valid JSON once.
type scanner struct {
	data   []byte
	at     int
	keys   []uint64 // hashes of the keys of all open objects, the innermost last; of a wide one, of the first few
	free   []hashSet
	folded []byte
	parts  Parts
	inner  bool // in the value of dataKey
}

// value skips one value nested in depth others. checked says whether to check its keys
// and depth.
func (s *scanner) value(depth int, checked bool) error {
	s.space()
	switch c := s.peek(); c {
	case '{', '[':
		if !checked {
			s.skip()
			return nil
		}
		if depth++; depth > MaxDepth {
			return ErrTooDeep
		}
		if c == '{' {
			return s.object(depth)
		}
		return s.array(depth)
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

// skip skips one value without checking it, and returns how deep it is.
func (s *scanner) skip() (deepest int) {
	for depth := 0; s.at < len(s.data); {
		switch s.data[s.at] {
		case '"':
			s.str()
		case '{', '[':
			depth++
			deepest = max(deepest, depth)
			s.at++
			continue
		case '}', ']':
			depth--
			s.at++
		default:
			s.at++
			continue
		}
		if depth <= 0 {
			break
		}
	}
	return deepest
}

func (s *scanner) object(depth int) error {
	first := len(s.keys)
	var wide hashSet // empty as long as the object is narrow
	defer func() {
		s.keys = s.keys[:first]
		s.discard(wide)
	}()
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
		key := unescaped(s.str())
		if !s.isNew(key, first, &wide) {
			return ErrDuplicateKey
		}
		checked := true
		for _, owned := range callerOwned {
			checked = checked && !bytes.Equal(key, owned)
		}
		s.space()
		if s.peek() != ':' {
			return errInvalid
		}
		s.at++
		if depth == 1 && bytes.EqualFold(key, dataKey) {
			if err := s.split(depth); err != nil {
				return err
			}
			continue
		}
		s.space()
		start := s.at
		if err := s.value(depth, checked); err != nil {
			return err
		}
		if value := s.data[start:s.at:s.at]; depth == 1 && bytes.EqualFold(key, pagingKey) {
			s.parts.Paging = value
		} else if depth == 1 && bytes.EqualFold(key, eventKey) {
			s.parts.Event = value
		}
	}
}

// isNew records a key of the object whose keys begin at first. It reports whether
// encoding/json distinguishes it from all earlier ones.
func (s *scanner) isNew(key []byte, first int, wide *hashSet) bool {
	hash := s.hash(key)
	if wide.slots != nil {
		return wide.add(hash)
	}
	if slices.Contains(s.keys[first:], hash) {
		return false
	}
	if s.keys = append(s.keys, hash); len(s.keys)-first > narrow {
		if n := len(s.free); n > 0 {
			*wide, s.free = s.free[n-1], s.free[:n-1]
		}
		for _, earlier := range s.keys[first:] {
			wide.add(earlier)
		}
	}
	return true
}

// discard keeps a set for the next wide object, unless it is so large that clearing it
// would cost more than a new one.
func (s *scanner) discard(wide hashSet) {
	if n := len(wide.slots); n > 0 && n <= 1<<12 && len(s.free) < MaxDepth {
		clear(wide.slots)
		s.free = append(s.free, hashSet{slots: wide.slots})
	}
}

// hashSet is a set of nonzero hashes. At most half of its slots are used.
type hashSet struct {
	slots []uint64
	n     int
}

// add adds a hash, and reports whether it is new.
func (t *hashSet) add(hash uint64) bool {
	if 2*t.n >= len(t.slots) {
		grown := hashSet{slots: make([]uint64, max(4*narrow, 2*len(t.slots)))}
		for _, h := range t.slots {
			if h != 0 {
				grown.add(h)
			}
		}
		*t = grown
	}
	mask := uint64(len(t.slots) - 1) //nolint:gosec // there are slots
	for i := hash & mask; ; i = (i + 1) & mask {
		switch t.slots[i] {
		case 0:
			t.slots[i] = hash
			t.n++
			return true
		case hash:
			return false
		}
	}
}

// hash returns the same nonzero hash for all keys that encoding/json treats as one.
func (s *scanner) hash(key []byte) uint64 {
	s.folded = s.folded[:0]
	for i := 0; i < len(key); {
		c := key[i]
		if c < utf8.RuneSelf {
			if 'a' <= c && c <= 'z' {
				c -= 'a' - 'A'
			}
			s.folded = append(s.folded, c)
			i++
			continue
		}
		r, size := utf8.DecodeRune(key[i:])
		for folded := unicode.SimpleFold(r); ; folded = unicode.SimpleFold(folded) {
			if folded <= r { // the smallest of those that fold into each other
				r = folded
				break
			}
		}
		s.folded = utf8.AppendRune(s.folded, r)
		i += size
	}
	return max(maphash.Bytes(seed, s.folded), 1)
}

// split skips the value of dataKey, and records where its parts are.
func (s *scanner) split(depth int) error {
	s.space()
	start := s.at
	s.inner = true
	err := s.value(depth, true)
	s.inner = false
	s.parts.Data = s.data[start:s.at:s.at]
	return err
}

func (s *scanner) array(depth int) error {
	items := s.inner && depth == 2 // those of the data
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
			err := s.value(depth, true)
			if err != nil && (!items || errors.Is(err, errInvalid)) {
				return err
			}
			if err != nil {
				s.at = start
				s.skip()
				if s.parts.Refused == nil {
					s.parts.Refused = map[int]error{}
				}
				s.parts.Refused[len(s.parts.Items)] = err
			}
			if items {
				s.parts.Items = append(s.parts.Items, s.data[start:s.at:s.at])
			}
		}
	}
}

// errInvalid ends the scan of a document that is not valid JSON.
var errInvalid = errors.New("JSON that is not valid")

// str skips a string and returns what is between its quotes.
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

// literal skips a number, true, false or null.
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

// peek returns the next byte, 0 at the end.
func (s *scanner) peek() byte {
	if s.at < len(s.data) {
		return s.data[s.at]
	}
	return 0
}

// unescaped returns a key as encoding/json reads it: \u0061mount is amount.
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
