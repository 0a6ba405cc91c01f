/*
 * verify.c - the command line of hakika verify, and its report for people and for programs. The
 * proofs are in app/verify/. Guarantees: prints the report and nothing else on standard output;
 * progress goes to standard error. Tests: tests/unit/test_verify.c, tests/e2e.
 */
#include "app/verify.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/command.h"
#include "app/monotonic.h"
#include "app/number.h"
#include "app/verify/run.h"
#include "base/caltime.h"
#include "base/money.h"
#include "book/book.h"
#include "operator/operator.h"
#include "wire/json.h"

enum {
    EXIT_HOLDS = EXIT_GOOD,
    EXIT_BREACH = EXIT_FAILED,
    DATA_MAX_BYTES = 2000,
};

struct verify_arguments {
    const char *data;
    bool json;
};

/* One journal and what was found. */
struct verified {
    char directory[PATH_BYTES];
    bool merchant;
    double seconds;
    struct verify_report report;
};

static const char VERIFY_HELP[] =
    "hakika verify DIR [--json]: proves from the journal in the data folder DIR that no money was\n"
    "made or lost, that every payment went its way once and that the state can be rebuilt.\n"
    "\n"
    "  DIR      what was given to hakika serve --data (the journals are DIR/operator and\n"
    "           DIR/merchant; those that are there are verified), or a journal's own folder\n"
    "  --json   one JSON object instead of text\n"
    "\n"
    "It only reads, so it may run beside the server; it then covers what was written when it\n"
    "began. Exit status: 0 every proof holds, 1 a breach, 2 wrong arguments, 4 cannot read it.\n";

/* ---- text ---- */

/* "1,234.50" */
static const char *shillings(int64_t minor, char out[NUMBER_TEXT_MAX])
{
    char text[MONEY_TEXT_MAX];
    size_t size = money_format(minor, text);
    size_t start = text[0] == '-' ? 1 : 0;
    size_t point = size - 3; /* two decimals, always */
    size_t at = 0;
    for (size_t i = 0; i < size; i++) {
        if (i > start && i < point && (point - i) % 3 == 0) {
            out[at++] = ',';
        }
        out[at++] = text[i];
    }
    CHECK(at < NUMBER_TEXT_MAX);
    out[at] = '\0';
    return out;
}

/* "no_money", from the table of outcomes. */
static const char *outcome_name(uint32_t number, char out[NUMBER_TEXT_MAX])
{
    static const char *const names[] = {
        "other",
#define X(name, number, state, code, words) #name,
        STK_OUTCOMES(X)
#undef X
    };
    const char *name = number < sizeof(names) / sizeof(names[0]) ? names[number] : "other";
    size_t i = 0;
    for (; name[i] != '\0' && i + 1 < NUMBER_TEXT_MAX; i++) {
        bool upper = name[i] >= 'A' && name[i] <= 'Z';
        out[i] = upper ? (char)(name[i] - 'A' + 'a') : name[i];
    }
    out[i] = '\0';
    return out;
}

static void print_finding(const struct verify_finding *f)
{
    (void)printf("          ");
    if (f->place.position > 0) {
        (void)printf("position %" PRIu64 ", ", f->place.position);
    }
    if (f->place.segment > 0) {
        (void)printf("segment %" PRIu64 " (journal-%08" PRIu64 ".seg), batch at offset %" PRIu64
                     ": ",
                     f->place.segment, f->place.segment, f->place.offset);
    }
    (void)printf("%s\n", f->text);
}

static void print_proof(const struct verify_report *r, enum verify_proof proof)
{
    const struct verify_verdict *v = &r->proofs[proof];
    char number[NUMBER_TEXT_MAX];
    if (!v->done && v->breaches == 0) {
        (void)printf("  not done  %s\n", verify_proof_holds(proof));
        return;
    }
    if (v->breaches == 0) {
        (void)printf("  holds   %s (%s)\n", verify_proof_holds(proof),
                     number_grouped(v->checked, number));
        return;
    }
    (void)printf("  BREACH  not so: %s (%s found)\n", verify_proof_holds(proof),
                 number_grouped(v->breaches, number));
    for (uint32_t i = 0; i < v->kept; i++) {
        print_finding(&v->findings[i]);
    }
    (void)printf("          what to do: %s\n", verify_proof_advice(proof));
}

