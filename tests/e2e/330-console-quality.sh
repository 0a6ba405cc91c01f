#!/bin/sh
# The console is accessible, stays quick under many events, and pages from elsewhere cannot use it.
# limit: 120
# alone: it measures time
set -eu
. "$(dirname "$0")/lib/run.sh"
fetch_browser
tell 330-console-quality
