#!/bin/sh
# A person decides about payments whose money is not as it was asked for.
set -eu
. "$(dirname "$0")/lib/run.sh"
tell 351-gateway-mismatch
