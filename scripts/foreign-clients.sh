#!/usr/bin/env bash
# Runs the clients and receivers of internal/mockapi/testdata/clients against the fake and compares what they got with what
# the SDK gets. A client that did not run is a failure here, whatever the environment.
set -euo pipefail
cd "$(dirname "$0")/.."
export GOWORK=auto CI=true
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# Without -race, which the tests themselves had: this run is about the clients having run at all.
receivers=(TestAReceiverInExpress TestAPayinReceiverInExpress)
go test -count=1 -v -run "^(TestForeignClients|$(IFS='|' && echo "${receivers[*]}"))\$" ./internal/mockapi 2>&1 | tee "$log"
passed=("${receivers[@]}")
for client in internal/mockapi/testdata/clients/client.*; do
  passed+=("TestForeignClients/$(basename "$client")")
done
for name in "${passed[@]}"; do
  if ! grep -q -- "--- PASS: $name " "$log"; then
    echo "$name did not run" >&2
    exit 1
  fi
done
