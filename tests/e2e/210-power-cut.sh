#!/usr/bin/env bash
# Power cuts on a real ext4, twenty times: what was not synced vanishes, what was acknowledged stays.
# And the proof that this would be noticed: with a disk that only says that it syncs, it is.
# limit: 240
set -eu
. "$(dirname "$0")/../faults/lib.sh"
status=0
fault_run cut --cycles 20 --seed "${SEED:-1}" || status=$?
[ "$status" -eq 0 ] || exit "$status"
if FAULT_CALL=sync FAULT_MODE=lie fault_run cut --cycles 10 --shim "$shim" >"$folder/lie" 2>&1; then
    cat "$folder/lie"
    echo "a disk that does not sync was not found out"
    exit 1
fi
grep VIOLATION "$folder/lie"
rm -rf "$folder"
