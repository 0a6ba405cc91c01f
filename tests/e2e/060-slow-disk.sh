#!/bin/sh
# A disk whose fdatasync takes 2 s, and one whose fdatasync fails.
# alone: it measures time
set -eu
. "$(dirname "$0")/lib/run.sh"
need cc
library="$(mktemp -d)"
cc -O1 -Wall -Wextra -shared -fPIC -D_GNU_SOURCE -o "$library/slow_disk.so" "$e2e/lib/slow_disk.c"
trap 'rm -rf "$library"' EXIT
export SLOW_DISK="$library/slow_disk.so"
tell 060-slow-disk
