#!/bin/sh
# A whole day of tests in milliseconds: prompts, callbacks, retries, tokens and limits in virtual time.
# alone: it measures time
set -eu
. "$(dirname "$0")/lib/run.sh"
tell 190-virtual-day
