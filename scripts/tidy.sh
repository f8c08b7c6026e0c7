#!/usr/bin/env bash
# Fails when a module's go.mod or go.sum is not what `go mod tidy` would write, and says how it differs.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
export GOWORK=off
modules=$("$root/scripts/modules.sh")
for module in $modules; do
  if ! go -C "$root/$module" mod tidy -diff; then
    echo "go.mod or go.sum of module $module is not tidy: run 'go -C $module mod tidy'" >&2
    exit 1
  fi
  echo "-- $module: tidy"
done
