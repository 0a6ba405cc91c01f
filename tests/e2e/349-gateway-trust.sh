#!/bin/sh
# Whom the gateway calls and whom it believes: private targets, sources of callbacks.
# limit: 120
set -eu
. "$(dirname "$0")/lib/run.sh"
tell 349-gateway-trust
