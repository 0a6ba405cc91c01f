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

# For stories that look at the console: a browser, what drives it, and a program that has the page.
fetch_browser() {
    need node
    need npm
    [ -n "${CHROMIUM:-}" ] || command -v chromium >/dev/null 2>&1 ||
        command -v chromium-browser >/dev/null 2>&1 || command -v google-chrome >/dev/null 2>&1 || {
        echo "skipped: chromium is not installed (script/deps test installs it)"
        exit 77
    }
    [ -s "$e2e/../../console/dist/console.js.gz" ] || {
        echo "skipped: this build has no console (console/build says why)"
        exit 77
    }
    need_client browser
}

# need_client NAME: the exact packages of clients/NAME, by its lock file, into an ignored folder, once,
# whoever else wants them at the same time.
need_client() {
    need node
    need npm
    need flock
    client="$e2e/clients/$1"
    wanted="$(cat "$client/package.json" "$client/package-lock.json" | cksum)"
    (
        flock 9
        [ "$(cat "$client/node_modules/.wanted" 2>/dev/null)" != "$wanted" ] || exit 0
        fetched="$(cd "$client" && npm ci --no-audit --no-fund --ignore-scripts 2>&1)" || {
            echo "$fetched"
            case "$fetched" in
                *ENOTFOUND* | *EAI_AGAIN* | *ECONNREFUSED* | *ETIMEDOUT* | *ENETUNREACH*)
                    echo "skipped: there is no network to fetch $1 with"
                    exit 77 ;;
            esac
            exit 1
        }
        echo "$wanted" >"$client/node_modules/.wanted"
    ) 9<"$client" || exit
}
