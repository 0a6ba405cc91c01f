# What the checkers share. Each takes the root of the tree as its argument (the self-test gives it a
# seeded one), prints `file:line: what is wrong and what to do instead`, and exits 1 if it printed.

tools="$(cd "$(dirname "$0")" && pwd)"
cd "${1:-$tools/../..}"
export LC_ALL=C

# Layering is stated once, in layers.txt; so are the sets that other checkers need.
directories_marked() { awk -v mark="$1" '/^#/ { next } $2 == mark { print $1 }' "$tools/layers.txt"; }

# c_files DIRECTORY...: the C files below those directories that exist.
c_files() {
    local directory
    for directory in "$@"; do
        [ ! -d "$directory" ] || find "$directory" -type f -name '*.[ch]'
    done | sort
}

# awk_over FILES-ON-STDIN: runs awk with the given arguments over the files; no file, no run.
awk_over() { xargs -r awk "$@"; }
