# run.sh - sourced by end-to-end scripts that are told in JavaScript: `tell NAME` runs
# tests/e2e/stories/NAME.mjs in place of the shell.
e2e="$(cd "$(dirname "$0")" && pwd)"

need() {
    command -v "$1" >/dev/null 2>&1 || {
        echo "skipped: $1 is not installed (script/deps test installs it)"
        exit 77
    }
}

tell() {
    need node
    [ -x "${HAKIKA:-}" ] || { echo "HAKIKA must be the path of the program"; exit 1; }
    node "$e2e/stories/$1.mjs"
}
