#!/bin/sh
# A world saved on one server is opened on another, as a file; crashes and strangers' files in between.
set -eu
. "$(dirname "$0")/lib/run.sh"
tell 162-world-files
