#!/bin/sh
# Daraja's calls that are answered at once: dynamic QR (read back by a scanner), IMSI, SIM swap,
# organisation info; and our certificate.
# limit: 120
set -eu
. "$(dirname "$0")/lib/run.sh"
need node
need zbarimg
tell 022-lookups
