#!/bin/sh
# The production profile starts only when it is configured; hakika doctor says what is missing.
set -eu
. "$(dirname "$0")/lib/run.sh"
tell 345-production
