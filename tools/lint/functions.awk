# Finds function bodies. Needs strip.awk; the checker defines function_found(file, line, name,
# length), which is called once per function with the number of lines between its braces, and
# line_found(stripped), which is called for every line. A table is not a function: what follows "="
# or a bare struct, union or enum is skipped.

FNR == 1 {
    strip_begin()
    depth = 0
    head = ""
    directive = 0
}

{
    stripped = strip($0)
    line_found(stripped)
    # Preprocessor lines, with their continuations, have no braces that count.
    if (directive || stripped ~ /^[ \t]*#/) {
        directive = ($0 ~ /\\$/)
        next
    }
    rest = stripped
    while ((at = match(rest, /[{};]/)) > 0) {
        c = substr(rest, at, 1)
        if (depth == 0) {
            head = head " " substr(rest, 1, at - 1)
        }
        rest = substr(rest, at + 1)
        if (c == "{") {
            if (depth == 0) {
                functions_open()
            }
            depth++
        } else if (c == "}") {
            depth--
            if (depth == 0) {
                if (in_function) {
                    function_found(FILENAME, opened, function_name, FNR - opened - 1)
                }
                head = ""
            }
        } else if (depth == 0) {
            head = ""
        }
    }
    if (depth == 0) {
        head = head " " rest
    }
}

function functions_open() {
    gsub(/__attribute__ *\(\([^)]*\)\)/, "", head)
    in_function = (head ~ /\(/ && head !~ /=/)
    opened = FNR
    function_name = "?"
    if (match(head, /[A-Za-z_][A-Za-z0-9_]* *\(/)) {
        function_name = substr(head, RSTART, RLENGTH - 1)
        sub(/ +$/, "", function_name)
    }
}
