#!/bin/sh
# Receivers that answer late, never, or with a reset slow neither acknowledgements nor each other.
# alone: it measures time
set -eu
. "$(dirname "$0")/lib/run.sh"
tell 050-slow-receivers
