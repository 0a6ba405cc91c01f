#!/usr/bin/env bash
# Each way in which a payment (by push, paybill or Paystack), a payout or a refund can go through the gateway, once more for every
# sync of its journal, with kill -9 right after it: nothing is lost, nothing happens twice (R2.10).
# In CI every third sync, others in each run; EACH=1 takes them all, STORY="refund" one story.
# limit: 300
set -eu
. "$(dirname "$0")/../faults/lib.sh"
rm -rf "$folder"
SHIM="$shim" exec node tests/e2e/stories/335-gateway-kills.mjs
