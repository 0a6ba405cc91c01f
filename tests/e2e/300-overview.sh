#!/bin/sh
# Who is on the network, what a payment did to the ledger, whether the money is all there; the gate
# for requests that web pages make; what a build without Node.js has in the page's place.
set -eu
. "$(dirname "$0")/lib/run.sh"

# console/build where there is no Node.js, or no npm, or where it is not wanted: the build goes on
# without a page of before, and says why.
bare="$(mktemp -d)"
trap 'rm -rf "$bare"' EXIT
mkdir "$bare/bin" "$bare/console"
for tool in bash dirname rm; do ln -s "$(command -v "$tool")" "$bare/bin/$tool"; done
cp "$e2e/../../console/build" "$bare/console/"
builds_without() {
    mkdir "$bare/console/dist"
    said="$(env "PATH=$bare/bin" "CONSOLE=$1" bash "$bare/console/build" 2>&1)" || {
        echo "console/build failed: $said"
        exit 1
    }
    [ ! -e "$bare/console/dist" ] || { echo "the page of before was left"; exit 1; }
    case "$said" in
        *"$2"*) ;;
        *) echo "console/build said: $said"; exit 1 ;;
    esac
}
builds_without yes 'there is no node (apt-get install nodejs npm)'
builds_without no 'CONSOLE=no'
ln -s rm "$bare/bin/node" # any program: it is only looked for
builds_without yes 'there is no npm (apt-get install npm)'
echo "   proved: without Node.js or npm the build goes on and says what is missing"

# The page of a build without console/dist, as the program would hold it.
if command -v cc >/dev/null 2>&1; then
    folder="$(mktemp -d)"
    trap 'rm -rf "$bare" "$folder"' EXIT
    mkdir "$folder/console"
    cp "$e2e/../../console/missing.html" "$folder/console/"
    "$e2e/../../tools/embed_console" "$folder/console" "$folder/bytes.c"
    cat >"$folder/main.c" <<END
#include <stdio.h>
#include "face/documents.h"
int main(void)
{
    struct span page = console_page();
    (void)fwrite(page.data, 1, page.size, stdout);
    return console_script().size + console_style().size == 0 ? 0 : 1;
}
END
    cc -I "$e2e/../../src" -o "$folder/page" "$folder/main.c" "$folder/bytes.c"
    "$folder/page" | cmp - "$e2e/../../console/missing.html"
    grep -q 'apt-get install nodejs npm' "$e2e/../../console/missing.html"
    echo "   proved: a build without Node.js says in the page what is missing and how to get it"
fi
tell 300-overview
