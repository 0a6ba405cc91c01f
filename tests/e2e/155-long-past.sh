#!/bin/sh
# A long past: start, memory and look-ups with 100,000 closed payments behind it.
# limit: 120
# alone: it measures time
set -eu
. "$(dirname "$0")/lib/run.sh"
tell 155-long-past
