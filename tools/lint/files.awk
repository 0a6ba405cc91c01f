function complain(line, what) {
    printf "%s:%d: %s\n", FILENAME, line, what
    bad = 1
}

function finish() {
    if (last_file == "" || only_text) return
    limit = last_file ~ /\.h$/ ? 300 : 1200
    if (last_line > limit) {
        printf "%s:%d: %d lines, at most %d: split it by subject\n", last_file, last_line,
            last_line, limit
        bad = 1
    }
}

FNR == 1 {
    finish()
    if (!only_text && $0 !~ /^\/\*/) {
        complain(1, "starts without a comment: say what it is for, what it guarantees and relies on")
    }
}

{
    last_file = FILENAME
    last_line = FNR
    markdown = FILENAME ~ /\.md$/
}

# Two blanks at the end of a line mean something in Markdown; anywhere else they mean nothing.
/[ \t]$/ && !markdown { complain(FNR, "white space at the end of the line") }

/(^|[^A-Za-z])(TODO|FIXME)([^A-Za-z]|$)/ || /(^|[^A-Za-z])XXX([^A-Za-z]|$)/ {
    complain(FNR, "a leftover marker: finish it, or open an issue")
}

!only_text {
    if ($0 ~ /\t/) complain(FNR, "a tab: indent with 4 spaces")
    line = $0
    gsub(/[\200-\277]/, "", line)
    if (length(line) > 100) complain(FNR, length(line) " columns, at most 100")
}

END {
    finish()
    exit bad
}
