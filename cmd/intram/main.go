// Command intram is the Intram Merchant API on your laptop: the fake server with a window
// to look through, the calls of the API from a shell, and the tools one reaches for when
// a signature does not match.
package main

import (
	"os"

	"github.com/intram/intram-go/cmd/intram/internal/cli"
)

func main() { os.Exit(cli.Main()) }
