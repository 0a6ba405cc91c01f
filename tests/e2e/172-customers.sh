#!/bin/sh
# Customers who pay by themselves: registration, validation, confirmation, pull, over HTTP.
set -eu
. "$(dirname "$0")/lib/run.sh"
tell 172-customers
