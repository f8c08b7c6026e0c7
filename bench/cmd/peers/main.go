// Command peers measures the SDK against its peers and against the limits, and writes the
// tables of bench/README.md.
//
//	go -C bench run ./cmd/peers                   # everything, to the terminal
//	go -C bench run ./cmd/peers -write README.md  # and into the file
//	go -C bench run ./cmd/peers -only calls       # one part: calls, fake or code
//
// The servers are processes of their own, started from this very binary, so that the
// client's time and memory are the client's. Rounds are interleaved: in each, every
// client is measured once, and ratios are taken within a round. On a shared machine times
// drift by a third from minute to minute; what ran side by side drifts together.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
)

// settings are what the flags say.
type settings struct {
	rounds, calls int
	only, write   string
	root          string
	progress      io.Writer
}

func main() {
	var s settings
	serve := flag.String("serve", "", "be a server: "+strings.Join(serverNames(), ", ")+" (the command starts these itself)")
	flag.IntVar(&s.rounds, "rounds", 11, "how many rounds")
	flag.IntVar(&s.calls, "calls", 2000, "how many calls a client makes in a round, and three times as many with 64 callers")
	flag.StringVar(&s.only, "only", "", "measure one part only: calls, fake or code")
	flag.StringVar(&s.write, "write", "", "write the tables into this file, between its markers")
	flag.StringVar(&s.root, "root", "..", "the folder of the root module, for the part named code")
	flag.Parse()
	s.progress = os.Stderr
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	if *serve != "" {
		err = runServer(*serve, os.Stdin, os.Stdout)
	} else {
		err = measure(ctx, s)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1) //nolint:gocritic // nothing is left to be undone: the servers end with this process
	}
}

// parts are the sections of the report. Each returns its tables in Markdown.
var parts = []struct {
	name string
	run  func(context.Context, settings) (string, error)
}{{"calls", measureCalls}, {"fake", measureFake}, {"code", measureCode}}

func measure(ctx context.Context, s settings) error {
	names := make([]string, len(parts))
	for i, part := range parts {
		names[i] = part.name
	}
	if s.only != "" && !slices.Contains(names, s.only) {
		return fmt.Errorf("-only: there is no part %q: there are %s", s.only, strings.Join(names, ", "))
	}
	if s.rounds < 1 || s.calls < 100 {
		return fmt.Errorf("-rounds must be at least 1, and -calls at least 100")
	}
	machine := describeMachine()
	fmt.Println(machine)
	for _, part := range parts {
		if s.only != "" && s.only != part.name {
			continue
		}
		tables, err := part.run(ctx, s)
		if err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
		fmt.Printf("\n%s", tables)
		if s.write != "" {
			if err := writeSection(s.write, part.name, machine+"\n\n"+tables); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeSection replaces what stands between a part's two markers in a file.
func writeSection(path, name, text string) error {
	begin, end := "<!-- "+name+": written by cmd/peers -->\n", "<!-- /"+name+" -->\n"
	file, err := os.ReadFile(path) //nolint:gosec // what -write names
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(file), begin)
	if !ok {
		return fmt.Errorf("%s has no line %s", path, strings.TrimSpace(begin))
	}
	_, after, ok := strings.Cut(rest, end)
	if !ok {
		return fmt.Errorf("%s has no line %s", path, strings.TrimSpace(end))
	}
	return os.WriteFile(path, []byte(before+begin+"\n"+strings.TrimSpace(text)+"\n\n"+end+after), 0o644) //nolint:gosec // a document that all may read
}
