#!/bin/sh
# Many apps and short codes on one network, and none acts for another: OAuth, tokens, credentials.
set -eu
. "$(dirname "$0")/lib/run.sh"
tell 150-tenants
