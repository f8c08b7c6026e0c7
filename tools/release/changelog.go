package main

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
)

var (
	unreleasedHeading = regexp.MustCompile(`(?m)^## (\[Unreleased\]|Unreleased)[ \t]*\n`)
	unreleasedLink    = regexp.MustCompile(`(?m)^\[Unreleased\]:.*\n`)
	changelogEntry    = regexp.MustCompile(`(?m)^[-*] \S`)
)

// checkUnreleased returns an error if a changelog has no entry under "Unreleased", or two
// such sections.
func checkUnreleased(text string) error {
	at := unreleasedHeading.FindStringIndex(text)
	if at == nil {
		return errors.New(`CHANGELOG.md has no heading "## [Unreleased]"`)
	}
	if unreleasedHeading.MatchString(text[at[1]:]) { // as a merge leaves it
		return errors.New(`CHANGELOG.md has two headings "## [Unreleased]": put what is under them under one`)
	}
	section, _, _ := strings.Cut(text[at[1]:], "\n## ")
	if !changelogEntry.MatchString(section) {
		return errors.New("CHANGELOG.md: there is no entry under Unreleased; say what the release changes")
	}
	return nil
}

// releaseChangelog moves what is under "Unreleased" to a section of the version, with a
// link to its changes since the previous version, or to the release if there is none.
// home is the address of the repository.
func releaseChangelog(text, version, previous, home string, day time.Time) (string, error) {
	if err := checkUnreleased(text); err != nil {
		return "", err
	}
	number := strings.TrimPrefix(version, "v")
	if regexp.MustCompile(`(?m)^## \[?` + regexp.QuoteMeta(number) + `[\] \n]`).MatchString(text) {
		return "", fmt.Errorf("CHANGELOG.md has a section %s", number)
	}
	at := unreleasedHeading.FindStringIndex(text)
	text = text[:at[1]] + fmt.Sprintf("\n## [%s] - %s\n", number, day.UTC().Format(time.DateOnly)) + text[at[1]:]

	changes := fmt.Sprintf("%s/releases/tag/%s", home, version)
	if previous != "" {
		changes = fmt.Sprintf("%s/compare/%s...%s", home, previous, version)
	}
	link := fmt.Sprintf("[%s]: %s\n", number, changes)
	if at := unreleasedLink.FindStringIndex(text); at != nil {
		link = fmt.Sprintf("[Unreleased]: %s/compare/%s...HEAD\n", home, version) + link
		return text[:at[0]] + link + text[at[1]:], nil
	}
	return strings.TrimRight(text, "\n") + "\n\n" + link, nil
}
