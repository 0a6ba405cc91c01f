#!/bin/sh
# Nothing moves in the console while a view is drawn.
# limit: 120
set -eu
. "$(dirname "$0")/lib/run.sh"
fetch_browser
tell 331-console-steady
