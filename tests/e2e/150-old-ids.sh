#!/bin/sh
# What is closed leaves memory and answers as before; the index lost, damaged, of another history.
# limit: 120
set -eu
. "$(dirname "$0")/lib/run.sh"
tell 150-old-ids
