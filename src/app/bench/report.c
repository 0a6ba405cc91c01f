/*
 * report.c - see report.h. Decimals are made from integers: thousandths of milliseconds, tenths of
 * microseconds and bytes.
 */
#include "app/bench/report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/number.h"
#include "wire/json.h"

enum {
    REPORT_JSON_MAX = 64 * 1024,
};

struct report_phase *report_phase_add(struct report *r, const char *name, const char *operation)
{
    CHECK(r->phases_count < REPORT_PHASES_MAX);
    struct report_phase *p = &r->phases[r->phases_count++];
    memset(p, 0, sizeof(*p));
    (void)snprintf(p->name, sizeof(p->name), "%s", name);
    p->operation = operation;
    p->server_user_us = REPORT_UNKNOWN;
    p->server_system_us = REPORT_UNKNOWN;
    p->load_us = REPORT_UNKNOWN;
    p->others_us = REPORT_UNKNOWN;
    p->journal_bytes = REPORT_UNKNOWN;
    p->disk_bytes = REPORT_UNKNOWN;
    p->syncs = REPORT_UNKNOWN;
    return p;
}

void report_latency_add(struct report_phase *p, const char *name, const char *key,
                        const struct histogram *h)
{
    CHECK(p->latencies_count < REPORT_LATENCIES_MAX);
    p->latencies[p->latencies_count++] = (struct report_latency){
        .name = name,
        .key = key,
        .p50_ns = histogram_percentile(h, 500000),
        .p99_ns = histogram_percentile(h, 990000),
        .p999_ns = histogram_percentile(h, 999000),
        .max_ns = h->max,
    };
}

void report_count_add(struct report_phase *p, const char *name, uint64_t count, bool is_error)
{
    CHECK(p->counts_count < REPORT_COUNTS_MAX);
    p->counts[p->counts_count++] = (struct report_count){name, count, is_error};
}

void report_problem(struct report *r, const char *format, ...)
{
    const uint32_t most = sizeof(r->problems) / sizeof(r->problems[0]);
    va_list arguments;
    va_start(arguments, format);
    if (r->problems_count < most) {
        (void)vsnprintf(r->problems[r->problems_count++], sizeof(r->problems[0]), format,
                        arguments);
    }
    va_end(arguments);
}

/* value * factor / divisor, rounded, for any values of a measurement. */
static uint64_t scaled(uint64_t value, uint64_t factor, uint64_t divisor)
{
    if (divisor == 0) {
        return 0;
    }
    unsigned __int128 product = (unsigned __int128)value * factor + divisor / 2;
    return (uint64_t)(product / divisor);
}

uint64_t report_rate(const struct report_phase *p)
{
    return p->elapsed_ns <= 0 ? 0 : scaled(p->operations, 1000000000, (uint64_t)p->elapsed_ns);
}

uint64_t report_errors(const struct report *r)
{
    uint64_t errors = 0;
    for (uint32_t i = 0; i < r->phases_count; i++) {
        const struct report_phase *p = &r->phases[i];
        for (uint32_t c = 0; c < p->counts_count; c++) {
            errors += p->counts[c].is_error ? p->counts[c].count : 0;
        }
    }
    return errors;
}

/* ---- numbers as text ------------------------------------------------------------------------ */

/* Thousandths or tenths, as a decimal number. */
static const char *decimal(uint64_t value, uint64_t parts, char out[NUMBER_TEXT_MAX])
{
    (void)snprintf(out, NUMBER_TEXT_MAX, "%" PRIu64 ".%0*" PRIu64, value / parts,
                   parts == 1000 ? 3 : 1, value % parts);
    return out;
}

/* What each operation cost, with as many decimals as say something. */
static const char *each_text(uint64_t value, uint64_t operations, char out[NUMBER_TEXT_MAX])
{
    bool small = value < 10 * operations;
    return small ? decimal(scaled(value, 1000, operations), 1000, out)
                 : decimal(scaled(value, 10, operations), 10, out);
}

static const char *ms_text(int64_t ns, char out[NUMBER_TEXT_MAX])
{
    return decimal(scaled((uint64_t)(ns < 0 ? 0 : ns), 1, 1000), 1000, out);
}

/* ---- text ----------------------------------------------------------------------------------- */

static void label(const char *text)
{
    (void)printf("  %-34s", text);
}

