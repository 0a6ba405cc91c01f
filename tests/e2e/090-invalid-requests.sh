#!/bin/sh
# Every way to get an STK, OAuth or control call wrong: the documented error, and no trace.
set -eu
. "$(dirname "$0")/lib/run.sh"
tell 090-invalid-requests