static void print_payments(const struct verify_totals *t)
{
    char a[NUMBER_TEXT_MAX], b[NUMBER_TEXT_MAX], money[NUMBER_TEXT_MAX];
    (void)printf("  payments    %s accepted, %s open", number_grouped(t->payments, a),
                 number_grouped(t->open, b));
    for (uint32_t i = 0; i < 16; i++) {
        if (t->ended[i] > 0) {
            (void)printf(", %s %s", number_grouped(t->ended[i], a), outcome_name(i, b));
        }
    }
    (void)printf("\n              KSh %s paid\n", shillings((int64_t)t->paid_minor, money));
}

static void print_figures(const struct verify_totals *t)
{
    char a[NUMBER_TEXT_MAX], b[NUMBER_TEXT_MAX], c[NUMBER_TEXT_MAX], d[NUMBER_TEXT_MAX];
    char m[4][NUMBER_TEXT_MAX];
    print_payments(t);
    (void)printf("  money       KSh %s in existence: %s in wallets, %s with organisations, %s "
                 "elsewhere\n",
                 shillings(t->issued_minor, m[0]), shillings(t->wallets_minor, m[1]),
                 shillings(t->organisations_minor, m[2]), shillings(t->others_minor, m[3]));
    (void)printf("  deliveries  %s queued, %s attempts, %s given up, %s waiting\n",
                 number_grouped(t->deliveries, a), number_grouped(t->attempts, b),
                 number_grouped(t->dead, c), number_grouped(t->waiting, d));
    (void)printf("  on it       %s subscribers, %s organisations, %s accounts\n",
                 number_grouped(t->subscribers, a), number_grouped(t->organisations, b),
                 number_grouped(t->accounts, c));
    (void)printf("  compared    %s checkpoints, %s snapshots", number_grouped(t->checkpoints, a),
                 number_grouped(t->snapshots, b));
    if (t->checkpoints_foreign > 0) {
        (void)printf("; %s checkpoints are of another state version and cannot be",
                     number_grouped(t->checkpoints_foreign, c));
    }
    if (t->snapshots_ignored > 0) {
        (void)printf(" (%s more are damaged or of another version; they are never used)",
                     number_grouped(t->snapshots_ignored, c));
    }
    (void)printf("\n");
}

static void print_head(const struct verify_report *r, const char *directory)
{
    const struct verify_totals *t = &r->totals;
    char a[NUMBER_TEXT_MAX], b[NUMBER_TEXT_MAX], c[NUMBER_TEXT_MAX];
    char first[RFC3339_SIZE] = "?", last[RFC3339_SIZE] = "?";
    if (caltime_in_range(t->first_ns) && caltime_in_range(t->head.time_ns)) {
        (void)rfc3339_format(t->first_ns, first);
        (void)rfc3339_format(t->head.time_ns, last);
    }
    (void)printf("%s\n  %s batches, %s frames, %s events, from %s to %s\n"
                 "  journal format %d, state %d, generation %" PRIu64 "\n\n",
                 directory, number_grouped(t->batches, a), number_grouped(t->frames, b),
                 number_grouped(t->events, c), first, last, JOURNAL_FORMAT_VERSION,
                 BOOK_STATE_VERSION, t->generation);
}

static void print_report(const struct verify_report *r, const char *directory, double seconds)
{
    print_head(r, directory);
    for (int p = 0; p < PROOF_COUNT; p++) {
        print_proof(r, (enum verify_proof)p);
    }
    (void)printf("\n");
    if (r->totals.frames > 0) {
        print_figures(&r->totals);
    }
    const char *verdict = findings_hold(r)        ? "Every proof holds."
                          : findings_total(r) > 0 ? "NOT every proof holds: see BREACH above."
                                                  : "Not every proof could be carried out.";
    (void)printf("\n%s (%.2f s)\n", verdict, seconds);
}

/* ---- JSON ---- */

static bool json_flush(void *context, const uint8_t *data, size_t size)
{
    return fwrite(data, 1, size, context) == size;
}

static void json_findings(struct writer *w, const struct verify_verdict *v)
{
    json_key(w, "breaches");
    json_open(w, '[');
    for (uint32_t i = 0; i < v->kept; i++) {
        const struct verify_finding *f = &v->findings[i];
        json_open(w, '{');
        json_field_u64(w, "position", f->place.position);
        json_field_u64(w, "segment", f->place.segment);
        json_field_u64(w, "offset", f->place.offset);
        json_field_text(w, "what", f->text);
        json_close(w, '}');
    }
    json_close(w, ']');
}

