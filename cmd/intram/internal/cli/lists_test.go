package cli

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What the note about the next page says is the whole of its cursor: a second less loses
// what was created within it.
func TestTheNextPageIsNamedToTheMillisecond(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.server.Advance(789 * time.Millisecond)
	for range 3 {
		b.ok(t, payoutArgs()...)
		b.server.Advance(time.Millisecond)
	}
	r := b.run(t, "payouts", "list", "--limit", "2")
	require.Zero(t, r.code, r.err)
	before := regexp.MustCompile(`--before (\S+),`).FindStringSubmatch(strings.Join(strings.Fields(r.err), " "))
	require.NotNil(t, before, r.err)
	assert.Equal(t, 2, strings.Count(b.ok(t, "payouts", "list", "--before", before[1]), "\n"), "the header, and the first of the three")
}
