// Command ratio compares benchmarks that ran in the same rounds. On a shared machine
// times drift by a third from minute to minute; what ran side by side drifts together.
//
//	go test -c -o bench.test .
//	for i in $(seq 20); do ./bench.test -test.run '^$' -test.bench Webhook -test.benchtime 30ms; done | go run ./cmd/ratio -base limit
//
// The loop makes the rounds: go test -count runs each benchmark its number of times
// before the next.
//
// A benchmark is compared with the one of its own group that has the base's name:
// Benchmark/group/name. For each it prints the median time, the allocations, the median
// of the ratios with their quartiles, and the ratio of the shortest times: what others do
// on the machine can only make a time longer.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

func main() {
	base := flag.String("base", "limit", "the name of the benchmark to compare with")
	flag.Parse()
	if err := compare(os.Stdin, os.Stdout, *base); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// rounds are the results of one benchmark, in the order that they ran.
type rounds struct{ ns, allocs []float64 }

var procs = regexp.MustCompile(`-\d+$`)

func compare(in io.Reader, out io.Writer, base string) error {
	results, order, err := read(in)
	if err != nil {
		return err
	}
	for _, name := range order {
		r := results[name]
		against := results[name[:strings.LastIndexByte(name, '/')+1]+base]
		line := fmt.Sprintf("%-44s %10.0f ns %5.0f allocs", name, median(r.ns), median(r.allocs))
		if against != nil && len(against.ns) == len(r.ns) {
			ratios := make([]float64, len(r.ns))
			for i := range r.ns {
				ratios[i] = r.ns[i] / against.ns[i]
			}
			slices.Sort(ratios)
			line += fmt.Sprintf("  x%.2f [%.2f-%.2f], shortest x%.2f of %s, %d rounds", median(ratios), ratios[len(ratios)/4],
				ratios[len(ratios)*3/4], slices.Min(r.ns)/slices.Min(against.ns), base, len(ratios))
		}
		if _, err := fmt.Fprintln(out, line); err != nil {
			return err
		}
	}
	return nil
}

func read(in io.Reader) (results map[string]*rounds, order []string, err error) {
	results = make(map[string]*rounds)
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		name := procs.ReplaceAllString(fields[0], "")
		r := results[name]
		if r == nil {
			r = new(rounds)
			results[name] = r
			order = append(order, name)
		}
		for i := 2; i+1 < len(fields); i += 2 {
			value, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				return nil, nil, fmt.Errorf("%s: %w", name, err)
			}
			switch fields[i+1] {
			case "ns/op":
				r.ns = append(r.ns, value)
			case "allocs/op":
				r.allocs = append(r.allocs, value)
			}
		}
	}
	return results, order, lines.Err()
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}
