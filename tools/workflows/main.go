// Command workflows checks what runs on GitHub and cannot be run here: that the workflows
// call targets of the Makefile and nothing else, with the least permissions, time limits
// and actions at a commit, and that dependabot looks at every module.
//
//	go -C tools/workflows run . -root ../..
//
// The form of the workflows is checked by actionlint. Both are in a module of their own:
// it needs an older yaml than golangci-lint.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "workflows:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("workflows", flag.ContinueOnError)
	root := flags.String("root", ".", "the `directory` of the tree")
	if err := flags.Parse(args); err != nil {
		return err
	}
	makefile, err := os.ReadFile(filepath.Join(*root, "Makefile"))
	if err != nil {
		return err
	}
	targets := targetsOf(string(makefile))
	files, err := filepath.Glob(filepath.Join(*root, ".github", "workflows", "*.yml"))
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return errors.New("there are no workflows")
	}
	var problems []error
	for _, file := range files {
		data, err := os.ReadFile(file) //nolint:gosec // a folder of the caller's
		if err != nil {
			return err
		}
		for _, problem := range checkWorkflow(data, targets) {
			problems = append(problems, fmt.Errorf("%s: %w", filepath.Base(file), problem))
		}
	}
	dependabot, err := os.ReadFile(filepath.Join(*root, ".github", "dependabot.yml"))
	if err != nil {
		return err
	}
	tracked, err := trackedFiles(ctx, *root)
	if err != nil {
		return err
	}
	for _, problem := range checkDependabot(dependabot, tracked) {
		problems = append(problems, fmt.Errorf("dependabot.yml: %w", problem))
	}
	if len(problems) > 0 {
		return errors.Join(problems...)
	}
	fmt.Fprintf(out, "%d workflows call the Makefile and nothing else, and dependabot looks at every module\n", len(files))
	return nil
}

var targetLine = regexp.MustCompile(`(?m)^([a-z][a-z-]*):`)

// targetsOf returns the targets of a Makefile.
func targetsOf(makefile string) []string {
	var targets []string
	for _, match := range targetLine.FindAllStringSubmatch(makefile, -1) {
		targets = append(targets, match[1])
	}
	return targets
}

// workflow is what is checked of a workflow.
type workflow struct {
	Permissions permissions
	Concurrency struct {
		Group string
	}
	Jobs map[string]job
}

type job struct {
	Timeout     int `yaml:"timeout-minutes"`
	Permissions permissions
	Strategy    struct {
		Matrix map[string]yaml.Node
	}
	Steps []step
}

type permissions map[string]string

type step struct {
	Uses, Run yaml.Node
	With      map[string]string
}

var (
	pinned  = regexp.MustCompile(`^[\w.-]+/[\w./-]+@[0-9a-f]{40}$`)
	version = regexp.MustCompile(`^# v\d+\.\d+\.\d+$`)
	// makeCall is make with targets, of which one may be the matrix's.
	makeCall     = regexp.MustCompile(`^make( ([a-z][a-z-]*|\$\{\{ matrix\.\w+ \}\}))+$`)
	matrixTarget = regexp.MustCompile(`\$\{\{ matrix\.(\w+) \}\}`)
)

// checkWorkflow returns what is wrong with a workflow.
func checkWorkflow(data []byte, targets []string) []error {
	var w workflow
	if err := yaml.Unmarshal(data, &w); err != nil {
		return []error{err}
	}
	var problems []error
	fail := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if len(w.Permissions) != 1 || w.Permissions["contents"] != "read" {
		fail("its permissions are to be contents: read; a job that needs more says so itself")
	}
	if w.Concurrency.Group == "" {
		fail("it has no concurrency group")
	}
	if len(w.Jobs) == 0 {
		fail("it has no jobs")
	}
	for name, j := range w.Jobs {
		if j.Timeout == 0 {
			fail("job %s has no timeout-minutes", name)
		}
		for scope, access := range j.Permissions {
			if access == "write" && scope != "contents" {
				fail("job %s may write %s", name, scope)
			}
		}
		for _, s := range j.Steps {
			for _, err := range checkStep(s, j, targets) {
				fail("job %s: %w", name, err)
			}
		}
	}
	return problems
}

