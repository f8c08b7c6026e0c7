#!/usr/bin/env bash
# Fails when a Go file is not formatted, and says which. `make fmt` mends it.
set -euo pipefail
cd "$(dirname "$0")/.."
files=()
while IFS= read -r -d '' file; do
  if [[ -e $file ]]; then # not deleted since the last commit
    files+=("$file")
  fi
done < <(git ls-files -z --cached --others --exclude-standard -- '*.go')
if [[ ${1-} == --write ]]; then
  gofmt -s -w "${files[@]}"
  exit
fi
unformatted=$(gofmt -s -l "${files[@]}")
if [[ -n $unformatted ]]; then
  printf 'not formatted (make fmt mends it):\n%s\n' "$unformatted" >&2
  exit 1
fi
echo "${#files[@]} files formatted"
