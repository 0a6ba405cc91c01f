#!/bin/sh
# What organisations ask for, end to end: balance, status, reversal, B2B, tax, settlement (S12),
# express checkout on a till's phone, and requests that are late.
set -eu
. "$(dirname "$0")/lib/run.sh"
tell 170-organisations
