#!/bin/sh
# Payouts and reversals of an application that speaks Daraja, through the gateway (R6.12).
# limit: 180
set -eu
. "$(dirname "$0")/lib/run.sh"
need_client mpesa-node
tell 347-front-money
