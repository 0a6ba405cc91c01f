#!/bin/sh
# Payments through Paystack: the gateway and Paystack's side of the operator next door.
# limit: 120
set -eu
. "$(dirname "$0")/lib/run.sh"
tell 348-gateway-paystack