static void json_proofs(struct writer *w, const struct verify_report *r)
{
    json_key(w, "proofs");
    json_open(w, '[');
    for (int p = 0; p < PROOF_COUNT; p++) {
        const struct verify_verdict *v = &r->proofs[p];
        bool ok = v->done && v->breaches == 0;
        json_open(w, '{');
        json_field_text(w, "name", verify_proof_name((enum verify_proof)p));
        json_field_bool(w, "ok", ok);
        json_field_bool(w, "done", v->done);
        json_field_u64(w, "checked", v->checked);
        json_field_text(w, "detail",
                        v->kept > 0 ? v->findings[0].text
                                    : verify_proof_holds((enum verify_proof)p));
        json_field_u64(w, "breach_count", v->breaches);
        json_findings(w, v);
        if (!ok) {
            json_field_text(w, "advice", verify_proof_advice((enum verify_proof)p));
        }
        json_close(w, '}');
    }
    json_close(w, ']');
}

static void json_payments(struct writer *w, const struct verify_totals *t)
{
    char name[NUMBER_TEXT_MAX];
    json_key(w, "payments");
    json_open(w, '{');
    json_field_u64(w, "accepted", t->payments);
    json_field_u64(w, "open", t->open);
    json_field_u64(w, "paid_minor", t->paid_minor);
    json_key(w, "ended");
    json_open(w, '{');
    for (uint32_t i = 0; i < 16; i++) {
        if (t->ended[i] > 0) {
            json_field_u64(w, outcome_name(i, name), t->ended[i]);
        }
    }
    json_close(w, '}');
    json_close(w, '}');
}

static void json_money(struct writer *w, const struct verify_totals *t)
{
    json_key(w, "money");
    json_open(w, '{');
    json_field_text(w, "currency", "KES");
    json_field_i64(w, "issued_minor", t->issued_minor);
    json_field_i64(w, "wallets_minor", t->wallets_minor);
    json_field_i64(w, "organisations_minor", t->organisations_minor);
    json_field_i64(w, "others_minor", t->others_minor);
    json_close(w, '}');
    json_key(w, "deliveries");
    json_open(w, '{');
    json_field_u64(w, "queued", t->deliveries);
    json_field_u64(w, "attempts", t->attempts);
    json_field_u64(w, "dead", t->dead);
    json_field_u64(w, "waiting", t->waiting);
    json_close(w, '}');
}

static void json_report(struct writer *w, const struct verified *v)
{
    const struct verify_report *r = &v->report;
    const struct verify_totals *t = &r->totals;
    json_field_bool(w, "ok", findings_hold(r));
    json_field_text(w, "directory", v->directory);
    json_proofs(w, r);
    json_field_u64(w, "batches", t->batches);
    json_field_u64(w, "frames", t->frames);
    json_field_u64(w, "events", t->events);
    json_field_u64(w, "generation", t->generation);
    json_field_u64(w, "position", t->head.position);
    json_field_i64(w, "journal_format", JOURNAL_FORMAT_VERSION);
    json_field_i64(w, "state_version", BOOK_STATE_VERSION);
    json_payments(w, t);
    json_money(w, t);
    json_field_u64(w, "subscribers", t->subscribers);
    json_field_u64(w, "organisations", t->organisations);
    json_field_u64(w, "accounts", t->accounts);
    json_field_u64(w, "checkpoints", t->checkpoints);
    json_field_u64(w, "checkpoints_foreign", t->checkpoints_foreign);
    json_field_u64(w, "snapshots", t->snapshots);
    json_field_u64(w, "snapshots_ignored", t->snapshots_ignored);
    json_field_u64(w, "elapsed_ms", (uint64_t)(v->seconds * 1000));
}

/* The first journal's report; the merchant's beside the operator's is a member of it. */
static void print_json(const struct verified *books, uint32_t count)
{
    uint8_t buffer[4096];
    struct writer w = writer_init(buffer, sizeof(buffer));
    w.flush = json_flush;
    w.context = stdout;
    json_open(&w, '{');
    json_report(&w, &books[0]);
    if (count == 2) {
        json_key(&w, "merchant");
        json_open(&w, '{');
        json_report(&w, &books[1]);
        json_close(&w, '}');
    }
    json_close(&w, '}');
    json_raw(&w, "\n");
    CHECK(writer_finish(&w) || ferror(stdout));
}

