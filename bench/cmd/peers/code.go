package main

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
)

// codeBenchmarks are the benchmarks of the root package that compare themselves with a
// limit in the same run, and what each of their metrics is.
var codeBenchmarks = []struct{ name, metric, row string }{
	{"Sign", "x/hmac", "signing a payout, × the HMAC in it"},
	{"Sign", "allocs/op", "signing a payout, allocations"},
	{"DecodeOperation", "x/unmarshal", "decoding an operation, × json.Unmarshal into the same struct"},
	{"DecodeOperation", "allocs/answer", "decoding an operation, allocations"},
	{"DecodeTransactions", "x/unmarshal", "decoding a page of 100 transactions, × json.Unmarshal into the same struct"},
	{"DecodeTransactions", "allocs/item", "decoding a page of 100 transactions, allocations an item"},
	{"Verify", "x/hmac", "verifying and reading a webhook, × the HMAC in it"},
}

var benchmarkName = regexp.MustCompile(`^Benchmark(\w+?)(-\d+)?$`)

// measureCode runs the benchmarks of the root package, each several times, and takes the
// medians of their metrics.
func measureCode(ctx context.Context, s settings) (string, error) {
	fmt.Fprintln(s.progress, "code: the benchmarks of the root package")
	run := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "^Benchmark(Sign|Verify|DecodeOperation|DecodeTransactions)$", //nolint:gosec // our own arguments
		"-benchtime", "200ms", "-count", strconv.Itoa(s.rounds), ".")
	run.Dir = s.root
	output, err := run.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w\n%s", err, output)
	}
	metrics := make(map[string][]float64)
	for line := range strings.Lines(string(output)) {
		fields := strings.Fields(line)
		if len(fields) < 4 {
			continue
		}
		match := benchmarkName.FindStringSubmatch(fields[0])
		if match == nil {
			continue
		}
		for i := 2; i+1 < len(fields); i += 2 {
			value, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				return "", fmt.Errorf("%s: %w", line, err)
			}
			key := match[1] + " " + fields[i+1]
			metrics[key] = append(metrics[key], value)
		}
	}
	var out strings.Builder
	fmt.Fprintf(&out, "### Signing and decoding\n\n%d runs of each; medians.\n\n| what | |\n|---|--:|\n", s.rounds)
	for _, b := range codeBenchmarks {
		values := metrics[b.name+" "+b.metric]
		if len(values) == 0 {
			return "", fmt.Errorf("the benchmark %s reports no %s", b.name, b.metric)
		}
		fmt.Fprintf(&out, "| %s | %.2f |\n", b.row, median(values))
	}
	return out.String(), nil
}
