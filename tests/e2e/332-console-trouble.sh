#!/bin/sh
# The console when an admin key is wanted, another book comes, or much happens at once.
# limit: 120
set -eu
. "$(dirname "$0")/lib/run.sh"
fetch_browser
tell 332-console-trouble
