function line_found(stripped) {
    if (stripped !~ /^[ \t]*#/) {
        checks += gsub(/(^|[^A-Za-z0-9_])(CHECK[A-Z_]*|UNREACHABLE) *\(/, "&", stripped)
    }
}

function function_found(file, line, name, length_lines) { functions++ }

END {
    if (functions > 0) {
        bad = checks < least * functions
        printf "src/%s: %d CHECKs in %d functions, %.1f each%s\n", directory, checks, functions,
            checks / functions, bad ? ": state what each relies on and leaves behind, at least " \
            least " on average" : "" > (bad ? "/dev/stdout" : "/dev/stderr")
    }
    exit bad
}
