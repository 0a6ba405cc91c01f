#!/bin/sh
# A person decides about what nobody could find out: payouts, refunds, pushes.
set -eu
. "$(dirname "$0")/lib/run.sh"
tell 352-gateway-unknown
