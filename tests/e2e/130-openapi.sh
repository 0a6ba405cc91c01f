#!/bin/sh
# The OpenAPI document is true: every answer of the running server fits it; and the event stream
# tells everything in journal order.
set -eu
. "$(dirname "$0")/lib/run.sh"
tell 130-openapi
