#!/bin/sh
# The merchant's side of the console in a real browser: a payment through the gateway, one whose
# callback was lost, a notice that fits nothing.
# limit: 120
set -eu
. "$(dirname "$0")/lib/run.sh"
fetch_browser
tell 340-console-merchant
