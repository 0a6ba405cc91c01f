/*
 * statement.c - see statement.h.
 */
#include "wire/statement.h"

#include <string.h>

#include "base/money.h"
#include "wire/daraja_answer.h"
#include "wire/liberal.h"

enum column {
    COLUMN_RECEIPT,
    COLUMN_COMPLETED,
    COLUMN_INITIATED,
    COLUMN_DETAILS,
    COLUMN_STATUS,
    COLUMN_IN,
    COLUMN_OUT,
    COLUMN_BALANCE,
    COLUMN_TYPE,
    COLUMN_PARTY,
    COLUMN_LINKED,
    COLUMN_ACCOUNT,
    COLUMN_LEDGER,
    COLUMNS,
};

struct column_name {
    const char *name; /* letters and digits of the header in lower case */
    enum column column;
};

static const struct column_name portal_columns[] = {
    {"receiptno", COLUMN_RECEIPT},
    {"completiontime", COLUMN_COMPLETED},
    {"initiationtime", COLUMN_INITIATED},
    {"details", COLUMN_DETAILS},
    {"transactionstatus", COLUMN_STATUS},
    {"paidin", COLUMN_IN},
    {"withdrawn", COLUMN_OUT},
    {"balance", COLUMN_BALANCE},
    {"reasontype", COLUMN_TYPE},
    {"otherpartyinfo", COLUMN_PARTY},
    {"linkedtransactionid", COLUMN_LINKED},
    {"acno", COLUMN_ACCOUNT},
};
static const struct column_name till_columns[] = {
    {"receiptnumber", COLUMN_RECEIPT},
    {"accounttypename", COLUMN_LEDGER},
    {"transactiontype", COLUMN_TYPE},
    {"starttimestamp", COLUMN_COMPLETED},
    {"transactionpartydetails", COLUMN_PARTY},
    {"creditamount", COLUMN_IN},
    {"debitamount", COLUMN_OUT},
    {"balance", COLUMN_BALANCE},
    {"linkedtransactionid", COLUMN_LINKED},
};

enum { PREAMBLE_LINES_MAX = 64, HEADER_NAME_MAX = 32, RECEIPT_LENGTH = 10 };

/* ---- records and fields ---- */

/* A field being taken out of the file: its characters go to text + at. */
struct field_writer {
    struct statement *s;
    size_t size; /* of s->text that is used */
    size_t begin;
    bool full;
};

static void field_put(struct field_writer *f, char c)
{
    if (f->size == sizeof(f->s->text)) {
        f->full = true;
        return;
    }
    f->s->text[f->size++] = c;
}

static void field_end(struct field_writer *f)
{
    if (f->s->fields == STATEMENT_COLUMNS_MAX) {
        f->full = true;
        return;
    }
    struct span text = {f->s->text + f->begin, f->size - f->begin};
    f->s->field[f->s->fields++] = span_trim(text);
    f->begin = f->size;
}

/* One character of the file inside quotes; false at the closing one. */
static bool take_quoted(struct field_writer *f, size_t *at)
{
    const struct span *rest = &f->s->rest;
    if (rest->data[*at] != '"') {
        f->s->line += rest->data[*at] == '\n';
        field_put(f, rest->data[*at]);
        return true;
    }
    if (*at + 1 < rest->size && rest->data[*at + 1] == '"') {
        (*at)++;
        field_put(f, '"');
        return true;
    }
    return false;
}

/* The next record into s->field; false at the end of the file. *whole: it fits and its quotes
 * close. */
static bool next_record(struct statement *s, bool *whole)
{
    struct field_writer f = {s, 0, 0, false};
    bool quoted = false;
    size_t at = 0;
    s->fields = 0;
    if (s->rest.size == 0) {
        return false;
    }
    for (; at < s->rest.size; at++) {
        char c = s->rest.data[at];
        if (quoted) {
            quoted = take_quoted(&f, &at);
        } else if (c == '"') {
            quoted = true;
        } else if (c == s->separator) {
            field_end(&f);
        } else if (c == '\n') {
            break;
        } else if (c != '\r') {
            field_put(&f, c);
        }
    }
    field_end(&f);
    *whole = !f.full && !quoted;
    size_t used = at < s->rest.size ? at + 1 : at;
    s->rest.data += used;
    s->rest.size -= used;
    s->line++;
    return true;
}

