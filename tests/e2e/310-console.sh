#!/bin/sh
# The console in a real browser: first run, approve, wrong PIN, cancel, switched off, the story.
# limit: 120
set -eu
. "$(dirname "$0")/lib/run.sh"
fetch_browser
tell 310-console
