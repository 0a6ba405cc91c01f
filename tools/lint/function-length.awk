function line_found(stripped) {}

function function_found(file, line, name, length_lines) {
    if (length_lines > 70) {
        printf "%s:%d: %s has %d lines, at most 70: split it where it does a second thing\n",
            file, line, name, length_lines
        bad = 1
    }
}

END { exit bad }
