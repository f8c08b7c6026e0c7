package signature

import (
	"crypto/hmac"
	"iter"
	"slices"
)

// option is one way in which a part of the signed string may have been written. The first
// of a part's options is the right one.
type option struct {
	id, what, fix string
	value         string
	// again makes the same mistake with what another one has made of the part; nil if
	// that cannot be.
	again func(string) string
	// after is the mistake that was made before this one, nil for a single one.
	after *option
	// rare mistakes count for two, so that fewer of them are tried with others.
	rare bool
}

// weight is how many mistakes an option is.
func (o *option) weight() int {
	if o.after != nil || o.rare {
		return 2
	}
	return 1
}

// ending adds a text at the end of another.
func ending(end string) func(string) string { return func(text string) string { return text + end } }

// The parts that a signature is made from.
const (
	partKey = iota
	partTimestamp
	partMethod
	partPath
	partQuery
	partBody
	partLayout
	partAlgorithm
	parts
)

// choice is one option of each part, by its index.
type choice [parts]int

// puzzle is the options of all parts.
type puzzle struct {
	options    [parts][]option
	layouts    []func(fields []string) string
	algorithms []func(key, text []byte) []byte
}

// add offers another option of a part, unless it comes to the same as one that is there.
func (p *puzzle) add(part int, options ...option) {
	for _, o := range options {
		same := func(other option) bool { return other.value == o.value }
		if !slices.ContainsFunc(p.options[part], same) {
			p.options[part] = append(p.options[part], o)
		}
	}
}

// sum is the signature of one choice.
func (p *puzzle) sum(c choice) []byte {
	text := p.layouts[c[partLayout]](p.fields(c))
	return p.algorithms[c[partAlgorithm]]([]byte(p.options[partKey][c[partKey]].value), []byte(text))
}

// fields are the five fields that a choice signs.
func (p *puzzle) fields(c choice) []string {
	fields := make([]string, 0, 5)
	for _, part := range []int{partTimestamp, partMethod, partPath, partQuery, partBody} {
		fields = append(fields, p.options[part][c[part]].value)
	}
	return fields
}

// compose offers what two mistakes in one part come to: a query both unsorted and
// decoded. Those of the body only while it is small.
func (p *puzzle) compose() {
	for part := range parts {
		if part == partBody && len(p.options[part][0].value) > smallBody {
			continue
		}
		single := slices.Clone(p.options[part])
		for i := range single[min(1, len(single)):] {
			first := &single[i+1]
			for _, second := range single[1:] {
				if second.again == nil || second.id == first.id || first.rare {
					continue
				}
				second.value, second.after = second.again(first.value), first
				p.add(part, second)
			}
		}
	}
}

// The search ends early when the body is long: thousands of hashes of it would take too
// long.
const (
	largeBody = 1 << 19 // from here on one mistake alone is looked for
	smallBody = 1 << 12 // up to here three
)

// solve looks for the fewest mistakes that give one of the sums: none, one, then two.
// Then another time may have been signed than the one that was sent, with no other
// mistake or with one; and last there may be three. A time that was signed is left as an
// option of its part.
func (p *puzzle) solve(sums [][]byte, times iter.Seq[guess]) (choice, bool) {
	length := len(p.options[partBody][0].value)
	for mistakes := range 3 {
		if mistakes == 2 && length > largeBody {
			return choice{}, false
		}
		if c, ok := p.search(sums, mistakes); ok {
			return c, true
		}
	}
	c, ok := p.searchTimes(sums, times)
	if ok || length > smallBody {
		return c, ok
	}
	return p.search(sums, 3)
}

// searchTimes looks for a time that gives one of the sums, as long as that takes a second
// or two.
func (p *puzzle) searchTimes(sums [][]byte, times iter.Seq[guess]) (choice, bool) {
	known := p.options[partTimestamp]
	bytes := 1 << 30
	for mistakes := range 2 {
		if mistakes == 1 && len(p.options[partBody][0].value) > smallBody {
			break
		}
		for g := range times {
			if mistakes == 1 && !g.near {
				continue
			}
			if bytes -= len(p.options[partBody][0].value) + headBytes; bytes < 0 {
				break
			}
			p.options[partTimestamp] = []option{{value: g.value}}
			if c, ok := p.search(sums, mistakes); ok {
				c[partTimestamp] = 1
				p.options[partTimestamp] = []option{known[0], {id: g.id, what: g.what, fix: sameTime, value: g.value}}
				return c, true
			}
		}
	}
	p.options[partTimestamp] = known
	return choice{}, false
}

// headBytes is about what is hashed besides the body.
const headBytes = 256

// search tries all choices of so many mistakes.
func (p *puzzle) search(sums [][]byte, mistakes int) (choice, bool) {
	var (
		c   choice
		try func(from, left int) bool
	)
	try = func(from, left int) bool {
		if left == 0 {
			sum := p.sum(c)
			return slices.ContainsFunc(sums, func(s []byte) bool { return hmac.Equal(s, sum) })
		}
		for part := from; part < parts; part++ {
			for i := 1; i < len(p.options[part]); i++ {
				weight := p.options[part][i].weight()
				if weight > left {
					continue
				}
				c[part] = i
				if try(part+1, left-weight) {
					return true
				}
			}
			c[part] = 0
		}
		return false
	}
	found := try(0, mistakes)
	return c, found
}

// findings are the mistakes of a choice.
func (p *puzzle) findings(c choice) []Finding {
	var found []Finding
	for part := range parts {
		if c[part] == 0 {
			continue
		}
		o := p.options[part][c[part]]
		if o.after != nil {
			found = append(found, Finding{ID: o.after.id, What: o.after.what, Fix: o.after.fix})
		}
		found = append(found, Finding{ID: o.id, What: o.what, Fix: o.fix})
	}
	return found
}
