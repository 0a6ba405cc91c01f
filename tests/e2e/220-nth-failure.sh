#!/usr/bin/env bash
# The n-th write, sync, open, rename or allocation fails: never a false acknowledgement, always a
# restart that recovers. Here every so many n; script/campaign takes each of them.
# limit: 300
set -eu
. "$(dirname "$0")/../faults/lib.sh"
nth() { fault_run nth --shim "$shim" --call "$1" --mode "$2" --stride "$3" --cycles "$4" --seed 1; }
nth sync once 9 40
nth write once 17 80
nth write short 29 80
nth write full 27 80
nth open once 7 30
nth rename once 1 8
nth malloc once 79 400
rm -rf "$folder"
