#!/bin/sh
# Golden journals: every compiler gives the recorded digests, and the program that we ship goes on
# where an earlier one stopped.
# limit: 300
set -eu
. "$(dirname "$0")/lib/run.sh"
golden="$(cd "$(dirname "$0")/../golden" && pwd)"
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' TERM INT HUP

for journal in "$golden"/*/; do
    name="$(basename "$journal")"
    mkdir "$folder/$name"
    for file in "$journal"*.gz; do
        gzip -dc "$file" >"$folder/$name/$(basename "$file" .gz)"
    done
done
# The build that differs most from gcc -Og with sanitizers (unit/test_golden) and from gcc -O2, the
# program that we ship. BUILDS="gcc:-O0 gcc:-O2 clang:-O0 clang:-O2" for every one.
for build in ${BUILDS:-clang:-O2}; do
    compiler="${build%%:*}"
    level="${build#*:}"
    command -v "$compiler" >/dev/null 2>&1 || { echo "   without $compiler: not installed"; continue; }
    "$golden/build-digest" "$compiler" "$level" "$folder/digest"
    for journal in "$golden"/*/; do
        name="$(basename "$journal")"
        "$folder/digest" "$folder/$name" "$journal/record"
    done
    echo "   proved: $compiler $level gives the recorded digests"
done
GOLDEN="$golden" tell 090-golden