/* ---- the header ---- */

static struct span header_name(struct span field, char out[HEADER_NAME_MAX])
{
    size_t size = 0;
    for (size_t i = 0; i < field.size && size < HEADER_NAME_MAX; i++) {
        char c = field.data[i];
        bool upper = c >= 'A' && c <= 'Z';
        if (upper || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
            out[size++] = upper ? (char)(c + ('a' - 'A')) : c;
        }
    }
    return (struct span){out, size};
}

static void place_columns(struct statement *s, const struct column_name *names, size_t count)
{
    char room[HEADER_NAME_MAX];
    memset(s->place, 0, sizeof(s->place));
    _Static_assert(COLUMNS <= sizeof(s->place), "a place for each column");
    for (uint32_t i = 0; i < s->fields; i++) {
        struct span name = header_name(s->field[i], room);
        for (size_t n = 0; n < count; n++) {
            if (span_is(name, names[n].name) && s->place[names[n].column] == 0) {
                s->place[names[n].column] = (uint8_t)(i + 1);
            }
        }
    }
}

static bool has_needed(const struct statement *s)
{
    return s->place[COLUMN_RECEIPT] != 0 && s->place[COLUMN_COMPLETED] != 0 &&
           s->place[COLUMN_IN] != 0 && s->place[COLUMN_OUT] != 0;
}

static bool is_header(struct statement *s)
{
    place_columns(s, portal_columns, sizeof(portal_columns) / sizeof(portal_columns[0]));
    s->form = STATEMENT_PORTAL;
    if (!has_needed(s)) {
        place_columns(s, till_columns, sizeof(till_columns) / sizeof(till_columns[0]));
        s->form = STATEMENT_TILL;
    }
    s->header_fields = s->fields;
    return has_needed(s);
}

/* "Short Code:,600000", "Organization: 600000 - NAME": any number of 5 to 7 digits behind a field
 * that speaks of the short code. */
static void read_preamble(struct statement *s)
{
    uint64_t number;
    for (uint32_t i = 0; i + 1 < s->fields; i++) {
        char room[HEADER_NAME_MAX];
        struct span name = header_name(s->field[i], room);
        struct span value = s->field[i + 1];
        if (s->short_code == 0 && daraja_says(name, "shortcode") && value.size >= 5 &&
            value.size <= 7 && span_parse_u64(value, &number)) {
            s->short_code = (uint32_t)number;
        }
    }
}

static const char separators[] = {',', ';', '\t'};

const char *statement_open(struct span file, struct statement *out)
{
    bool whole;
    struct span mark = SPAN_LITERAL("\xef\xbb\xbf");
    if (span_starts_with(file, mark)) {
        file.data += mark.size;
        file.size -= mark.size;
    }
    for (size_t i = 0; i < sizeof(separators); i++) {
        memset(out, 0, sizeof(*out));
        out->rest = file;
        out->separator = separators[i];
        for (uint32_t line = 0; line < PREAMBLE_LINES_MAX && next_record(out, &whole); line++) {
            if (whole && is_header(out)) {
                return NULL;
            }
            read_preamble(out);
        }
    }
    out->rest = SPAN_EMPTY;
    return "there is no header of a portal or till statement in its first lines";
}

/* ---- rows ---- */

/* The field of a column when data stands `shift` columns beside its header. */
static struct span field_at(const struct statement *s, enum column column, int32_t shift)
{
    if (s->place[column] == 0) {
        return SPAN_EMPTY;
    }
    int32_t at = (int32_t)s->place[column] - 1 + shift;
    return at < 0 || (uint32_t)at >= s->fields ? SPAN_EMPTY : s->field[at];
}

