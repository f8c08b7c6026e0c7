#!/usr/bin/env bash
# The story of client.py once more, in another language and with other hands: curl sends, openssl signs and
# verifies, jq reads. Written from the API's documentation alone. It prints the same lines as client.py.
#
# INTRAM_URL is the server's scheme, host and port; INTRAM_PUBLIC_KEY and INTRAM_SECRET_KEY are sandbox keys.
# (bash cannot listen on a port: a few lines of Python write each webhook to a file, and openssl verifies it.)
set -euo pipefail
export LC_ALL=C.UTF-8

: "${INTRAM_URL:?}" "${INTRAM_PUBLIC_KEY:?}" "${INTRAM_SECRET_KEY:?}"
POLL_FIRST=${INTRAM_POLL_SECONDS:-1}
WINDOW=300

work=$(mktemp -d)
receiver=
cleanup() {
  [[ -z $receiver ]] || kill "$receiver" 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT

die() {
  echo "client.sh: $*" >&2
  exit 1
}

# Numbers as the strings that were on the wire, as far as jq keeps them: the story has no more than 15 digits.
normal='walk(if type == "number" then tostring else . end)'

show() { # step, then arguments for jq and a filter that makes the rest of the line
  local step=$1
  shift
  jq -ncS --arg step "$step" "${@:1:$#-1}" "{step: \$step} + (${*: -1} | $normal)"
}

mac() { # key, message on stdin
  local key
  key=$(printf %s "$1" | od -An -tx1 | tr -d ' \n')
  printf 'sha256='
  openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary | od -An -tx1 | tr -d ' \n'
}

behind=0 # how many seconds this machine's clock is behind the server's
timestamp() { # seconds from now
  jq -nr --argjson by "$behind" --argjson more "${1:-0}" '
    ((now + $by + $more) * 1000 | floor) as $ms
    | ($ms / 1000 | floor | strftime("%Y-%m-%dT%H:%M:%S")) + "." + ("00\($ms % 1000)"[-3:]) + "Z"'
}

# A call leaves the status in $status, the body in $work/body and the headers in $work/head.
status=
send() { # method, path with query, then arguments for curl
  local method=$1 target=$2
  shift 2
  status=$(curl -sS --max-time 30 -X "$method" -o "$work/body" -D "$work/head" -w '%{http_code}' "$@" "$INTRAM_URL$target")
}

header() { # name: its value in the last answer
  tr -d '\r' <"$work/head" | sed -n "s/^$1: //Ip" | head -n 1
}

new_key() {
  openssl rand -hex 16
}

# spoil holds header names to leave out (-Name) and headers to replace (Name: value) after signing.
spoil=()
call() { # method, endpoint, sorted query, body, idempotency key
  local method=$1 endpoint=$2 query=${3-} body=${4-} key=${5-} at signature name line headers kept
  at=$(timestamp)
  signature=$(printf '%s\n%s\n%s\n%s\n%s' "$at" "$method" "/api/v1/merchant$endpoint" "$query" "$body" | mac "$INTRAM_SECRET_KEY")
  headers=("X-Api-Key: $INTRAM_PUBLIC_KEY" "X-Timestamp: $at" "X-Signature: $signature")
  if [[ $method == POST ]]; then
    headers+=("Content-Type: application/json" "Idempotency-Key: ${key:-$(new_key)}")
  fi
  for line in "${spoil[@]}"; do
    name=${line%%:*}
    name=${name#-}
    kept=()
    for h in "${headers[@]}"; do
      [[ $h == "$name:"* ]] || kept+=("$h")
    done
    headers=("${kept[@]}")
    [[ $line == -* ]] || headers+=("$line")
  done
  local args=()
  for h in "${headers[@]}"; do
    args+=(-H "$h")
  done
  if [[ -n $body ]]; then
    args+=(--data-binary "$body")
  fi
  send "$method" "/v1$endpoint${query:+?$query}" "${args[@]}"
}

answered() { # step, then more for the line: the last answer
  local more=${2:-"{}"}
  show "$1" --argjson status "$status" --arg replay "$(header Idempotent-Replay)" --slurpfile body "$work/body" \
    "{status: \$status, replayed: (\$replay == \"true\"), body: \$body[0]} + $more"
}

data() { # jq path in the last answer's data
  jq -r ".data.$1" "$work/body"
}

finished() { # operation id: polls until it has ended; an unknown status is not the end
  local wait=$POLL_FIRST spent=0
  while true; do
    call GET "/operations/$1"
    case $(data status) in
      succeeded | failed | expired) return ;;
    esac
    if jq -ne "$spent >= 60" >/dev/null; then
      die "operation $1 has not ended"
    fi
    sleep "$wait"
    spent=$(jq -n "$spent + $wait")
    wait=$(jq -n "[$wait * 1.5, 10] | min")
  done
}

listed() { # step, endpoint, field that identifies, further query
  local step=$1 endpoint=$2 identity=$3 more=${4-} limit=2 before= pages=0 cursor fresh
  echo '[]' >"$work/items"
  while true; do
    # Sorted by key: before, limit, then type.
    call GET "$endpoint" "${before:+before=$before&}limit=$limit${more:+&$more}"
    pages=$((pages + 1))
    fresh=$(jq --slurpfile had "$work/items" "[.data[] | select([.$identity] | inside(\$had[0] | map(.$identity)) | not)] | length" "$work/body")
    jq --slurpfile had "$work/items" "\$had[0] + [.data[] | select([.$identity] | inside(\$had[0] | map(.$identity)) | not)]" "$work/body" >"$work/more"
    mv "$work/more" "$work/items"
    cursor=$(jq -r '.paging.next_before // ""' "$work/body")
    [[ -n $cursor ]] || break
    if [[ $fresh -eq 0 ]]; then
      [[ $limit -lt 100 ]] || die "$endpoint: the cursor stands still"
      limit=100
    fi
    # The cursor is strict: one millisecond more loses nothing that was created with the last item.
    before=$(jq -nr --arg c "$cursor" '($c[0:19] + "Z" | fromdate) as $s | (($c[20:23] | tonumber) + 1) as $ms
      | ($s + ($ms / 1000 | floor) | strftime("%Y-%m-%dT%H:%M:%S")) + "." + ("00\($ms % 1000)"[-3:]) + "Z"')
  done
  show "$step" --slurpfile items "$work/items" --argjson pages "$pages" '{items: $items[0], several_pages: ($pages > 1)}'
}

press() { # step, gateway url, word: opens the checkout page and presses the button that says word
  local step=$1 url=$2 word=$3 page form action method fields button target
  send GET "${url#"$INTRAM_URL"}" -H 'Accept: text/html'
  page=$status
  # One form a line, then the one whose button says the word.
  form=$(tr '\n' ' ' <"$work/body" | sed 's/<form/\n<form/gI; s/<\/form>/\n/gI' | grep -i '^<form' |
    grep -iE "<button[^>]*>[^<]*\b$word\b|<input[^>]*type=\"?submit[^>]*value=\"[^\"]*\b$word\b" | head -n 1) ||
    die "the checkout page has no button that says $word"
  attribute() { # tag on stdin, name
    sed -nE "s/^[^>]*[[:space:]]$1=\"([^\"]*)\".*/\1/Ip" | sed 's/&amp;/\&/g; s/&#34;/"/g; s/&lt;/</g; s/&gt;/>/g'
  }
  action=$(attribute action <<<"${form%%>*}>")
  method=$(attribute method <<<"${form%%>*}>")
  fields=()
  while IFS= read -r tag; do
    fields+=(--data-urlencode "$(attribute name <<<"$tag")=$(attribute value <<<"$tag")")
  done < <(grep -oiE '<input[^>]*type="?hidden[^>]*>' <<<"$form" || true)
  button=$(grep -oiE '<button[^>]*>[^<]*' <<<"$form" | grep -iE ">.*\b$word\b" | head -n 1 || true)
  if [[ -n $(attribute name <<<"$button") ]]; then
    fields+=(--data-urlencode "$(attribute name <<<"$button")=$(attribute value <<<"$button")")
  fi
  case $action in
    http*) target=${action#"$INTRAM_URL"} ;;
    /*) target=$action ;;
    '') target=${url#"$INTRAM_URL"} ;;
    *) target=${url#"$INTRAM_URL"} target=${target%/*}/$action ;;
  esac
  if [[ ${#fields[@]} -eq 0 ]]; then
    fields=(--data-raw '')
  fi
  send "${method^^}" "$target" -H 'Content-Type: application/x-www-form-urlencoded' "${fields[@]}"
  show "$step" --argjson page "$page" --argjson status "$status" '{page: $page, accepted: ($status >= 200 and $status < 400)}'
}

listen() { # writes each delivery to $work/inbox/N.head and N.body, and the port to $work/port
  mkdir -p "$work/inbox"
  python3 - "$work" >/dev/null 2>&1 <<'PYTHON' &
import http.server, itertools, os, sys
work, count = sys.argv[1], itertools.count(1)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        name = f"{work}/inbox/{next(count):04d}"
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with open(name + ".head", "w") as head:
            head.writelines(f"{k}: {v}\n" for k, v in self.headers.items())
        with open(name + ".part", "wb") as part:
            part.write(body)
        os.rename(name + ".part", name + ".body")  # whole, or not there
        self.send_response(204)
        self.end_headers()
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
with open(work + "/port.part", "w") as port:
    port.write(str(server.server_address[1]))
os.rename(work + "/port.part", work + "/port")
server.serve_forever()
PYTHON
  receiver=$!
  for _ in $(seq 200); do
    [[ ! -e $work/port ]] || return 0
    sleep 0.05
  done
  die "the receiver did not start"
}

expected=()
expect() { # event, operation id
  expected+=("$1 $2")
}

deliveries() { # secret: waits for each expected event by name, and shows all that came
  local secret=$1 missing want body head at signature verified forged
  for _ in $(seq 600); do
    missing=
    for want in "${expected[@]}"; do
      jq -r '"\(.event) \(.operation_id)"' "$work"/inbox/*.body 2>/dev/null | grep -qxF "$want" || missing=$want
    done
    [[ -n $missing ]] || break
    sleep 0.05
  done
  [[ -z $missing ]] || die "this event did not arrive: $missing"
  for body in "$work"/inbox/*.body; do
    head=${body%.body}.head
    field() { sed -n "s/^$1: //Ip" "$head"; }
    at=$(field X-Intram-Timestamp)
    signature=$(field X-Intram-Signature)
    verified=false forged=false
    if [[ $( (printf '%s.' "$at" && cat "$body") | mac "$secret") == "$signature" ]] &&
      jq -ne --arg at "$at" --argjson by "$behind" --argjson window "$WINDOW" \
        '($at[0:19] + "Z" | fromdate) - (now + $by) | fabs <= $window' >/dev/null; then
      verified=true
    fi
    if [[ $( (printf '%s.' "$at" && cat "$body" && printf ' ') | mac "$secret") == "$signature" ]]; then
      forged=true
    fi
    show delivery --slurpfile body "$body" --argjson verified "$verified" --argjson forged "$forged" \
      --arg event "$(field X-Intram-Event)" --arg attempt "$(field X-Intram-Attempt)" \
      --arg agent "$(field User-Agent)" --arg delivery "$(field X-Intram-Delivery)" \
      '{body: $body[0], $verified, $forged, $event, $attempt, user_agent: $agent, $delivery}'
  done
}

payout() { # msisdn, amount, reference
  jq -nc --arg msisdn "$1" --argjson amount "$2" --arg reference "$3" '{
    $amount, currency: "XOF",
    destination: {type: "mobile_money", country_code: "BJ", provider_code: "MTN_BENIN_229", $msisdn,
      account_name: "Ada", account_surname: "Lovelace"},
    $reference, note: "Règlement hebdomadaire ✓", metadata: {batch_id: "B-42", lines: [1, 2, {deep: null}]}}'
}

payment_request() { # amount, order
  jq -nc --argjson amount "$1" --arg order "$2" '{
    invoice: {$amount, currency: "XOF", description: "Commande #\($order)",
      customer: {email: "client@example.com", first_name: "Ada", last_name: "Lovelace", phone: "22961000000"}},
    payment_method: {code: "MTN_BENIN_229", country_code: "BJ", msisdn: "22961000000"},
    return_urls: {success: "https://shop.example.com/ok", cancel: "https://shop.example.com/no"},
    webhook_data: {order_id: $order}}'
}

# A request that is off by more than 5 minutes is refused: read the server's time off an answer first.
send GET /v1/balance
behind=$(jq -n --arg date "$(header Date)" '($date | strptime("%a, %d %b %Y %H:%M:%S GMT") | mktime) - now')

# Each way to be refused before anything is looked at.
refused() { # reason, what is spoilt
  spoil=("$2")
  call GET /balance
  spoil=()
  answered "refused.$1"
}
refused missing_api_key -X-Api-Key
refused invalid_api_key 'X-Api-Key: pk_sandbox_nobody'
refused missing_signature -X-Signature
refused missing_timestamp -X-Timestamp
refused invalid_timestamp_format 'X-Timestamp: yesterday'
refused timestamp_out_of_window.late "X-Timestamp: $(timestamp -$((WINDOW + 60)))"
refused timestamp_out_of_window.early "X-Timestamp: $(timestamp $((WINDOW + 60)))"
refused signature_mismatch "X-Signature: sha256=$(printf '0%.0s' {1..64})"
spoil=(-Idempotency-Key)
call POST /payouts '' "$(payout 22961000000 1000 PO-NEVER)"
spoil=()
answered refused.missing_idempotency_key
call POST /payouts '' "$(payout 22961000000 1000 PO-NEVER)" short
answered refused.invalid_idempotency_key
call POST /payouts '' '{"amount":'
answered refused.invalid_body

listen
hook="http://127.0.0.1:$(<"$work/port")/intram/webhook"
call GET /balance
answered balance.before
call POST /webhooks '' "$(jq -nc --arg url "$hook" '{$url, event: "*"}')"
answered webhook.created
subscription=$(data subscription_id)
secret=$(data secret)

# Payouts: one that succeeds, sent twice; one refused in the worker; one to a bank; one that is wrong.
key=$(new_key)
wanted=$(payout 22961000000 25000 PO-1)
call POST /payouts '' "$wanted" "$key"
answered payout.accepted
operation=$(data operation_id)
cp "$work/body" "$work/first"
call POST /payouts '' "$wanted" "$key"
same=false
if cmp -s "$work/body" "$work/first"; then
  same=true
fi
answered payout.replayed "{same_bytes: $same}"
call POST /payouts '' "$(payout 22961000000 25001 PO-1)" "$key"
answered payout.conflict
finished "$operation"
answered payout.finished
expect payout.completed "$operation"
call POST /payouts '' "$(payout 22961000002 5000 PO-2)"
finished "$(data operation_id)"
answered payout.failed
expect payout.failed "$(data operation_id)"
call POST /payouts '' "$(jq -nc '{amount: 40000, destination: {type: "bank_account", swift: "ECOCBJBJ",
  account_number: "BJ0610100100144390000769", account_name: "Ada Lovelace"}, reference: "PO-3"}')"
finished "$(data operation_id)"
answered payout.bank
expect payout.queued "$(data operation_id)"
call POST /payouts '' "$(jq -nc '{amount: 0, currency: "xof", reference: ("R" * 101),
  destination: {type: "mobile_money", msisdn: "+22961000000"}}')"
answered payout.invalid

# Payment requests: one paid on the checkout page, one declined.
call POST /payment-requests '' "$(payment_request 12000 4521)"
answered payment_request.accepted
finished "$(data operation_id)"
answered payment_request.finished
expect payment_request.created "$(data operation_id)"
expect payment_request.paid "$(data operation_id)"
paid=$(data result.transaction_reference)
gateway=$(data result.gateway_url)
call GET "/transactions/$paid"
answered transaction.pending
press checkout.paid "$gateway" pay
call GET "/transactions/$paid"
answered transaction.paid

call POST /payment-requests '' "$(payment_request 7000 4522)"
finished "$(data operation_id)"
expect payment_request.created "$(data operation_id)"
expect payment_request.failed "$(data operation_id)"
declined=$(data result.transaction_reference)
press checkout.declined "$(data result.gateway_url)" decline
call GET "/transactions/$declined"
answered transaction.declined

# Refunds: part of the payment, and one of nothing we know.
call POST /refunds '' "$(jq -nc --arg r "$paid" '{transaction_reference: $r, amount: 5000,
  reason: "Demandé par le client", metadata: {ticket_id: "T-9001"}}')"
answered refund.accepted
finished "$(data operation_id)"
answered refund.finished
expect refund.completed "$(data operation_id)"
call GET "/transactions/$paid"
answered transaction.refunded
call POST /refunds '' '{"transaction_reference":"ZZZZZZZZZZ"}'
answered refund.unknown

# Lists, in pages short enough to need the cursor.
listed transactions.listed /transactions reference
listed operations.listed /operations operation_id type=payout
call GET /operations/op_none
answered operation.unknown
call GET /transactions/ZZZZZZZZZZ
answered transaction.unknown

# Webhooks: what is subscribed, a ping, everything that was sent so far, and the end of it.
call GET /webhooks
answered webhooks.listed
call POST "/webhooks/$subscription/test" '' '{}'
answered webhook.tested
expect test.ping op_test
deliveries "$secret"
call DELETE "/webhooks/$subscription"
answered webhook.deleted
call GET /webhooks
answered webhooks.left
call GET /balance
answered balance.after
