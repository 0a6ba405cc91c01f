#!/bin/sh
# While its own webhook receivers are down, the gateway acknowledges callbacks as fast as ever.
# alone: it measures time
set -eu
. "$(dirname "$0")/lib/run.sh"
tell 337-callback-latency
