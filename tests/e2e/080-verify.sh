#!/bin/sh
# hakika verify on the folder of a real server: beside it, after it, after damage; and a server that
# meets a journal of a newer version leaves the folder as it is.
set -eu
. "$(dirname "$0")/lib/run.sh"
tell 080-verify
