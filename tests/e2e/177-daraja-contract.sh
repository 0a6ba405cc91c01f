#!/bin/sh
# Daraja's contract, row by row: tests/e2e/daraja-contract.json driven against the program.
set -eu
. "$(dirname "$0")/lib/run.sh"
tell 177-daraja-contract
