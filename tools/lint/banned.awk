BEGIN {
    while ((getline line < table) > 0) {
        if (line ~ /^#/ || split(line, word, " ") < 3) continue
        where[word[1]] = word[2]
        sub(/^[^ ]+ +[^ ]+ +/, "", line)
        instead[word[1]] = line
    }
    count = split(pure, word, " ")
    for (i = 1; i <= count; i++) is_pure["src/" word[i]] = 1
}

function complain(what) {
    printf "%s:%d: %s\n", FILENAME, FNR, what
    bad = 1
}

FNR == 1 {
    strip_begin()
    split(FILENAME, path, "/")
    in_src = path[1] == "src"
    in_pure = (path[1] "/" path[2]) in is_pure
}

{
    rest = strip($0)
    before = ""
    while (match(rest, /[A-Za-z_][A-Za-z0-9_]*/)) {
        name = substr(rest, RSTART, RLENGTH)
        before = RSTART > 1 ? substr(rest, RSTART - 1, 1) : ""
        rest = substr(rest, RSTART + RLENGTH)
        if (in_pure && (name == "float" || name == "double")) {
            complain(name ": money and time are integers here")
        }
        # A member of that name (x->system, x.rand) is not the call.
        if (name in where && rest ~ /^ *\(/ && before != "." && before != ">" &&
            (where[name] == "all" || (where[name] == "src" && in_src) ||
             (where[name] == "pure" && in_pure))) {
            complain(name "() is banned: " instead[name])
        }
    }
}

END { exit bad }
