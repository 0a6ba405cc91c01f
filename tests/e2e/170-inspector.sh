#!/bin/sh
# The delivery inspector: every attempt as it was, replay, edit and replay, the same as a curl line.
set -eu
. "$(dirname "$0")/lib/run.sh"
need curl
tell 170-inspector
