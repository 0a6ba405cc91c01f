#!/bin/sh
# The payer's page in a real browser, its clock driven: paid, and "could not be confirmed".
# limit: 120
set -eu
. "$(dirname "$0")/lib/run.sh"
fetch_browser
tell 341-checkout-browser
