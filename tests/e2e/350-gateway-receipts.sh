#!/bin/sh
# Money that customers pay by themselves (C2B), with and beside pushes: one credit for each order.
set -eu
. "$(dirname "$0")/lib/run.sh"
tell 350-gateway-receipts
