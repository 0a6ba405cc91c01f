#!/bin/sh
# The JSON schema of scenario rules and the program's own reading of them agree, document by
# document; the judge of the schema is ajv.
# limit: 120
set -eu
. "$(dirname "$0")/lib/run.sh"
need node
need npm

# The exact packages of the lock file, into an ignored folder, once.
client="$e2e/clients/ajv"
wanted="$(cat "$client/package.json" "$client/package-lock.json" | cksum)"
if [ "$(cat "$client/node_modules/.wanted" 2>/dev/null)" != "$wanted" ]; then
    fetched="$(cd "$client" && npm ci --no-audit --no-fund --ignore-scripts 2>&1)" || {
        echo "$fetched"
        case "$fetched" in
            *ENOTFOUND* | *EAI_AGAIN* | *ECONNREFUSED* | *ETIMEDOUT* | *ENETUNREACH*)
                echo "skipped: there is no network to fetch ajv with"
                exit 77 ;;
        esac
        exit 1
    }
    echo "$wanted" >"$client/node_modules/.wanted"
fi
tell 155-rules-schema
