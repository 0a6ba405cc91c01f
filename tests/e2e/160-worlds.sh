#!/bin/sh
# Snapshots for tests: saved, forked, restored after kill -9, with the clock; resets are quick.
# alone: it measures time
set -eu
. "$(dirname "$0")/lib/run.sh"
tell 160-worlds