func checkStep(s step, j job, targets []string) []error {
	var problems []error
	if uses := s.Uses.Value; uses != "" {
		if !pinned.MatchString(uses) || !version.MatchString(s.Uses.LineComment) {
			problems = append(problems, fmt.Errorf("line %d: pin %s to a commit, with its version in a comment", s.Uses.Line, uses))
		}
		if strings.HasPrefix(uses, "actions/checkout@") && s.With["persist-credentials"] != "false" {
			problems = append(problems, fmt.Errorf("line %d: checkout is to have persist-credentials: false", s.Uses.Line))
		}
	}
	call := s.Run.Value
	switch {
	case call == "":
		return problems
	case !makeCall.MatchString(call):
		return append(problems, fmt.Errorf("line %d: %q is not a call of make with targets only", s.Run.Line, call))
	}
	// The matrix's words are targets too.
	for _, match := range matrixTarget.FindAllStringSubmatch(call, -1) {
		var words []string
		values := j.Strategy.Matrix[match[1]]
		if err := values.Decode(&words); err != nil || len(words) == 0 {
			problems = append(problems, fmt.Errorf("line %d: the matrix has no list %s", s.Run.Line, match[1]))
		}
		call += " " + strings.Join(words, " ")
	}
	for word := range strings.FieldsSeq(matrixTarget.ReplaceAllString(strings.TrimPrefix(call, "make "), "")) {
		if !slices.Contains(targets, word) {
			problems = append(problems, fmt.Errorf("line %d: the Makefile has no target %s", s.Run.Line, word))
		}
	}
	return problems
}

// manifests maps what dependabot calls a kind of dependencies to the file that has them.
var manifests = map[string]string{"gomod": "go.mod", "npm": "package.json"}

// checkDependabot compares the folders that dependabot looks at with the tracked files.
func checkDependabot(data []byte, tracked []string) []error {
	var config struct {
		Updates []struct {
			Ecosystem   string `yaml:"package-ecosystem"`
			Directory   string
			Directories []string
		}
	}
	if err := yaml.Unmarshal(data, &config); err != nil {
		return []error{err}
	}
	looked := map[string][]string{}
	for _, u := range config.Updates {
		looked[u.Ecosystem] = append(looked[u.Ecosystem], u.Directories...)
		if u.Directory != "" {
			looked[u.Ecosystem] = append(looked[u.Ecosystem], u.Directory)
		}
	}
	var problems []error
	if !slices.Contains(looked["github-actions"], "/") {
		problems = append(problems, errors.New("github-actions: / is missing"))
	}
	for ecosystem, manifest := range manifests {
		var want []string
		for _, file := range tracked {
			// A go.mod below testdata is data; a package.json there is installed by npm
			// ci.
			if path.Base(file) == manifest && (ecosystem == "npm" || !strings.Contains("/"+file, "/testdata/")) {
				want = append(want, path.Join("/", path.Dir(file)))
			}
		}
		for _, dir := range want {
			if !slices.Contains(looked[ecosystem], dir) {
				problems = append(problems, fmt.Errorf("%s: %s is missing", ecosystem, dir))
			}
		}
		for _, dir := range looked[ecosystem] {
			if !slices.Contains(want, dir) {
				problems = append(problems, fmt.Errorf("%s: %s has no %s", ecosystem, dir, manifest))
			}
		}
	}
	return problems
}

// trackedFiles lists what a commit would hold.
func trackedFiles(ctx context.Context, root string) ([]string, error) {
	list, err := exec.CommandContext(ctx, "git", "-C", root, "ls-files", "--cached", "--others", "--exclude-standard").Output() //nolint:gosec // a folder of the caller's
	if err != nil {
		return nil, fmt.Errorf("git ls-files: %w", err)
	}
	return strings.Fields(string(list)), nil
}
