#!/usr/bin/env bash
# kill -9 under load, a hundred times (R6.5): nothing acknowledged is lost, nothing happens twice. It
# strikes after up to 100 ms; script/campaign, with 10,000 cycles, after up to 300.
# limit: 240
set -eu
. "$(dirname "$0")/../faults/lib.sh"
fault_run kill --cycles 100 --load-ms 100 --seed "${SEED:-1}"
rm -rf "$folder"
