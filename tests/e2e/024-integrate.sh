#!/usr/bin/env bash
# The programs of docs/integrate.md, as they stand there, in each language that this machine has:
# every one gets its CheckoutRequestID, and the operator knows it.
# limit: 180
set -eu
cd "$(dirname "$0")/../.."
folder="$(mktemp -d)"
server=''
finish() {
    [ -z "$server" ] || { kill "$server" && wait "$server"; } 2>/dev/null || true
    rm -rf "$folder"
}
trap finish EXIT

# program LANGUAGE: the code block of that language.
program() {
    awk -v want="\`\`\`$1" '$0 == want {inside = 1; next} /^```/ {inside = 0} inside' docs/integrate.md
}

mkfifo "$folder/ready"
"$HAKIKA" serve --ephemeral --port 0 >"$folder/ready" 2>"$folder/errors" &
server=$!
read -r line <"$folder/ready"
BASE="$(printf '%s' "$line" | sed 's/.*operator=\([^ ]*\).*/\1/')"
export BASE CALLBACK=http://127.0.0.1:9/

program js >"$folder/push.mjs"
program python >"$folder/push.py"
program php >"$folder/push.php"
program java >"$folder/Push.java"
program go >"$folder/push.go"
ran=0
try() {
    local language="$1" tool="$2" id
    shift 2
    command -v "$tool" >/dev/null 2>&1 || { echo "   not tried: there is no $tool here"; return 0; }
    id="$("$@" 2>"$folder/errors")" || { cat "$folder/errors"; echo "FAILED: $language"; exit 1; }
    case "$id" in
        ws_CO_*) ;;
        *) echo "FAILED: $language printed '$id'"; exit 1 ;;
    esac
    curl -fs "$BASE/sim/v1/transactions/$id" >/dev/null || { echo "FAILED: $language: $id is unknown"; exit 1; }
    echo "   proved: $language: the program as documented got $id"
    ran=$((ran + 1))
}
try Node node node "$folder/push.mjs"
try Python python3 python3 "$folder/push.py"
try PHP php php "$folder/push.php"
try Java javac java "$folder/Push.java"
try Go go go run "$folder/push.go"
[ "$ran" -ge 1 ] || { echo "skipped: none of the languages is here"; exit 77; }
