#!/bin/sh
# hakika export: the files of a day have the rows of the view, CSV and JSON lines, days are Kenya's,
# the same bytes each time, whole or not at all; formulas are guarded; entries are in balance.
set -eu
. "$(dirname "$0")/lib/run.sh"
tell 144-export
