#!/usr/bin/env bash
# Computes the signature vectors again, with openssl alone, and fails when the committed ones differ: a vector
# that was edited to suit the code would prove nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
# gen.sh spells some characters as \u escapes, which bash expands by the locale.
export LC_ALL=C.UTF-8
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp testdata/vectors/gen.sh "$work/"
bash "$work/gen.sh"
made=0
for file in "$work"/*.json; do
  diff -u "testdata/vectors/$(basename "$file")" "$file"
  made=$((made + 1))
done
committed=$(find testdata/vectors -name '*.json' | wc -l)
if [[ $made -ne $committed ]]; then
  echo "gen.sh makes $made files of vectors, $committed are committed" >&2
  exit 1
fi
echo "$made files of vectors agree with openssl"