/* ---- the command ---- */

static void print_progress(void *context, const char *doing, uint64_t position, uint64_t head)
{
    char a[NUMBER_TEXT_MAX], b[NUMBER_TEXT_MAX];
    (void)context;
    (void)fprintf(stderr, "hakika: %s, %s of %s frames\n", doing, number_grouped(position, a),
                  number_grouped(head, b));
}

/* False (said): not something to verify. */
static bool parse_verify(int argc, char **argv, struct verify_arguments *out)
{
    memset(out, 0, sizeof(*out));
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            out->json = true;
        } else if (argv[i][0] == '-' || argv[i][0] == '\0' || out->data != NULL) {
            (void)fprintf(stderr,
                          "hakika: verify does not take \"%.60s\"; see hakika verify --help\n",
                          argv[i]);
            return false;
        } else {
            out->data = argv[i];
        }
    }
    if (out->data == NULL || strlen(out->data) > DATA_MAX_BYTES) {
        (void)fprintf(stderr, "hakika: verify needs the data folder; see hakika verify --help\n");
        return false;
    }
    return true;
}

/* Or what is left of one: opening it says what is missing. */
static bool has_journal(const char *folder)
{
    bool found = false;
    DIR *files = opendir(folder);
    if (files == NULL) {
        return false;
    }
    for (const struct dirent *file = readdir(files); file != NULL && !found;
         file = readdir(files)) {
        found =
            strncmp(file->d_name, "journal-", 8) == 0 || strncmp(file->d_name, "snapshot-", 9) == 0;
    }
    (void)closedir(files);
    return found;
}

static bool ends_in(const char *text, const char *end)
{
    size_t size = strlen(text);
    while (size > 0 && text[size - 1] == '/') {
        size--;
    }
    size_t wanted = strlen(end);
    return size >= wanted && memcmp(text + size - wanted, end, wanted) == 0;
}

/* DIR/operator and DIR/merchant, those that are there; or DIR itself when it is a journal's own
 * folder. How many. */
static uint32_t find_journals(const char *data, struct verified books[2])
{
    if (has_journal(data)) {
        (void)snprintf(books[0].directory, PATH_BYTES, "%.*s", DATA_MAX_BYTES, data);
        books[0].merchant = ends_in(data, "merchant");
        return 1;
    }
    uint32_t count = 0;
    for (uint32_t i = 0; i < 2; i++) {
        (void)snprintf(books[count].directory, PATH_BYTES, "%.*s/%s", DATA_MAX_BYTES, data,
                       i == 0 ? "operator" : "merchant");
        books[count].merchant = i == 1;
        count += has_journal(books[count].directory);
    }
    if (count == 0) { /* opening it explains what is wrong */
        (void)snprintf(books[0].directory, PATH_BYTES, "%.*s/operator", DATA_MAX_BYTES, data);
        books[0].merchant = false;
        count = 1;
    }
    return count;
}

static bool verify_one(struct verified *v)
{
    struct journal_error error;
    struct verify_options options = {
        .directory = v->directory, .merchant = v->merchant, .progress = print_progress};
    double begun = monotonic_seconds();
    if (!verify_run(&options, &v->report, &error)) {
        (void)fprintf(stderr, "hakika: %s\n", error.message);
        return false;
    }
    v->seconds = monotonic_seconds() - begun;
    return true;
}

int verify_command(int argc, char **argv)
{
    static struct verified books[2];
    struct verify_arguments arguments;
    if (argc > 0 && (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0)) {
        (void)fputs(VERIFY_HELP, stdout);
        return EXIT_HOLDS;
    }
    if (!parse_verify(argc, argv, &arguments)) {
        return EXIT_USAGE;
    }
    uint32_t count = find_journals(arguments.data, books);
    bool holds = true;
    bool breach = false;
    for (uint32_t i = 0; i < count; i++) {
        if (!verify_one(&books[i])) {
            return EXIT_UNREADABLE;
        }
        holds = holds && findings_hold(&books[i].report);
        breach = breach || findings_total(&books[i].report) > 0;
        if (!arguments.json) {
            print_report(&books[i].report, books[i].directory, books[i].seconds);
        }
    }
    if (arguments.json) {
        print_json(books, count);
    }
    return holds ? EXIT_HOLDS : breach ? EXIT_BREACH : EXIT_UNREADABLE;
}
