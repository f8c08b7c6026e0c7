#!/usr/bin/env bash
# Runs a command in the folder of every module that has Go packages, and stops at the first failure.
#
#   each-module.sh [--own] command [argument ...]
#
# The modules use each other as they are here, by go.work; some have a go.work of their own.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
which=()
if [[ ${1-} == --own ]]; then
  which=(--own)
  shift
fi
export GOWORK=auto
modules=$("$root/scripts/modules.sh" "${which[@]}")
for module in $modules; do
  cd "$root/$module"
  if [[ -z $(go list ./... 2>/dev/null) ]] && [[ -z $(find . -name '*.go' -print -quit) ]]; then
    echo "-- $module: no packages"
    continue
  fi
  echo "-- $module: $*"
  "$@"
done
