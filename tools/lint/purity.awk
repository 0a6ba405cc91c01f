# Input: directory object name type [value size], as nm -P gives them.

BEGIN {
    while ((getline line < layers) > 0) {
        if (line ~ /^#/ || split(line, word, " ") < 3) continue
        kind[word[1]] = word[2]
        below[word[1], word[1]] = 1
        for (i = 3; i in word; i++) below[word[1], word[i]] = 1
        split("", word)
    }
    outside = "memcpy memmove memset memcmp bcmp strlen strnlen strcmp strncmp memchr strchr " \
        "malloc calloc realloc free large_zeroed large_exclude_from_fork large_free_excluded " \
        "hakika_panic _GLOBAL_OFFSET_TABLE_ " \
        "__stack_chk_fail __memcpy_chk __memmove_chk __memset_chk __chk_fail " \
        "__divti3 __modti3 __udivti3 __umodti3 __udivmodti4 __multi3 __muloti4 " \
        "__popcountdi2 __popcountsi2 __mulodi4"
    count = split(outside, word, " ")
    for (i = 1; i <= count; i++) harmless[word[i]] = 1
}

$4 ~ /^[UwvI]$/ { needed[++needs] = $1 " " $2 " " $3; next }
{ defined_in[$3] = (defined_in[$3] == "" ? "" : defined_in[$3] " ") $1 }

END {
    for (i = 1; i <= needs; i++) {
        split(needed[i], word, " ")
        directory = word[1]
        name = word[3]
        if (name in harmless) continue
        if (kind[directory] == "pure+json" && name ~ /^(json_|printbuf_|lh_|array_list_)/) continue
        if (name in defined_in) {
            fine = 0
            count = split(defined_in[name], home, " ")
            for (k = 1; k <= count; k++) if ((directory, home[k]) in below) fine = 1
            if (!fine) {
                printf "src/%s: %s needs %s of src/%s, which is not below it\n", directory,
                    word[2], name, home[1]
                bad = 1
            }
            continue
        }
        printf "src/%s: %s needs %s: a pure directory has only memory and string functions\n",
            directory, word[2], name
        bad = 1
    }
    exit bad
}
