#!/bin/sh
# The provider's own books against ours: pull, statements, discrepancies, sweeps and the alert.
set -eu
. "$(dirname "$0")/lib/run.sh"
tell 360-gateway-reconcile
