#!/bin/sh
# Safaricom's own Node client, unmodified but for its baseURL: OAuth, STK push, STK query, callback.
# limit: 180
set -eu
. "$(dirname "$0")/lib/run.sh"
need_client mpesa-node
tell 020-mpesa-node
