// Package servetest runs "intram serve" as its tests use it, in two modules: the process,
// the forms of its dashboard, and a merchant's webhook handler.
package servetest

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	intram "github.com/intram/intram-go"
)

// playServe is set in the environment of a test binary that is to be "intram serve".
const playServe = "INTRAM_TEST_PLAY_SERVE"

// Main runs the tests, or the command in a process that [Start] has started. It is for
// TestMain, so that tests have a real process to stop and to kill.
func Main(m *testing.M, newCommand func(intram.Language) *cobra.Command) {
	if os.Getenv(playServe) == "" {
		os.Exit(m.Run())
	}
	command := newCommand(intram.English)
	command.SilenceUsage, command.SilenceErrors = true, true
	if err := command.ExecuteContext(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "intram:", err)
		os.Exit(1)
	}
	// net/http does not wait for the goroutines of the connections that it has closed:
	// they get a moment.
	left := goroutinesLeft()
	for patience := time.Now().Add(5 * time.Second); left != "" && time.Now().Before(patience); left = goroutinesLeft() {
		runtime.Gosched()
	}
	if left != "" {
		fmt.Fprintln(os.Stderr, "goroutines left:", left)
		os.Exit(3)
	}
	os.Exit(0)
}

// goroutinesLeft are the goroutines that are neither this one, nor the runtime's own
// (signals), nor net/http's at the end of a shutdown.
func goroutinesLeft() string {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	var left []string
	for i, g := range strings.Split(string(stacks), "\n\n") {
		if i > 0 && !strings.Contains(g, "os/signal.") && !strings.Contains(g, "created by net/http.(*Server).Shutdown") {
			left = append(left, g)
		}
	}
	return strings.Join(left, "\n\n")
}
