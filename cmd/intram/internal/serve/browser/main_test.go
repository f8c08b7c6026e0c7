// Package browser tests the pages of "intram serve" in a real browser. It is a module of
// its own and is never released, so that the command requires no browser driver.
package browser

import (
	"testing"

	"github.com/intram/intram-go/cmd/intram/internal/serve"
	"github.com/intram/intram-go/cmd/intram/internal/serve/servetest"
)

func TestMain(m *testing.M) { servetest.Main(m, serve.Command) }
