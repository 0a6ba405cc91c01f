#!/bin/sh
# Many at the same moment: identical pushes, spenders of one wallet, answers to one prompt.
# limit: 240
set -eu
. "$(dirname "$0")/lib/run.sh"
tell 040-races
