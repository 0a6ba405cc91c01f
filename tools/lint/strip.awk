# Blanks comments and the insides of strings and character constants, so that what a checker finds
# is code. strip(line) is called on every line in order; strip_begin() at the start of a file.

function strip_begin() { strip_in_comment = 0 }

function strip(line,    out, rest, at, c, two) {
    if (!strip_in_comment && line !~ /["'\/]/) {
        return line
    }
    out = ""
    rest = line
    while (rest != "") {
        if (strip_in_comment) {
            at = index(rest, "*/")
            if (at == 0) {
                return out
            }
            rest = substr(rest, at + 2)
            strip_in_comment = 0
            out = out " "
            continue
        }
        at = match(rest, /["'\/]/)
        if (at == 0) {
            return out rest
        }
        out = out substr(rest, 1, at - 1)
        rest = substr(rest, at)
        c = substr(rest, 1, 1)
        two = substr(rest, 1, 2)
        if (two == "/*") {
            strip_in_comment = 1
            rest = substr(rest, 3)
        } else if (two == "//") {
            return out
        } else if (c == "/") {
            out = out c
            rest = substr(rest, 2)
        } else {
            out = out c c
            rest = strip_after_quote(substr(rest, 2), c)
        }
    }
    return out
}

function strip_after_quote(rest, quote,    at, c) {
    while ((at = match(rest, /["'\\]/)) > 0) {
        c = substr(rest, at, 1)
        if (c == "\\") {
            rest = substr(rest, at + 2)
        } else {
            rest = substr(rest, at + 1)
            if (c == quote) {
                return rest
            }
        }
    }
    return ""
}