static bool is_receipt(struct span text)
{
    bool letter = false;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        bool upper = c >= 'A' && c <= 'Z';
        if (!upper && (c < '0' || c > '9')) {
            return false;
        }
        letter = letter || upper;
    }
    return text.size == RECEIPT_LENGTH && letter;
}

/* In the field header and data of till files are off by one column. */
static bool find_shift(const struct statement *s, int32_t *shift_out)
{
    static const int32_t tried[] = {0, 1, -1};
    int64_t ignored_ns;
    for (size_t i = 0; i < 3; i++) {
        if (is_receipt(field_at(s, COLUMN_RECEIPT, tried[i])) &&
            liberal_time_eat(field_at(s, COLUMN_COMPLETED, tried[i]), &ignored_ns)) {
            *shift_out = tried[i];
            return true;
        }
    }
    return false;
}

/* Nothing is zero; what is withdrawn has a minus in some files. */
static bool read_amount(struct span text, int64_t *out)
{
    *out = 0;
    if (text.size == 0 || span_is(text, "-")) {
        return true;
    }
    if (!liberal_amount(text, out)) {
        return false;
    }
    *out = *out < 0 ? -*out : *out;
    return true;
}

static bool begins_party(struct span rest)
{
    bool to = span_starts_with(rest, SPAN_LITERAL(" to ")) && rest.size > 4 &&
              rest.data[4] >= '0' && rest.data[4] <= '9';
    return to || span_starts_with(rest, SPAN_LITERAL(" from ")) ||
           span_starts_with(rest, SPAN_LITERAL(" - ")) ||
           span_starts_with(rest, SPAN_LITERAL(" Acc. "));
}

/* What was done, of details like "Pay Bill Online from 254708374149 - JANE REVERSON Acc. INV-1":
 * names and references are chosen by whoever pays, and say nothing of the kind. */
static struct span action_of(struct span details)
{
    for (size_t i = 0; i < details.size; i++) {
        if (begins_party((struct span){details.data + i, details.size - i})) {
            return (struct span){details.data, i};
        }
    }
    return details;
}

/* A charge is never paid in, unless it is given back. */
static enum statement_kind kind_of(const struct statement_row *row)
{
    struct span words = row->type.size > 0 ? row->type : action_of(row->details);
    bool reversal = daraja_says(words, "revers");
    if (daraja_says(words, "charge") && (row->in_minor == 0 || reversal)) {
        return STATEMENT_CHARGE;
    }
    if (reversal) {
        return STATEMENT_REVERSAL;
    }
    if (daraja_says(words, "settlement account")) {
        return STATEMENT_SWEEP;
    }
    return row->in_minor > 0 ? STATEMENT_PAID_IN : STATEMENT_PAID_OUT;
}

/* A number at the beginning, or after the last blank ("... from 254708374149 - JANE"). */
static uint64_t phone_in(struct span text)
{
    uint64_t msisdn;
    size_t begin = 0;
    for (size_t i = 0; i <= text.size; i++) {
        if (i < text.size && text.data[i] != ' ') {
            continue;
        }
        if (i - begin >= 9 && liberal_phone((struct span){text.data + begin, i - begin}, &msisdn)) {
            return msisdn;
        }
        begin = i + 1;
    }
    return 0;
}

static const char *read_money(const struct statement *s, int32_t shift, struct statement_row *row)
{
    if (!read_amount(field_at(s, COLUMN_IN, shift), &row->in_minor) ||
        !read_amount(field_at(s, COLUMN_OUT, shift), &row->out_minor)) {
        return "an amount cannot be read exactly";
    }
    if ((row->in_minor == 0) == (row->out_minor == 0)) {
        return "a row must be either paid in or withdrawn";
    }
    row->has_balance = liberal_amount(field_at(s, COLUMN_BALANCE, shift), &row->balance_minor);
    return NULL;
}

