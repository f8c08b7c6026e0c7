#!/usr/bin/env bash
# Builds and vets the SDK, its tests included, for systems that CI does not run on, and runs what this machine can run of them:
# the root module's tests in 32 bits, and the quickstart in Go's strict FIPS 140 mode.
set -euo pipefail
cd "$(dirname "$0")/.."
export CGO_ENABLED=0 GOWORK=auto
# What is built for each: the root module with everything below it, the batch engine, and the command. js/wasm has no command:
# it has no files and no signals.
platforms=(linux/386 linux/arm windows/amd64 darwin/arm64 freebsd/amd64 js/wasm)
for platform in "${platforms[@]}"; do
  modules=(. batch cmd/intram)
  if [[ $platform == js/wasm ]]; then
    modules=(.)
  fi
  for module in "${modules[@]}"; do
    echo "-- $platform: $module"
    # vet checks the types of tests too; only build makes code.
    (cd "$module" && export GOOS=${platform%/*} GOARCH=${platform#*/} && go build ./... && go vet ./...)
  done
done

host=$(go env GOHOSTOS)/$(go env GOHOSTARCH)
if [[ $host == linux/amd64 ]]; then
  echo "-- linux/386: tests"
  GOARCH=386 go test -short . ./internal/... ./intramtest/...
elif [[ ${CI-} == true ]]; then
  echo "the 32-bit tests need linux/amd64, and this is $host" >&2
  exit 1
else
  echo "-- linux/386: tests are skipped, since this is $host"
fi

echo "-- GODEBUG=fips140=only: quickstart and vectors"
# The program alone is in that mode: the go command is not made for it.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
go build -o "$work/quickstart" ./examples/quickstart
env -u INTRAM_PUBLIC_KEY -u INTRAM_SECRET_KEY -u INTRAM_BASE_URL GODEBUG=fips140=only "$work/quickstart" >"$work/said" ||
  { cat "$work/said" >&2; exit 1; }
tail -n 1 "$work/said"
go test -count=1 -run '^TestStrictFIPSModePanicsNowhere$' .
