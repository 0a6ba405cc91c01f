#!/bin/sh
# A full disk: a small file system of its own, filled while payments come.
# alone: it measures time
set -eu
. "$(dirname "$0")/lib/run.sh"
SMALL_DISK="$(mktemp -d)"
export SMALL_DISK
mount -t tmpfs -o size=24m,mode=700 hakika-e2e "$SMALL_DISK" 2>/dev/null || {
    rmdir "$SMALL_DISK"
    echo "skipped: mounting a small file system is not allowed here"
    exit 77
}
trap 'umount -l "$SMALL_DISK"; rmdir "$SMALL_DISK"' EXIT
trap 'exit 1' TERM INT HUP
tell 070-full-disk
