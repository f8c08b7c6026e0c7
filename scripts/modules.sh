#!/usr/bin/env bash
# Lists the folders of the repository's Go modules, the root first: every go.mod there is, so that a new
# module is checked from its first day without being added to a list. Folders named testdata are data.
#
#   modules.sh          all modules
#   modules.sh --own    all but the root module
set -euo pipefail
cd "$(dirname "$0")/.."
if [[ ${1-} != --own ]]; then
  echo .
fi
# Tracked files, and new ones that are not ignored: what a commit would hold.
git ls-files --cached --others --exclude-standard -- '*/go.mod' |
  grep -Ev '(^|/)testdata/' | sed 's|/go\.mod$||' | LC_ALL=C sort || [[ ${PIPESTATUS[1]} -eq 1 ]]
