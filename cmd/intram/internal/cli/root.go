// Package cli is the intram command: its root, its subcommands, and what they share.
package cli

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	intram "github.com/intram/intram-go"
)

// Main runs the command of this process, and returns its exit status.
func Main() int {
	return run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintln(stderr, "intram:", err)
		return 1
	}
	return 0
}

func newRoot() *cobra.Command {
	return &cobra.Command{
		Use:           "intram",
		Short:         "The Intram Merchant API on your laptop",
		Version:       intram.Version,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
}
