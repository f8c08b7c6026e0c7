package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// describeMachine says where the numbers come from: the processor, the system and Go's
// version.
func describeMachine() string {
	cpu := field("/proc/cpuinfo", "model name", ":")
	system := strings.Trim(field("/etc/os-release", "PRETTY_NAME", "="), `"`)
	if cpu == "" {
		cpu = runtime.GOARCH
	}
	if system == "" {
		system = runtime.GOOS
	}
	return fmt.Sprintf("Measured on %s: %s, %d cores, %s (%s/%s), %s.",
		time.Now().UTC().Format(time.DateOnly), cpu, runtime.NumCPU(), system, runtime.GOOS, runtime.GOARCH, runtime.Version())
}

// field is the value of the first line of a file that starts with a name, empty when
// there is none.
func field(path, name, separator string) string {
	data, err := os.ReadFile(path) //nolint:gosec // of the machine, named above
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(data)) {
		if key, value, ok := strings.Cut(line, separator); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
