BEGIN {
    while ((getline line < layers) > 0) {
        if (line ~ /^#/ || split(line, word, " ") < 3) continue
        known[word[1]] = 1
        for (i = 3; i in word; i++) allowed[word[1], word[i]] = 1
        allowed[word[1], word[1]] = 1
        split("", word)
    }
    open["base"] = open["wire"] = 1
}

function complain(what) {
    printf "%s:%d: %s\n", FILENAME, FNR, what
    bad = 1
}

FNR == 1 {
    strip_begin()
    split(FILENAME, path, "/")
    from = path[2]
    if (!(from in known)) complain("src/" from " is in no layer: add it to tools/lint/layers.txt")
}

{
    stripped = strip($0)
    rest = stripped
    while (match(rest, /[A-Za-z_][A-Za-z0-9_]*/)) {
        name = substr(rest, RSTART, RLENGTH)
        rest = substr(rest, RSTART + RLENGTH)
        if ((at = index(name, "__")) > 1 && substr(name, 1, at - 1) in known &&
            substr(name, 1, at - 1) != from && substr(name, at + 2) ~ /^[a-z]/) {
            complain(name " is private to src/" substr(name, 1, at - 1) ": use its door")
        }
    }
}

stripped ~ /^[ \t]*#[ \t]*include/ && $0 ~ /"/ {
    split($0, quoted, "\"")
    target = quoted[2]
    slash = index(target, "/")
    to = substr(target, 1, slash - 1)
    file = substr(target, slash + 1)
    if (slash == 0 || !(to in known)) {
        complain("include \"" target "\": write it as \"<directory of src>/<file>\"")
    } else if (file !~ /\.(h|tbl|inc)$/) {
        complain("include \"" target "\": only headers and tables are included")
    } else if (to == from) {
        next
    } else if (file == "events.h" && (from, "events") in allowed) {
        next
    } else if (!((from, to) in allowed)) {
        complain("src/" from " must not include " to " (tools/lint/layers.txt)")
    } else if (!(to in open) && file != to ".h") {
        complain("include only the door of " to ": \"" to "/" to ".h\"")
    }
}

END { exit bad }
