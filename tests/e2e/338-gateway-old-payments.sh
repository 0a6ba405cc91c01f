#!/bin/sh
# A merchant's payments that ended leave memory, and answer, refuse and repair as before (0011).
# limit: 120
set -eu
. "$(dirname "$0")/lib/run.sh"
tell 338-gateway-old-payments
