# lib.sh - sourced by the end-to-end scripts and the campaign that run fault tests (bash): builds
# the driver, makes a folder, and removes it when all went well.
#   $faults   the driver     $shim   the library that makes calls fail     $folder   for data
set -eu
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
cd "$root"
. tools/common.sh
[ -x "${HAKIKA:-}" ] || die "HAKIKA must be the path of the program"

fault_build="${BUILD:-build}"
build_in "$fault_build" -Dtests=true -- tests/faults/faults tests/faults/libshim.so
faults="$root/$fault_build/tests/faults/faults"
shim="$root/$fault_build/tests/faults/libshim.so"
folder="$(mktemp -d)"

# Told to stop: the driver was told as well, and leaves its disk mounted (busy until they end).
fault_stop() {
    umount -l "$folder/mount" 2>/dev/null || umount -l "$folder" 2>/dev/null || true
    rm -rf "$folder"
    exit 130
}
trap fault_stop INT TERM HUP

# The driver takes its children with it when it ends, and keeps the data of a violation.
fault_run() {
    local name="$1"
    shift
    "$faults" "$name" --program "$HAKIKA" --folder "$folder" "$@"
}
