#!/usr/bin/env bash
# Fails when the output of a test run shows a secret or a person: the canaries that the tests plant
# (redaction_test.go), and anything that looks like a key, since every server makes keys of its own.
#
#   no-secrets.sh LOG          LOG is of the root module's tests, go test -v
#   no-secrets.sh LOG TEST     LOG is of a test of another module, which prints what is to be searched
set -euo pipefail
log=$1
# A log without the tests that plant the canaries proves nothing.
grep -q "${2-TestErrorsAndLogLinesShowNobody}" "$log" || { echo "no-secrets: $log is not a verbose run of the tests" >&2; exit 1; }
if grep -nE 'sk_(sandbox|live)_[0-9a-f]{8,}|whsec_[0-9a-f]{8,}|ca5ec2e7|22987654321|9876543219876543210|[Zz]ebulon|ZEBULON|Quixote|zanzibar' "$log"; then
  echo "no-secrets: the lines above show a secret or a person" >&2
  exit 1
fi
echo "no secret and nobody in $(wc -l <"$log") lines of output"
