#!/bin/sh
# Payouts and refunds through the gateway: held, sent once, found out, booked once.
set -eu
. "$(dirname "$0")/lib/run.sh"
tell 340-gateway-payouts
