// Command release publishes the repository's modules, and proves beforehand that they
// install.
//
//	go -C tools run ./release proxy -dir D               # the tree as a GOPROXY file tree in D, at the version of intram.go
//	go -C tools run ./release proxy -dir D -version V    # at version V
//
//	go -C tools run ./release cut -version V             # what a release of V would be; nothing is changed
//	go -C tools run ./release cut -version V -yes        # its commit and its tags; nothing is pushed
//	go -C tools run ./release check                      # installs every module from such a proxy, and prints what it installed
//
// A module requires the others at the version that is built, with their checksums.
// modules.go lists which modules are published.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("interrupted: %w", err)
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

const usage = "want a command: proxy, cut or check"

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 0 {
		return errors.New(usage)
	}
	switch args[0] {
	case "proxy":
		return runProxy(ctx, args[1:], out)
	case "cut":
		return runCut(ctx, args[1:], out)
	case "check":
		return runCheck(ctx, args[1:], out)
	default:
		return fmt.Errorf("%q: %s", args[0], usage)
	}
}

func runProxy(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("proxy", flag.ContinueOnError)
	flags.SetOutput(out)
	root := flags.String("root", "..", "the directory of the tree")
	dir := flags.String("dir", "", "the folder to write the proxy into")
	version := flags.String("version", "", "the version to build; without it, that of intram.go")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *dir == "" {
		return errors.New("-dir is missing: the folder to write the proxy into")
	}
	r, err := openRepository(ctx, *root, ours)
	if err != nil {
		return err
	}
	if *version == "" {
		*version = r.version
	}
	e, err := newEdition(r, *version)
	if err != nil {
		return err
	}
	at, err := r.committed(ctx)
	if err != nil {
		return err
	}
	if err := e.writeProxy(*dir, at); err != nil {
		return err
	}
	for _, m := range r.published() {
		fmt.Fprintf(out, "%s %s %s\n", m.path, e.version, e.builds[m.path].zipSum)
	}
	return nil
}

// committed returns the time of the last commit: the same tree makes the same files.
func (r *repository) committed(ctx context.Context) (time.Time, error) {
	out, err := git(ctx, r.root, "log", "-1", "--format=%cI")
	if err != nil {
		return time.Time{}, err
	}
	return time.Parse(time.RFC3339, strings.TrimSpace(out))
}
