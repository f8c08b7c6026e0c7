package serve

import (
	"testing"

	"github.com/spf13/cobra"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/cmd/intram/internal/serve/servetest"
)

func TestMain(m *testing.M) {
	servetest.Main(m, func() *cobra.Command { return Command(intram.English) })
}
