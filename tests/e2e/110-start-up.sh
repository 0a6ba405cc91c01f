#!/bin/sh
# Time and memory of a start, empty and with 100,000 payments; starts that cannot succeed.
# limit: 240
# alone: it measures time
set -eu
. "$(dirname "$0")/lib/run.sh"
tell 110-start-up
