#!/usr/bin/env bash
# Fails when a program that imports the SDK would link anything but the standard library, go-retryablehttp
# (with its cleanhttp), uuid and the decimal library. A user's go.sum is a feature.
set -euo pipefail
cd "$(dirname "$0")/.."
export GOWORK=off # as for an importer
# The SDK's own packages, but not the fake and its door.
own='github\.com/intram/intram-go(/internal/[a-z]+)?'
fake='^github\.com/intram/intram-go/(internal/mockapi|intramtest)(/|$)'
allowed='^('$own'|github\.com/hashicorp/go-(retryablehttp|cleanhttp)|github\.com/google/uuid|github\.com/cockroachdb/apd/v3)$'
# Into a variable first: a failing go list must fail the check, not leave nothing to complain about.
deps=$(go list -deps -f '{{if not .Standard}}{{.ImportPath}}{{end}}' .)
stray=$(grep -v '^$' <<<"$deps" | grep -Ev "$allowed" || true)
stray+=$(grep -E "$fake" <<<"$deps" || true)
if [[ -n $stray ]]; then
  printf 'the root package depends on more than it may:\n%s\n' "$stray" >&2
  exit 1
fi
grep -v '^$' <<<"$deps"
