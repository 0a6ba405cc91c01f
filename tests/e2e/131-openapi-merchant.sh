#!/bin/sh
# The OpenAPI document of the merchant's port is true: it names every route of the router and no
# other, and every answer of the running gateway fits it.
# limit: 180
set -eu
. "$(dirname "$0")/lib/run.sh"
tell 131-openapi-merchant
