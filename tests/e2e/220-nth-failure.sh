#!/usr/bin/env bash
# The n-th write, sync, open, rename or allocation fails: never a false acknowledgement, always a
# restart that recovers. Here every so many n; script/campaign takes each of them.
# limit: 300
set -eu
. "$(dirname "$0")/../faults/lib.sh"
nth() { fault_run nth --shim "$shim" --call "$1" --mode "$2" --stride "$3" --cycles "$4" --seed 1; }
nth sync once 11 40
nth write once 23 80
nth write short 41 80
nth write full 43 80
nth open once 8 30
nth rename once 2 8
nth malloc once 97 400
rm -rf "$folder"
