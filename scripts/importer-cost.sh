#!/usr/bin/env bash
# What a program gets that imports the SDK: modules, packages, bytes of its binary, and time to build it, against the same call made
# by net/http alone and by stripe-go. Prints a table in Markdown.
#
#   importer-cost.sh            the table
#   importer-cost.sh --check    only what does not depend on the machine, and fails when it is more than was promised
#
# Each program is a module of its own in a temporary folder, as a user's is. Build times are of a second program: what is imported
# has been compiled before, so it is compiling main and linking.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
export GOWORK=off GOFLAGS=-mod=mod
# What was promised: the binary may grow by so much over net/http alone, and so many modules may have code in it, the importer's own
# left out.
most_bytes=2500000
most_modules=6
check=false
if [[ ${1-} == --check ]]; then
  check=true
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The checksums of what the SDK needs are in its own go.sum, those of stripe-go in the bench module's.
stripe=$(cd "$root/bench" && GOWORK=auto GOFLAGS=-mod=readonly go list -m -f '{{.Version}}' github.com/stripe/stripe-go/v85)

program() { # name; the source on stdin
  mkdir -p "$work/$1"
  cat >"$work/$1/main.go"
  printf 'module example.com/%s\n\ngo %s\n' "$1" "$(sed -n 's/^go //p' "$root/go.mod")" >"$work/$1/go.mod"
}

program bare <<'GO'
// The same call by hand: JSON over TLS.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
)

func main() {
	body, err := json.Marshal(map[string]any{"amount": 25000, "currency": "XOF"})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	resp, err := http.Post("https://api.intram.org/v1/payouts", "application/json", bytes.NewReader(body))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer resp.Body.Close()
	var answer struct {
		Data struct {
			ID string `json:"operation_id"`
		} `json:"data"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(answer.Data.ID)
}
GO

program intram <<'GO'
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/intram/intram-go"
)

func main() {
	client, err := intram.NewClientFromEnv()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	op, err := client.Payouts.Create(context.Background(), intram.PayoutParams{
		Amount:      intram.NewAmount(25000),
		Destination: intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: "22961234567"},
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(op.ID)
}
GO
cat >>"$work/intram/go.mod" <<MOD

require github.com/intram/intram-go v0.0.0

replace github.com/intram/intram-go => $root
MOD
cp "$root/go.sum" "$work/intram/go.sum"

program stripe <<'GO'
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/stripe/stripe-go/v85"
)

func main() {
	client := stripe.NewClient(os.Getenv("STRIPE_KEY"))
	payout, err := client.V1Payouts.Create(context.Background(), &stripe.PayoutCreateParams{
		Amount: stripe.Int64(25000), Currency: stripe.String("xof"),
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(payout.ID)
}
GO
printf '\nrequire github.com/stripe/stripe-go/v85 %s\n' "$stripe" >>"$work/stripe/go.mod"
cp "$root/bench/go.sum" "$work/stripe/go.sum"

declare -A modules listed sums packages sizes times
measure() { # name
  cd "$work/$1"
  if ! $check; then # a build needs no more than the build asks for
    go mod tidy >tidy.log 2>&1 || { cat tidy.log >&2; exit 1; }
  fi
  modules[$1]=$(go list -deps -f '{{with .Module}}{{.Path}}{{end}}' . | sort -u | grep -vc -e '^$' -e '^example\.com/' || true)
  # What the go command knows of besides: what those modules ask for, for tests as well, whether it is built or not.
  listed[$1]=$(($(go list -m all | wc -l) - 1))
  sums[$1]=$( (cat go.sum 2>/dev/null || true) | wc -l)
  packages[$1]=$(go list -deps -f '{{if not .Standard}}{{.ImportPath}}{{end}}' . | grep -vc '^example\.com/' || true)
  go build -o program .
  sizes[$1]=$(wc -c <program)
  printf '\nvar _ = %s\n' "$RANDOM" >>main.go # another program, for the clock
  local began=$EPOCHREALTIME
  go build -o program .
  local ended=$EPOCHREALTIME
  times[$1]=$(((${ended/./} - ${began/./}) / 1000))
}
measure bare
measure intram
if ! $check; then
  measure stripe
fi

more=$((sizes[intram] - sizes[bare]))
if $check; then
  echo "an importer of the SDK: ${modules[intram]} modules in its binary besides its own, $more bytes more than net/http alone"
else
  echo "| program | modules in the binary | packages outside the standard library | \`go list -m all\` | lines of go.sum | binary, MB | more than bare, MB | build, s |"
  echo "|---|--:|--:|--:|--:|--:|--:|--:|"
  for name in bare intram stripe; do
    awk -v name="$name" -v modules="${modules[$name]}" -v listed="${listed[$name]}" -v sums="${sums[$name]}" -v packages="${packages[$name]}" -v size="${sizes[$name]}" \
      -v bare="${sizes[bare]}" -v ms="${times[$name]}" 'BEGIN {
        label["bare"] = "net/http, JSON and TLS alone"; label["intram"] = "intram"; label["stripe"] = "stripe-go"
        printf "| %s | %d | %d | %d | %d | %.2f | %+.2f | %.1f |\n", label[name], modules, packages, listed, sums, size / 1e6, (size - bare) / 1e6, ms / 1e3
      }'
  done
fi
failed=false
if ((more > most_bytes)); then
  echo "the SDK adds $more bytes to a program: at most $most_bytes were promised" >&2
  failed=true
fi
if ((modules[intram] > most_modules)); then
  echo "the SDK brings ${modules[intram]} modules into an importer's binary: at most $most_modules were promised" >&2
  failed=true
fi
if $failed; then
  exit 1
fi
