#!/bin/sh
# The payer's page (R2.6) over HTTP: what it shows, to whom, and what it never says.
set -eu
. "$(dirname "$0")/lib/run.sh"
tell 340-checkout
