#!/bin/sh
# A million subscribers in under 400 MB. Not part of script/test: it takes about a minute.
#   HAKIKA=build/hakika tests/e2e/large/million-subscribers.sh
set -eu
. "$(dirname "$0")/../lib/run.sh"
e2e="$(dirname "$e2e")"
HAKIKA="$(realpath "${HAKIKA:-$e2e/../../build/hakika}")"
export HAKIKA
tell million-subscribers
