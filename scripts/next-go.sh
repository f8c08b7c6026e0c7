#!/usr/bin/env bash
# Vets every module and tests the root package with the newer of the two supported versions of Go, which the go command brings:
# encoding/json and the vet checks differ between them.
set -euo pipefail
cd "$(dirname "$0")/.."
export GOTOOLCHAIN=${1:?the version, such as go1.27.3}
go version
scripts/each-module.sh go vet ./...
go test . ./internal/wire ./internal/strictjson ./internal/jsstringify ./internal/mockapi
