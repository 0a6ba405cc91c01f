#!/usr/bin/env bash
# The README's first payment, line by line as a reader would type it: every answer, the callback,
# and the end of the server.
set -eu
e2e="$(cd "$(dirname "$0")" && pwd)"
. "$e2e/lib/readme-payment.sh"
command -v curl >/dev/null || { echo "skipped: curl is not installed"; exit 77; }

folder="$(mktemp -d)"
started=()
finish() {
    for pid in "${started[@]}"; do kill -9 "$pid" 2>/dev/null || true; done
    rm -rf "$folder"
}
trap finish EXIT

# until_true SECONDS COMMAND...: polls.
until_true() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$deadline" ] || { echo "FAILED: waited in vain for: $*"; return 1; }
        sleep 0.02
    done
}
is_ready() { grep -qs '^ready ' "$folder/ready"; }

"$HAKIKA" serve --port 0 --data "$folder/data" >"$folder/ready" 2>"$folder/errors" &
server=$!
started+=("$server")
until_true 10 is_ready
base="$(sed -n 's/^ready operator=\([^ ]*\) .*/\1/p' "$folder/ready")"
echo "   ready at $base"

# A free port for the listener: one that was free a moment ago.
"$HAKIKA" listen --port 0 2>"$folder/free" &
free=$!
started+=("$free")
is_listening() { grep -qs '^listening on ' "$folder/free"; }
until_true 10 is_listening
port="$(sed -n 's|.*:\([0-9]*\)/$|\1|p' "$folder/free")"
kill "$free"
wait "$free" 2>/dev/null || true
readme_payment "$e2e/../../README.md" "$base" "$port" "$HAKIKA" >"$folder/lines"
[ -s "$folder/lines" ] || { echo "FAILED: the README has no lines under 'A first payment'"; exit 1; }

# The reader's shell: it leaves its listener's process id behind and ends.
{
    cat "$folder/lines"
    echo
    echo "echo \"\$!\" >$folder/listener"
} >"$folder/shell"
bash -u "$folder/shell" >"$folder/answers" 2>"$folder/complaints"
listener="$(cat "$folder/listener")"
started+=("$listener")
! grep -v '^listening on ' "$folder/complaints" || { echo "FAILED: the shell complained"; exit 1; }

called_back() { grep -q '"stkCallback"' "$folder/answers"; }
until_true 30 called_back

failed=0
shows() {
    if grep -Eq -- "$2" "$folder/answers"; then
        echo "   proved: $1"
    else
        echo "   FAILED: $1: nothing like $2"
        failed=1
    fi
}
shows 'the push is accepted' \
    '"MerchantRequestID":"[^"]+","CheckoutRequestID":"ws_CO_[0-9]{24,}","ResponseCode":"0"'
shows 'the prompt is on the phone, for KSh 120' '"object":"prompt".*"amount":12000,.*INV-77'
shows 'the right PIN pays' '"status":"SUCCESS","checkout_request_id":"ws_CO_'
shows 'the callback arrives with receipt and amount' \
    '"ResultCode":0,.*"Name":"Amount","Value":120\.00.*"Name":"MpesaReceiptNumber","Value":"[A-Z0-9]{10}"'
shows 'the delivery can be looked up' '"object":"delivery".*"url":"http://127\.0\.0\.1:'
shows 'the shop has KSh 120 more' '"short_code":174379,.*"utility":100012000'
[ "$(grep -o '"stkCallback"' "$folder/answers" | wc -l)" -ge 1 ]
[ "$failed" -eq 0 ] || { cat "$folder/answers"; exit 1; }

kill -TERM "$server"
status=0
wait "$server" || status=$?
started=("$listener")
[ "$status" -eq 0 ] || { echo "FAILED: SIGTERM ended the server with $status"; cat "$folder/errors"; exit 1; }
ls "$folder/data/operator"/snapshot-*.snap >/dev/null
echo "   proved: SIGTERM ends it with 0, with a snapshot left for the next start"
