#!/bin/sh
# The operator's side of S06, S07, S08 and S11 in virtual time, with kill -9 at every moment.
set -eu
. "$(dirname "$0")/lib/run.sh"
tell 030-scenarios
