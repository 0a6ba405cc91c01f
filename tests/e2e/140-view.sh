#!/bin/sh
# The SQL view: what it says is what the API says, while a server runs, after kill -9, after a reset
# and after damage; it equals a rebuild; and questions only read.
set -eu
. "$(dirname "$0")/lib/run.sh"
tell 140-view
