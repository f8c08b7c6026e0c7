#!/usr/bin/env bash
# Fails when a module's go.mod or go.sum is not what `go mod tidy` would write, or a go.work.sum lacks checksums, and says what differs.
#
#   tidy.sh            the check
#   tidy.sh --write    writes what is missing
#
# go mod tidy ignores go.work, and the versions that the modules require of each other may not be published yet. So each module is
# tidied in a copy of its go.mod that takes the others from their folders. Checksums of the others are not looked at: they are of
# published versions, and `make release` writes them.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
export GOWORK=off
write=false
if [[ ${1-} == --write ]]; then
  write=true
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

modules=$("$root/scripts/modules.sh")
own='github\.com/intram/intram-go(/[a-z/]+)?'
replace=() drop=()
for module in $modules; do
  path=$(sed -n 's/^module //p' "$root/$module/go.mod")
  replace+=("-replace=$path=$root/$module")
  drop+=("-dropreplace=$path")
done

failed=false
for module in $modules; do
  cd "$root/$module"
  for file in go.mod go.sum; do
    touch "$file"
    cp "$file" "$work/${file/go/before}"
  done
  # Without the others' checksums.
  grep -vE "^$own v" go.sum >"$work/before.sum" || true
  cp "$work/before.sum" "$work/after.sum"
  cp go.mod "$work/after.mod"
  go mod edit "${replace[@]}" "$work/after.mod"
  go mod tidy -modfile="$work/after.mod"
  go mod edit "${drop[@]}" "$work/after.mod"
  if $write; then
    cp "$work/after.mod" go.mod
    # By path alone, so that the go command's order of versions stays.
    { grep -E "^$own v" go.sum || true; } | LC_ALL=C sort -s -m -k1,1 - "$work/after.sum" >"$work/sum"
    cp "$work/sum" go.sum
  elif ! diff -u --label "$module/go.mod" --label "tidy go.mod" "$work/before.mod" "$work/after.mod" ||
    ! diff -u --label "$module/go.sum" --label "tidy go.sum" "$work/before.sum" "$work/after.sum"; then
    echo "module $module is not tidy: run 'make tidy'" >&2
    failed=true
    continue
  fi
  # A version that the workspace does not replace would be looked for in the world, where it may not be yet.
  workspace=$root/go.work
  if [[ -f go.work ]]; then
    workspace=$PWD/go.work
  fi
  while read -r path version; do
    if ! grep -qF "$path $version => " "$workspace"; then
      echo "module $module requires $path $version, which ${workspace#"$root"/} does not replace" >&2
      failed=true
    fi
  done < <(grep -E "^(require|	)\s*$own v" go.mod | sed -E 's/^require//; s,//.*,,')
  echo "-- $module: tidy"
done

# The checksums of what only a workspace resolves. The go command adds what it misses, and a checkout would change by being looked at.
export GOWORK=auto
workspaces=$(cd "$root" && git ls-files --cached --others --exclude-standard -- go.work '*/go.work' | grep -Ev '(^|/)testdata/')
for workspace in $workspaces; do
  cd "$root/$(dirname "$workspace")"
  touch go.work.sum
  cp go.work.sum "$work/before.sum"
  go list -m all >/dev/null
  if ! $write && ! diff -u --label "$workspace.sum" --label "complete $workspace.sum" "$work/before.sum" go.work.sum; then
    cp "$work/before.sum" go.work.sum
    echo "$workspace.sum lacks checksums: run 'make tidy'" >&2
    failed=true
    continue
  fi
  echo "-- $workspace: complete"
done
! $failed
