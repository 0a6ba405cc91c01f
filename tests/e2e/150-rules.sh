#!/bin/sh
# Scenario rules on the wire (R6.2, R1.9): every accident of a callback, every behaviour of a phone,
# every answer of an API, every magic value, and kill -9 in the middle of what a rule has delayed.
# limit: 180
set -eu
. "$(dirname "$0")/lib/run.sh"
tell 150-rules
