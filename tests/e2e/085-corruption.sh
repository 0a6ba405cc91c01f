#!/bin/sh
# What start-up makes of a damaged, incomplete, foreign or locked journal.
set -eu
. "$(dirname "$0")/lib/run.sh"
# Nothing here depends on the speed of a disk.
[ ! -w /dev/shm ] || export TMPDIR=/dev/shm
tell 085-corruption
