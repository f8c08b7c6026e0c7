package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const home = "https://github.com/example/pay"

func TestUnreleasedBecomesTheSectionOfTheVersion(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 11, 30, 23, 30, 0, 0, time.FixedZone("", -2*3600))
	for name, tt := range map[string]struct{ before, previous, after string }{
		"with links": {
			"# Changelog\n\n## [Unreleased]\n\n### Added\n\n- New.\n\n## [0.1.0] - 2026-11-01\n\n- Old.\n\n" +
				"[Unreleased]: " + home + "/compare/v0.1.0...HEAD\n[0.1.0]: " + home + "/releases/tag/v0.1.0\n",
			"v0.1.0",
			"# Changelog\n\n## [Unreleased]\n\n## [0.2.0] - 2026-12-01\n\n### Added\n\n- New.\n\n## [0.1.0] - 2026-11-01\n\n- Old.\n\n" +
				"[Unreleased]: " + home + "/compare/v0.2.0...HEAD\n[0.2.0]: " + home + "/compare/v0.1.0...v0.2.0\n[0.1.0]: " + home + "/releases/tag/v0.1.0\n",
		},
		"the first, without links": {
			"# Changelog\n\n## Unreleased\n\n- New.\n",
			"",
			"# Changelog\n\n## Unreleased\n\n## [0.2.0] - 2026-12-01\n\n- New.\n\n[0.2.0]: " + home + "/releases/tag/v0.2.0\n",
		},
		"a version whose number begins like it": {
			"## Unreleased\n- New.\n\n## [0.2.0-rc.1] - 2026-11-01\n\n- Old.\n",
			"v0.2.0-rc.1",
			"## Unreleased\n\n## [0.2.0] - 2026-12-01\n- New.\n\n## [0.2.0-rc.1] - 2026-11-01\n\n- Old.\n\n[0.2.0]: " + home + "/compare/v0.2.0-rc.1...v0.2.0\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			after, err := releaseChangelog(tt.before, "v0.2.0", tt.previous, home, day)
			require.NoError(t, err)
			assert.Equal(t, tt.after, after)
		})
	}
}

func TestAChangelogWithNothingToReleaseIsRefused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ text, want string }{
		"no heading":       {"# Changelog\n\n- Loose.\n", `no heading "## [Unreleased]"`},
		"nothing under it": {"## Unreleased\n\n## 0.1.0\n\n- Old.\n", "no entry under Unreleased"},
		"headings alone":   {"## [Unreleased]\n\n### Added\n\n### Fixed\n\n## 0.1.0\n\n- Old.\n", "no entry under Unreleased"},
		"nothing at all":   {"## Unreleased\n", "no entry under Unreleased"},
		"two headings":     {"## [Unreleased]\n\n- New.\n\n## Unreleased\n\n- Newer.\n", "two headings"},
		"it has it":        {"## Unreleased\n\n- New.\n\n## [0.2.0] - 2026-11-01\n", "has a section 0.2.0"},
		"it has it, plain": {"## Unreleased\n\n- New.\n\n## 0.2.0\n", "has a section 0.2.0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := releaseChangelog(tt.text, "v0.2.0", "v0.1.0", home, time.Unix(0, 0))
			assert.ErrorContains(t, err, tt.want)
		})
	}
}
