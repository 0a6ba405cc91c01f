#!/bin/sh
# A hundred kill -9 of both books while payments are made and callbacks come: none is lost (R2.10).
# limit: 240
set -eu
. "$(dirname "$0")/lib/run.sh"
tell 336-gateway-restarts
