#!/usr/bin/env bash
# R6.4: over 10,000 random histories with random scenario rules, callback, query, status, balance,
# pull, the control API and the view never contradict each other, unless a rule orders it; then each
# of them is tampered with, and must be caught. COUNT and START choose other histories.
# limit: 300
set -eu
cd "$(dirname "$0")/../.."
. tools/common.sh
build="${BUILD:-build}"
build_in "$build" -Dtests=true -- tests/agree/agree
"$build/tests/agree/agree" --count "${COUNT:-10000}" --start "${START:-1}" --jobs 2
"$build/tests/agree/agree" --selftest
