package transport

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
)

// net/http closes the connection of a request that was given up on HTTP/1 itself: the others are kept.
func TestTimeoutOnHTTP1LeavesThePoolAlone(t *testing.T) {
	t.Parallel()
	first := &http.Transport{}
	r := NewRenewing(first)
	r.answered(&http.Response{ProtoMajor: 1})
	r.timedOut(first)
	assert.Same(t, first, r.current)
	r.answered(&http.Response{ProtoMajor: 2})
	r.timedOut(first)
	assert.NotSame(t, first, r.current)
}

// Many attempts time out on one connection at once. That makes one new transport.
func TestManyTimeoutsRenewOnce(t *testing.T) {
	t.Parallel()
	first := &http.Transport{}
	r := NewRenewing(first)
	r.timedOut(first)
	second := r.current
	assert.NotSame(t, first, second)
	r.timedOut(first)
	assert.Same(t, second, r.current)
}
