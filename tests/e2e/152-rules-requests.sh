#!/bin/sh
# Scenario rules for every call besides STK push: answers, outcomes, prompts, and every accident of a
# ResultURL, on the wire, over kill -9.
set -eu
. "$(dirname "$0")/lib/run.sh"
tell 152-rules-requests
