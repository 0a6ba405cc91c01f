#!/usr/bin/env bash
# A million disks that a power cut could leave, opened by the journal's real code (R3.4, R6.5); then
# the journal with seeded bugs, each of which must be caught. STATES and SEED choose others.
# limit: 300
set -eu
cd "$(dirname "$0")/../.."
. tools/common.sh
build="${BUILD:-build}"
build_in "$build" -Dtests=true -- tests/crash/crash_enum tests/crash/mutants
"$build/tests/crash/crash_enum" --states "${STATES:-1000000}" --seed "${SEED:-1}"
"$build/tests/crash/mutants"
