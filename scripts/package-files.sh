#!/usr/bin/env bash
# Writes what the packages of the command hold besides the program: completions of this very commit, and its man pages
# compressed, as packages have them. .goreleaser.yaml runs it before it builds.
#
#   package-files.sh FOLDER
set -euo pipefail
folder=$(realpath -m "${1:?the folder to write into}")
cd "$(dirname "$0")/.."
rm -rf "$folder"
mkdir -p "$folder/completions" "$folder/man/fr"
intram() { CGO_ENABLED=0 go -C cmd/intram run -trimpath -buildvcs=false . "$@"; }
intram completion bash >"$folder/completions/intram.bash"
intram completion zsh >"$folder/completions/_intram"
intram completion fish >"$folder/completions/intram.fish"
intram completion powershell >"$folder/completions/intram.ps1"
for page in cmd/intram/man/*.1; do
  gzip -9 -n -c "$page" >"$folder/man/$(basename "$page").gz"
done
for page in cmd/intram/man/fr/man1/*.1; do
  gzip -9 -n -c "$page" >"$folder/man/fr/$(basename "$page").gz"
done
