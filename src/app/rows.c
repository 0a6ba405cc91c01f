/*
 * rows.c - see rows.h. Tests: tests/e2e/140-view.sh, tests/e2e/144-export.sh.
 */
#include "app/rows.h"

#include <string.h>

#include "wire/json.h"

/* ---- CSV ---- */

static bool is_one_of(const char *list, char c)
{
    return c != '\0' && strchr(list, c) != NULL;
}

static bool needs_quotes(const char *data, uint64_t size)
{
    for (uint64_t i = 0; i < size; i++) {
        if (is_one_of(",\"\r\n", data[i])) {
            return true;
        }
    }
    return size == 0;
}

static void csv_cell(FILE *out, const char *data, uint64_t size, bool guard)
{
    bool guarded = guard && size > 0 && is_one_of("=+-@'\t\r\n", data[0]);
    if (!guarded && !needs_quotes(data, size)) {
        (void)fwrite(data, 1, size, out);
        return;
    }
    (void)fputs(guarded ? "\"'" : "\"", out);
    for (uint64_t i = 0; i < size; i++) {
        if (data[i] == '"') {
            (void)fputc('"', out);
        }
        (void)fputc(data[i], out);
    }
    (void)fputc('"', out);
}

bool rows_csv(FILE *out, const char *const *names, const struct view_cell *row, uint32_t count,
              bool guarded)
{
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0) {
            (void)fputc(',', out);
        }
        if (row == NULL) {
            csv_cell(out, names[i], strlen(names[i]), false);
        } else if (row[i].kind == VIEW_INTEGER || row[i].kind == VIEW_REAL) {
            (void)fwrite(row[i].data, 1, row[i].size, out);
        } else if (row[i].kind != VIEW_NULL) {
            csv_cell(out, row[i].data == NULL ? "" : row[i].data, row[i].size, guarded);
        }
    }
    return fputs("\r\n", out) >= 0 && !ferror(out);
}

/* ---- JSON ---- */

/* 2.5 as it is; infinities, which JSON does not have, as a string. */
static void json_real(struct writer *w, struct span value)
{
    char last = value.size == 0 ? '\0' : value.data[value.size - 1];
    if (last >= '0' && last <= '9') {
        json_raw(w, value.data);
    } else {
        json_put_string(w, value);
    }
}

void rows_json(struct writer *w, const char *const *names, const struct view_cell *row,
               uint32_t count)
{
    json_open(w, '{');
    for (uint32_t i = 0; i < count; i++) {
        struct span value = {row[i].data, row[i].size};
        json_key(w, names[i]);
        switch (row[i].kind) {
        case VIEW_NULL: json_put_null(w); break;
        case VIEW_INTEGER: json_put_i64(w, row[i].integer); break;
        case VIEW_REAL: json_real(w, value); break;
        case VIEW_TEXT:
        case VIEW_BLOB: json_put_string(w, value); break;
        }
    }
    json_close(w, '}');
}

bool rows_flush(void *context, const uint8_t *data, size_t size)
{
    return fwrite(data, 1, size, context) == size;
}
