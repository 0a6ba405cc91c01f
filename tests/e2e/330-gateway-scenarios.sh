#!/bin/sh
# Everything that can go wrong between gateway and provider (R2.3, S07 to S11), in virtual time.
set -eu
. "$(dirname "$0")/lib/run.sh"
tell 330-gateway-scenarios
