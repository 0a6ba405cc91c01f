#!/bin/sh
# While the breaker towards a provider is open, new payments are refused or queued, never half sent.
# limit: 120
set -eu
. "$(dirname "$0")/lib/run.sh"
tell 352-provider-unavailable
