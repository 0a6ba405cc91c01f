#!/bin/sh
# The merchant gateway: a payment from the application to the phone and back, exactly once.
set -eu
. "$(dirname "$0")/lib/run.sh"
tell 320-gateway
