#!/bin/sh
# docs/shop.md, "Going live with the real Daraja": its commands and calls, as they stand there.
# limit: 120
set -eu
. "$(dirname "$0")/lib/run.sh"
need openssl
tell 027-going-live
