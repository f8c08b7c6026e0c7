package cli

import (
	"cmp"
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
		v := versionOf(info, linked)
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

// Set by the linker for the binaries of a release (.goreleaser.yaml), and empty in a
// program that the Go command built alone.
var buildVersion, buildCommit, buildTime string

// linked is what the linker was told of this program.
var linked = stamp{buildVersion, buildCommit, buildTime}

// stamp is the version and the commit that a packaged binary was built from.
type stamp struct{ version, commit, time string }

// current returns the version of the program: the packaged one, or that of its SDK.
func (s stamp) current() string { return cmp.Or(s.version, intram.Version) }

// versionOf returns the version information of a packaged binary, or what the Go command
// wrote into the program.
func versionOf(info *debug.BuildInfo, packaged stamp) version {
	v := version{Version: packaged.current(), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if packaged.commit != "" {
		v.Commit, v.Time = packaged.commit, packaged.time
		return v
	}
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

// released reports whether a program is a released version as it was published: packaged,
// or built by "go install" of a version. Others are built from a clone.
func released(info *debug.BuildInfo, packaged stamp) bool {
	if packaged.version != "" {
		return releasedVersion.MatchString("v" + packaged.version)
	}
	return info != nil && releasedVersion.MatchString(info.Main.Version) && !versionOf(info, packaged).Modified
}

// releasedVersion leaves out (devel), pseudo-versions, snapshots and what ends in +dirty.
var releasedVersion = regexp.MustCompile(`^v\d+\.\d+\.\d+(-(alpha|beta|rc)[.0-9]*)?$`)
