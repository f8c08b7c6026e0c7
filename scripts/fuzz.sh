#!/usr/bin/env bash
# Fuzzes every fuzz target of every module, one after the other: go test takes one at a time.
#
#   fuzz.sh TIME [MINIMUM]
#
# TIME is for each target (10m, 5s). Fewer targets than MINIMUM is a failure: a target that was renamed
# away or lost its build tag must not pass for one that found nothing.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
time=${1:?how long to fuzz each target, such as 10m}
minimum=${2:-1}
export GOWORK=auto
log=$(mktemp)
trap 'rm -f "$log"' EXIT

fuzz() { # package, target
  go test -run '^$' -fuzz "^$2\$" -fuzztime "$time" "$1" 2>&1 | tee "$log"
}

# When the time is up while a worker is in the middle of an input, go test may call that a failure
# ("context deadline exceeded", golang/go#75804). It is one only if an input was written down.
out_of_time() {
  grep -q '^ *context deadline exceeded$' "$log" && ! grep -Eq 'Failing input written|panic:|_test\.go:[0-9]+:' "$log"
}

found=0
modules=$("$root/scripts/modules.sh")
for module in $modules; do
  cd "$root/$module"
  packages=$(go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' ./...)
  for package in $packages; do
    # -list asks the compiled test binary, so that what is counted is what can run. Two steps, or a package
    # that does not compile would pass for one without targets.
    listed=$(go test -list '^Fuzz' "$package")
    for target in $(grep '^Fuzz' <<<"$listed" || true); do
      found=$((found + 1))
      echo "-- $package $target, $time"
      fuzz "$package" "$target" || {
        out_of_time || exit 1
        echo "-- $package $target, once more: the time was up in the middle of an input"
        fuzz "$package" "$target"
      }
    done
  done
done
echo "$found fuzz targets"
if [[ $found -lt $minimum ]]; then
  echo "there must be at least $minimum fuzz targets" >&2
  exit 1
fi
