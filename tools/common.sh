# What the scripts share. Sourced, never run: `. tools/common.sh` from the repository root.

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }

# first_number PATTERN FILE [LINES]: what \(...\) stands for in the first line that is like it.
first_number() { sed -n -e "s|$1|\\1|p" -e 't found' -e "${3:-\$}q" -e b -e ':found' -e q "$2"; }

# On small machines a build must leave room for whatever else runs there.
jobs_count() { nproc 2>/dev/null || echo 2; }

# What a configured build directory depends on besides its meson files: where the tree lies, which
# tests exist, whether there is a program yet, and how it was configured.
build_signature() {
    printf '%s\n' "$PWD" "$*"
    [ ! -f src/app/main.c ] || echo main
    for folder in support unit fuzz; do
        echo "$folder:"
        tests/list "$folder" '*'
    done
}

# configure DIRECTORY MESON-OPTIONS...: cheap when nothing changed.
configure() {
    local directory="$1" signature previous=''
    shift
    signature="$(build_signature "$@")"
    [ ! -f "$directory/signature" ] || previous="$(cat "$directory/signature")"
    if [ -f "$directory/build.ninja" ] && [ "$signature" = "$previous" ]; then
        return 0
    fi
    if [ -f "$directory/build.ninja" ] && [ "${previous%%$'\n'*}" = "$PWD" ]; then
        meson setup --reconfigure "$directory" "$@" >"$directory/setup.log" 2>&1 ||
            { cat "$directory/setup.log" >&2; die "meson could not configure $directory"; }
    else
        rm -rf "$directory"
        mkdir -p "$directory"
        meson setup "$directory" "$@" >"$directory.log" 2>&1 ||
            { cat "$directory.log" >&2; rm -f "$directory.log"
              die "meson could not configure $directory"; }
        mv "$directory.log" "$directory/setup.log"
    fi
    printf '%s\n' "$signature" >"$directory/signature"
}

# compile DIRECTORY [TARGET...]: quiet when all is well, the failures when not.
compile() {
    local directory="$1"
    shift
    ninja -C "$directory" -k 0 -j "$(jobs_count)" "$@" >"$directory/build.log" 2>&1 || {
        grep -v '^\[[0-9/]*\]\|^ninja: Entering' "$directory/build.log" >&2
        die "$directory does not build (all of it: $directory/build.log)"
    }
}

# build_in DIRECTORY MESON-OPTION... [-- TARGET...]. Builds run one at a time per directory, so that
# two terminals do not trip over each other.
build_in() {
    local directory="$1" options=()
    shift
    while [ "$#" -gt 0 ] && [ "$1" != -- ]; do
        options+=("$1")
        shift
    done
    [ "$#" -eq 0 ] || shift
    console/build
    mkdir -p "$directory"
    (
        flock 9
        configure "$directory" "${options[@]+"${options[@]}"}"
        compile "$directory" "$@"
    ) 9>"$directory.lock"
}

# build_checked [TARGET...]: with sanitizers, for unit tests, the fuzz corpus and a short simulation.
# CHECKED_DEBUG=-g3 for a debugger: otherwise what they report has lines and no variables.
# Gold, where there is one and no other is asked for, links a hundred programs in half the time.
build_checked() {
    ! command -v ld.gold >/dev/null 2>&1 || local -x CC_LD="${CC_LD:-gold}"
    build_in "${BUILD_TEST:-build-test}" -Dtests=true \
        -Db_sanitize="${SANITIZE:-address,undefined}" -Doptimization=g -Db_lundef=false \
        -Dc_args="${CHECKED_DEBUG:-}" -Dwerror=false -- "$@"
}
