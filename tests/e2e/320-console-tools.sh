#!/bin/sh
# The console's tools in a real browser: Daraja's calls as forms, rules, clock, worlds, callbacks
# edited and sent again; reconnecting after kill -9.
# limit: 120
set -eu
. "$(dirname "$0")/lib/run.sh"
fetch_browser
tell 320-console-tools
