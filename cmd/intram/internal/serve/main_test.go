package serve

import (
	"testing"

	"github.com/intram/intram-go/cmd/intram/internal/serve/servetest"
)

func TestMain(m *testing.M) { servetest.Main(m, Command) }
