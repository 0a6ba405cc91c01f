#!/bin/sh
# The SQL view of the merchant book: a story over HTTP, then questions in SQL whose answers are the
# API's; after kill -9 it equals a rebuild; hakika query finds it; no secret is in it.
set -eu
. "$(dirname "$0")/lib/run.sh"
tell 142-view-merchant
