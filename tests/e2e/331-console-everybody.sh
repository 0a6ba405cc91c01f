#!/bin/sh
# The console is accessible and steady, and pages from elsewhere cannot use it.
# limit: 120
set -eu
. "$(dirname "$0")/lib/run.sh"
fetch_browser
tell 331-console-everybody
