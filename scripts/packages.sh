#!/usr/bin/env bash
# Builds the binaries and packages of the intram command into dist/, as .goreleaser.yaml says.
#
#   packages.sh              a snapshot of this tree: nothing is published
#   packages.sh --publish    the release of the tag at HEAD, on GitHub: wants GITHUB_TOKEN
#
# goreleaser and cyclonedx-gomod are those of tools/packaging: `make packaging-tools` builds them into .bin.
set -euo pipefail
cd "$(dirname "$0")/.."
version=$(sed -n 's/^const Version = "\(.*\)"$/\1/p' intram.go)
# The tag is named, since each module has its own at this commit. The address is given too: goreleaser knows no commit without one.
export GORELEASER_CURRENT_TAG=v$version
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=remote.origin.url GIT_CONFIG_VALUE_0=https://github.com/intram/intram-go.git
if [[ ${1-} != --publish ]]; then
  # The other modules as they are here.
  GOWORK=auto goreleaser release --snapshot --clean
  exit
fi
if [[ -z ${GITHUB_TOKEN-} ]]; then
  echo "GITHUB_TOKEN is not set: a token that may write releases of intram/intram-go" >&2
  exit 1
fi
notes=$(mktemp)
trap 'rm -f "$notes"' EXIT
awk -v heading="## [$version]" 'index($0, heading) == 1 { on = 1; next } /^## / { on = 0 } on' CHANGELOG.md >"$notes"
if ! grep -q '[^[:space:]]' "$notes"; then
  echo "CHANGELOG.md has no section [$version]: make release writes it" >&2
  exit 1
fi
# The published modules, with the checksums of go.sum, as for `go install`. goreleaser refuses a tree that is not the tag's.
GOWORK=off goreleaser release --clean --release-notes "$notes"
