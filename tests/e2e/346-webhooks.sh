#!/bin/sh
# Webhooks as the unmodified reference client of Standard Webhooks takes them.
# limit: 120
set -eu
. "$(dirname "$0")/lib/run.sh"
need_client standardwebhooks
tell 346-webhooks
