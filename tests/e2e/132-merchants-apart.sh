#!/bin/sh
# An API key reaches its own merchant's things only, on every route that the OpenAPI document has.
# limit: 120
set -eu
. "$(dirname "$0")/lib/run.sh"
tell 132-merchants-apart
