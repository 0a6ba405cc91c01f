#!/bin/sh
# An application that speaks Daraja changes its base URL to the gateway's, and nothing else (R6.12).
# limit: 180
set -eu
. "$(dirname "$0")/lib/run.sh"
need_client mpesa-node
tell 345-gateway-front
