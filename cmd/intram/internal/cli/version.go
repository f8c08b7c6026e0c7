package cli

import (
	"regexp"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	intram "github.com/intram/intram-go"
)

func (a *app) versionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "version", Short: "Show the version of this program, and what it was built from", Args: exactly(),
		Long:    `Show the version of this program, the commit it was built from, its Go and its platform.`,
		Example: `  intram version --json | jq -r .commit`,
	}
	cmd.RunE = func(*cobra.Command, []string) error {
		info, _ := debug.ReadBuildInfo() // nil in a test
		v := versionOf(info)
		if a.asJSON {
			return a.printValue(v)
		}
		commit := v.Commit
		switch {
		case commit == "":
			commit = "not recorded" // built outside a clone, or without -buildvcs
		case v.Modified:
			commit += ", with changes"
		}
		a.printFields(field{"version", v.Version}, field{"commit", commit}, field{"committed", v.Time}, field{"go", v.Go}, field{"platform", v.Platform})
		return nil
	}
	return a.prints(cmd)
}

// version is what this program was built from.
type version struct {
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"`
	// Modified says that what was built is not the commit.
	Modified bool   `json:"modified,omitempty"`
	Time     string `json:"commit_time,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// versionOf returns the version information that the Go command wrote into the program.
func versionOf(info *debug.BuildInfo) version {
	v := version{Version: intram.Version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if info == nil {
		return v
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Commit = s.Value
		case "vcs.time":
			v.Time = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
}

// released reports whether a program is a released version as it was published, and not
// built from a clone.
func released(info *debug.BuildInfo) bool {
	return info != nil && releasedVersion.MatchString(info.Main.Version) && !versionOf(info).Modified
}

// releasedVersion leaves out (devel), pseudo-versions and what ends in +dirty.
var releasedVersion = regexp.MustCompile(`^v\d+\.\d+\.\d+(-(alpha|beta|rc)[.0-9]*)?$`)
