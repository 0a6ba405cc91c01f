#!/bin/sh
# Bill manager, end to end: opt-in, invoices, payments pushed to the biller, acknowledgement, errors.
set -eu
. "$(dirname "$0")/lib/run.sh"
tell 176-bill-manager
