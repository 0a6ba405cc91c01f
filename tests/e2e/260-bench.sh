#!/usr/bin/env bash
# The benchmark itself: every flag that it passes on is taken by the server, and what its generator
# saw agrees with what the server counts (R3.12).
# alone: it measures time
set -eu
cd "$(dirname "$0")/../.."
bench="${BUILD:-build}/hakika bench --seconds 1 --json"
agree='const report = JSON.parse(require("fs").readFileSync(0, "utf8"));
    if (!(report.operations > 0) || report.problems.length > 0) {
        console.error(JSON.stringify(report, null, 1));
        process.exit(1);
    }
    console.log(`   proved: ${report.profile}: ${report.operations} payments, and both ends count the same`);'
$bench stk --view off --index on | node -e "$agree"
$bench gateway | node -e "$agree"
# What a flag does not take is said of the flag, and nothing is measured.
for wrong in "--seconds x" "--seconds 0" "--view maybe" "--rate"; do
    status=0
    # shellcheck disable=SC2086 # words
    said="$("${BUILD:-build}/hakika" bench stk $wrong 2>&1)" || status=$?
    case "$status ${said%%
*}" in
        "2 hakika: bench ${wrong%% *} takes "*) ;;
        *) echo "bench $wrong: $status, $said"; exit 1 ;;
    esac
done
echo "   proved: a wrong value is named with what its flag takes"
