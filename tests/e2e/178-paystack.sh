#!/bin/sh
# Paystack's side of the network, as Paystack's own Node library uses it, unmodified.
# limit: 120
set -eu
. "$(dirname "$0")/lib/run.sh"
need_client paystack
tell 178-paystack
