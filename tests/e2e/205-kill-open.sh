#!/bin/sh
# kill -9 during a thousand open prompts, late callbacks and running standing orders (R6.5).
set -eu
. "$(dirname "$0")/lib/run.sh"
tell 205-kill-open
