#!/usr/bin/env bash
# docs/shop.md as it stands there: the client of each language that this machine has gets its
# payment, and the six scenarios print what the page says (R2.3).
# limit: 180
set -eu
cd "$(dirname "$0")/../.."
unset HAKIKA_BOOK # both books, as for whoever follows the page
page="$PWD/docs/shop.md"
folder="$(mktemp -d)"
server=''
finish() {
    [ -z "$server" ] || { kill "$server" && wait "$server"; } 2>/dev/null || true
    [ ! -s "$folder/pid" ] || kill -9 "$(cat "$folder/pid")" 2>/dev/null || true
    rm -rf "$folder"
}
trap finish EXIT

# blocks LANGUAGE: all code blocks of that language, one after the other.
blocks() {
    awk -v want="\`\`\`$1" '$0 == want {inside = 1; next} /^```/ {inside = 0} inside' "$page"
}

mkfifo "$folder/ready"
"$HAKIKA" serve --ephemeral --port 0 >"$folder/ready" 2>"$folder/errors" &
server=$!
read -r line <"$folder/ready"
port_of() { printf '%s' "$line" | sed "s/.*$1=http:[^ ]*:\([0-9]*\).*/\1/"; }
operator_port="$(port_of operator)" gateway_port="$(port_of merchant)"
export GATEWAY="http://127.0.0.1:$gateway_port"

blocks js >"$folder/pay.mjs"
blocks python >"$folder/pay.py"
blocks php >"$folder/pay.php"
ran=0
try() {
    local language="$1" tool="$2" said again
    shift 2
    command -v "$tool" >/dev/null 2>&1 || { echo "   not tried: there is no $tool here"; return 0; }
    said="$("$@" 2>"$folder/errors")" || { cat "$folder/errors"; echo "FAILED: $language"; exit 1; }
    again="$("$@" 2>"$folder/errors")" || { cat "$folder/errors"; echo "FAILED: $language, again"; exit 1; }
    [ "$said $again" = 'succeeded succeeded' ] || { echo "FAILED: $language printed $said, $again"; exit 1; }
    echo "   proved: $language: the program as documented got its payment, and the same when asked again"
    ran=$((ran + 1))
}
try Node node node "$folder/pay.mjs"
try Python python3 python3 "$folder/pay.py"
try PHP php php "$folder/pay.php"
[ "$ran" -ge 1 ] || { echo "FAILED: none of the languages is here"; exit 1; }
wallet="$(curl -s "$GATEWAY/v1/accounts/wallet" -H 'Authorization: Bearer sk_test_hakika')"
case "$wallet" in
    *"\"balance\":$((ran * 15000))"*) echo "   proved: each was paid once" ;;
    *) echo "FAILED: $ran payments, and the wallet is $wallet"; exit 1 ;;
esac
kill "$server"
wait "$server" || true
server=''

# The ports are free now; the page's own are whoever's.
blocks text >"$folder/expected"
{
    blocks sh | sed "s|127.0.0.1:8254|127.0.0.1:$operator_port|; s|127.0.0.1:8255|127.0.0.1:$gateway_port|
        s|build/hakika serve|'$HAKIKA' serve --port $operator_port --merchant-port $gateway_port|
        s|server=\$!|server=\$!; echo \$server >pid|"
} >"$folder/story.sh"
status=0
(cd "$folder" && sh -eu story.sh >printed 2>errors) || status=$?
if [ "$status" -ne 0 ] || ! cmp -s "$folder/expected" "$folder/printed"; then
    diff "$folder/expected" "$folder/printed" || true
    cat "$folder/errors"
    echo "FAILED: the scenarios print something else (status $status)"
    exit 1
fi
echo "   proved: the six scenarios print what the page says"
