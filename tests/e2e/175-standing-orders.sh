#!/bin/sh
# M-Pesa Ratiba, end to end: the PIN at creation, payments on their dates in virtual time, callbacks,
# too little money, the end date, and a kill -9 in the middle.
set -eu
. "$(dirname "$0")/lib/run.sh"
tell 175-standing-orders
