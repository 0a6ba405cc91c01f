#!/bin/sh
# A payment at every point of the journal, and why it moved: ?at= and hakika explain.
set -eu
. "$(dirname "$0")/lib/run.sh"
tell 180-time-travel
