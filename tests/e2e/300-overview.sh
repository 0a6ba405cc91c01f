#!/bin/sh
# Who is on the network, what a payment did to the ledger, whether the money is all there; and the
# gate for requests that web pages make.
set -eu
. "$(dirname "$0")/lib/run.sh"
tell 300-overview
