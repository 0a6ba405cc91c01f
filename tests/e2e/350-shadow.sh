#!/bin/sh
# Shadow mode: Daraja's paths forwarded as they are, and only watched.
# limit: 120
set -eu
. "$(dirname "$0")/lib/run.sh"
tell 350-shadow
