#!/bin/sh
# The console stays quick under many events, and is small.
# limit: 120
# alone: it measures time
set -eu
. "$(dirname "$0")/lib/run.sh"
fetch_browser
tell 330-console-speed