static const char *read_row(const struct statement *s, struct statement_row *row)
{
    int32_t shift;
    if (!find_shift(s, &shift)) {
        return "there is no receipt number with a time";
    }
    row->receipt = field_at(s, COLUMN_RECEIPT, shift);
    row->status = field_at(s, COLUMN_STATUS, shift);
    row->details = field_at(s, COLUMN_DETAILS, shift);
    row->type = field_at(s, COLUMN_TYPE, shift);
    row->party = field_at(s, COLUMN_PARTY, shift);
    row->linked = field_at(s, COLUMN_LINKED, shift);
    row->account = field_at(s, COLUMN_ACCOUNT, shift);
    row->ledger = field_at(s, COLUMN_LEDGER, shift);
    CHECK(liberal_time_eat(field_at(s, COLUMN_COMPLETED, shift), &row->completed_ns));
    if (!liberal_time_eat(field_at(s, COLUMN_INITIATED, shift), &row->initiated_ns)) {
        row->initiated_ns = 0;
    }
    const char *why = read_money(s, shift, row);
    row->phone = phone_in(row->party.size > 0 ? row->party : row->details);
    row->kind = kind_of(row);
    return why;
}

/* Blank lines, and totals below the rows: no receipt and no time anywhere near. */
static bool is_blank(const struct statement *s)
{
    for (uint32_t i = 0; i < s->fields; i++) {
        if (s->field[i].size > 0) {
            return false;
        }
    }
    return true;
}

enum statement_step statement_next(struct statement *s, struct statement_row *row, const char **why)
{
    bool whole = true;
    do {
        memset(row, 0, sizeof(*row));
        row->line = s->line + 1;
        if (!next_record(s, &whole)) {
            return STATEMENT_END;
        }
    } while (whole && is_blank(s));
    *why = whole ? read_row(s, row) : "the row is too long, or a quote does not close";
    return *why == NULL ? STATEMENT_ROW : STATEMENT_BAD_ROW;
}

/* ---- the proof ---- */

void statement_proof_init(struct statement_proof *p)
{
    memset(p, 0, sizeof(*p));
}

static void chain(struct statement_proof *p, const struct statement_row *row,
                  const struct statement_link *link, uint64_t chained)
{
    int64_t up = 0;
    int64_t down = 0;
    if (chained == 0) {
        p->first = *link;
        p->last = *link;
        return;
    }
    if (!money_add(p->last.balance_minor, link->delta_minor, &up) ||
        !money_add(link->balance_minor, p->last.delta_minor, &down)) {
        p->overflow = true;
        return;
    }
    if (up != link->balance_minor) {
        p->gap_line_up = p->gaps_up++ == 0 ? row->line : p->gap_line_up;
    }
    if (down != p->last.balance_minor) {
        p->gap_line_down = p->gaps_down++ == 0 ? row->line : p->gap_line_down;
    }
    p->last = *link;
}

void statement_proof_add(struct statement_proof *p, const struct statement_row *row)
{
    const struct statement_link link = {row->balance_minor, row->in_minor - row->out_minor};
    if (!money_add(p->in_minor, row->in_minor, &p->in_minor) ||
        !money_add(p->out_minor, row->out_minor, &p->out_minor)) {
        p->overflow = true;
    }
    if (row->has_balance && !p->overflow) {
        chain(p, row, &link, p->rows);
        p->rows++;
    }
}

void statement_proof_end(struct statement_proof *p)
{
    int64_t expected = 0;
    p->descending = p->gaps_down < p->gaps_up;
    p->gaps = p->descending ? p->gaps_down : p->gaps_up;
    p->first_gap_line = p->descending ? p->gap_line_down : p->gap_line_up;
    const struct statement_link *oldest = p->descending ? &p->last : &p->first;
    const struct statement_link *newest = p->descending ? &p->first : &p->last;
    p->closing_minor = newest->balance_minor;
    bool fits = money_sub(oldest->balance_minor, oldest->delta_minor, &p->opening_minor) &&
                money_add(p->opening_minor, p->in_minor, &expected) &&
                money_sub(expected, p->out_minor, &expected) &&
                money_sub(expected, p->closing_minor, &p->variance_minor);
    p->overflow = p->overflow || !fits;
}
