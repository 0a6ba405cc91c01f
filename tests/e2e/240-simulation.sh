#!/usr/bin/env bash
# The whole book with engine, journal, delivery and their faults in one thread on a virtual clock,
# seed after seed; then the program with seeded bugs, each of which must be noticed. SEEDS and START
# choose others; script/campaign runs more.
# limit: 600
set -eu
cd "$(dirname "$0")/../.."
. tools/common.sh
build="${BUILD_FAULTS:-build-faults}"
build_in "$build" -Dtests=true -- tests/sim/sim tests/sim/mutants
"$build/tests/sim/sim" --count "${SEEDS:-10000}" --start "${START:-1}" --jobs 2
"$build/tests/sim/mutants" --jobs 2