static void print_latency(const struct report_latency *l)
{
    char p50[NUMBER_TEXT_MAX];
    char p99[NUMBER_TEXT_MAX];
    char p999[NUMBER_TEXT_MAX];
    char max[NUMBER_TEXT_MAX];
    char name[64];
    (void)snprintf(name, sizeof(name), "%s, ms", l->name);
    label(name);
    (void)printf("p50 %8s   p99 %8s   p99.9 %8s   max %8s\n", ms_text(l->p50_ns, p50),
                 ms_text(l->p99_ns, p99), ms_text(l->p999_ns, p999), ms_text(l->max_ns, max));
}

static void print_cost(const struct report_phase *p)
{
    char a[NUMBER_TEXT_MAX];
    char b[NUMBER_TEXT_MAX];
    char c[NUMBER_TEXT_MAX];
    if (p->server_user_us != REPORT_UNKNOWN) {
        label("CPU for each, us");
        (void)printf("user %s, system %s", each_text(p->server_user_us, p->operations, a),
                     each_text(p->server_system_us, p->operations, b));
        if (p->load_us != REPORT_UNKNOWN) {
            (void)printf("; generator and sink %s", each_text(p->load_us, p->operations, c));
        }
        (void)printf("\n");
    }
    if (p->journal_bytes != REPORT_UNKNOWN) {
        label("bytes for each");
        (void)printf("journal %s", each_text(p->journal_bytes, p->operations, a));
        if (p->disk_bytes != REPORT_UNKNOWN) {
            (void)printf(", written to disk %s", each_text(p->disk_bytes, p->operations, b));
        }
        (void)printf("\n");
    }
    if (p->syncs != REPORT_UNKNOWN && p->syncs > 0) {
        label("group commits");
        (void)printf("%s, %s each\n", number_grouped(p->syncs, a),
                     decimal(scaled(p->operations, 10, p->syncs), 10, b));
    }
}

/* How much of the machine others used meanwhile: what the figures above did not have. */
static uint64_t others_percent(const struct report_phase *p)
{
    uint64_t processors = (uint64_t)sysconf(_SC_NPROCESSORS_ONLN);
    uint64_t all_us = (uint64_t)p->elapsed_ns / 1000 * processors;
    return scaled(p->others_us, 100, all_us);
}

static void print_counts(const struct report_phase *p)
{
    char text[NUMBER_TEXT_MAX];
    uint64_t errors = 0;
    for (uint32_t i = 0; i < p->counts_count; i++) {
        const struct report_count *c = &p->counts[i];
        errors += c->is_error ? c->count : 0;
        if (c->count > 0) {
            char name[64];
            (void)snprintf(name, sizeof(name), "%s%s", c->name, c->is_error ? " (error)" : "");
            for (char *at = name; *at != '\0'; at++) {
                *at = *at == '_' ? ' ' : *at;
            }
            label(name);
            (void)printf("%s\n", number_grouped(c->count, text));
        }
    }
    if (p->others_us != REPORT_UNKNOWN) {
        label("CPU that others used meanwhile");
        (void)printf("%s %% of this machine\n", number_grouped(others_percent(p), text));
    }
    if (errors == 0) {
        label("errors");
        (void)printf("0\n");
    }
}

void report_print_text(const struct report *r)
{
    char a[NUMBER_TEXT_MAX];
    char b[NUMBER_TEXT_MAX];
    (void)printf("%s: %s\n", r->profile, r->title);
    for (uint32_t i = 0; i < r->phases_count; i++) {
        const struct report_phase *p = &r->phases[i];
        char name[64];
        (void)printf(" %s\n", p->name);
        (void)snprintf(name, sizeof(name), "%s/s", p->operation);
        label(name);
        (void)printf(
            "%s   (%s in %s s)\n", number_grouped(report_rate(p), a),
            number_grouped(p->operations, b),
            decimal(scaled((uint64_t)p->elapsed_ns, 1, 100000000), 10, (char[NUMBER_TEXT_MAX]){0}));
        for (uint32_t l = 0; l < p->latencies_count; l++) {
            print_latency(&p->latencies[l]);
        }
        print_cost(p);
        print_counts(p);
    }
    label("this disk, fdatasync/s");
    (void)printf("%s of 4 KiB, %s of 64 KiB\n", number_grouped(r->fsync_4k.per_second, a),
                 number_grouped(r->fsync_64k.per_second, b));
    for (uint32_t i = 0; i < r->problems_count; i++) {
        (void)printf("  WRONG: %s\n", r->problems[i]);
    }
    if (r->problems_count == 0) {
        label("sums after the run");
        (void)printf("agree\n");
    }
    (void)fflush(stdout);
}

