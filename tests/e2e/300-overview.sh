#!/bin/sh
# Who is on the network, what a payment did to the ledger, whether the money is all there; the gate
# for requests that web pages make; what a build without Node.js has in the page's place.
set -eu
. "$(dirname "$0")/lib/run.sh"

# The page of a build without console/dist, as the program would hold it.
if command -v cc >/dev/null 2>&1; then
    folder="$(mktemp -d)"
    trap 'rm -rf "$folder"' EXIT
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
