#!/usr/bin/env bash
# The whole book with engine, journal, delivery and their faults in one thread on a virtual clock,
# seed after seed, those that ever failed first; some of them with sanitizers; then with seeded bugs,
# each of which must be noticed. SEEDS and START choose others; script/campaign runs more.
# limit: 600
set -eu -o pipefail
cd "$(dirname "$0")/../.."
. tools/common.sh
build="${BUILD:-build}"
build_in "$build" -Dtests=true -- tests/sim/sim tests/sim/mutants
build_checked tests/sim/sim
"$build/tests/sim/sim" --count "${SEEDS:-10000}" --start "${START:-1}" --jobs 2 \
    --seeds-file tests/sim/seeds.txt
"${BUILD_TEST:-build-test}/tests/sim/sim" --count 20 --start "${START:-1}" --jobs 2 --quiet | tail -n 1
"$build/tests/sim/mutants" --jobs 2
