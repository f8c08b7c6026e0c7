#!/usr/bin/env bash
# Looks for known vulnerabilities in what each module calls, with govulncheck.
#
#   vulncheck.sh             against Go's database
#   vulncheck.sh VERSION     against the reports in golang.org/x/vulndb@VERSION, which a module proxy serves. It says nothing about
#                            what was reported later.
#
# It ends with 0 if nothing was found, with 3 if something was, and with 2 if not everything was checked: no database is no pass.
set -uo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
export GOWORK=auto
govulncheck=$root/.bin/govulncheck
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unchecked() {
  printf '\nNOT CHECKED: %s\n' "$1" >&2
  exit 2
}
database=()
if [[ -n ${1-} ]]; then
  reports=$(cd "$work" && go mod download -json "golang.org/x/vulndb@$1" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
  [[ -n $reports ]] || unchecked "golang.org/x/vulndb@$1 cannot be had"
  go -C tools run ./vulndb -reports "$reports/data/osv" -out "$work/db" || unchecked "no database can be made of its reports"
  database=(-db "file://$work/db")
fi
modules=$(scripts/modules.sh) || unchecked "the modules cannot be listed"
found=0
for module in $modules; do
  echo "-- $module"
  (cd "$module" && "$govulncheck" "${database[@]}" ./...)
  status=$?
  case $status in
  0) ;;
  3) found=3 ;;
  *) unchecked "govulncheck ended with $status in $module: is its database reachable from here?" ;;
  esac
done
exit $found