/* ---- JSON ----------------------------------------------------------------------------------- */

static void field_ms(struct writer *w, const char *key, const char *what, int64_t ns)
{
    char name[64];
    char value[NUMBER_TEXT_MAX];
    (void)snprintf(name, sizeof(name), "%s%s%s", key == NULL ? "" : key, key == NULL ? "" : "_",
                   what);
    json_key(w, name);
    json_raw(w, ms_text(ns, value));
}

static void field_each(struct writer *w, const char *name, uint64_t value, uint64_t operations)
{
    char text[NUMBER_TEXT_MAX];
    if (value == REPORT_UNKNOWN) {
        json_field_null(w, name);
        return;
    }
    json_key(w, name);
    json_raw(w, decimal(scaled(value, 1000, operations), 1000, text));
}

static void phase_fields(struct writer *w, const struct report_phase *p)
{
    json_field_u64(w, "rate_per_s", report_rate(p));
    for (uint32_t i = 0; i < p->latencies_count; i++) {
        const struct report_latency *l = &p->latencies[i];
        field_ms(w, l->key, "p50_ms", l->p50_ns);
        field_ms(w, l->key, "p99_ms", l->p99_ns);
        field_ms(w, l->key, "p999_ms", l->p999_ns);
        field_ms(w, l->key, "max_ms", l->max_ns);
    }
    bool known = p->server_user_us != REPORT_UNKNOWN;
    field_each(w, "cpu_us_per_op", known ? p->server_user_us + p->server_system_us : REPORT_UNKNOWN,
               p->operations);
    field_each(w, "cpu_user_us_per_op", p->server_user_us, p->operations);
    field_each(w, "cpu_system_us_per_op", p->server_system_us, p->operations);
    field_each(w, "generator_cpu_us_per_op", p->load_us, p->operations);
    field_each(w, "journal_bytes_per_op", p->journal_bytes, p->operations);
    field_each(w, "disk_bytes_per_op", p->disk_bytes, p->operations);
    if (p->others_us != REPORT_UNKNOWN) {
        json_field_u64(w, "others_cpu_percent", others_percent(p));
    }
    json_field_text(w, "operation", p->operation);
    json_field_u64(w, "operations", p->operations);
    json_field_i64(w, "elapsed_ms", p->elapsed_ns / 1000000);
    for (uint32_t i = 0; i < p->counts_count; i++) {
        json_field_u64(w, p->counts[i].name, p->counts[i].count);
    }
}

void report_print_json(const struct report *r)
{
    static uint8_t buffer[REPORT_JSON_MAX];
    struct writer w = writer_init(buffer, sizeof(buffer));
    json_open(&w, '{');
    json_field_text(&w, "profile", r->profile);
    json_field_text(&w, "title", r->title);
    CHECK(r->main_phase < r->phases_count);
    phase_fields(&w, &r->phases[r->main_phase]);
    json_field_u64(&w, "errors", report_errors(r));
    json_field_u64(&w, "fdatasync_4k_per_s", r->fsync_4k.per_second);
    json_field_u64(&w, "fdatasync_64k_per_s", r->fsync_64k.per_second);
    json_key(&w, "problems");
    json_open(&w, '[');
    for (uint32_t i = 0; i < r->problems_count; i++) {
        json_put_string(&w, span_from(r->problems[i]));
    }
    json_close(&w, ']');
    json_key(&w, "phases");
    json_open(&w, '[');
    for (uint32_t i = 0; i < r->phases_count; i++) {
        json_open(&w, '{');
        json_field_text(&w, "name", r->phases[i].name);
        phase_fields(&w, &r->phases[i]);
        json_close(&w, '}');
    }
    json_close(&w, ']');
    json_close(&w, '}');
    CHECK(!w.overflow);
    (void)printf("%.*s\n", (int)w.size, (const char *)buffer);
    (void)fflush(stdout);
}
