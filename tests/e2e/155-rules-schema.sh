#!/bin/sh
# The JSON schema of scenario rules and the program's own reading of them agree, document by
# document; the judge of the schema is ajv.
# limit: 120
set -eu
. "$(dirname "$0")/lib/run.sh"
need_client ajv
tell 155-rules-schema
