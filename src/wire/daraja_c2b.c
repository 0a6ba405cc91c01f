/*
 * daraja_c2b.c - see daraja_c2b.h.
 */
#include "wire/daraja_c2b.h"

#include <string.h>

#include "base/caltime.h"
#include "base/money.h"
#include "wire/daraja_answer.h"
#include "wire/daraja_fields.h"
#include "wire/liberal.h"

enum { THIRD_PARTY_BYTES_MAX = 100, REJECTION_OTHER = 6, PULL_DATE_SIZE = 19 };

static const struct daraja_field field_short_code = {
    "ShortCode", "Shortcode", NULL, DARAJA_RULE_SHORT_CODE, DARAJA_SHOWN_FULL, false};
static const struct daraja_field field_response_type = {
    "ResponseType",    NULL, NULL, "must be Completed or Cancelled, written like this",
    DARAJA_SHOWN_FULL, true};
static const struct daraja_field field_confirmation = {
    "ConfirmationURL", NULL, NULL, DARAJA_RULE_URL, DARAJA_SHOWN_NEVER, true};
static const struct daraja_field field_validation = {
    "ValidationURL",    NULL, NULL, "must be an absolute http or https URL, or empty",
    DARAJA_SHOWN_NEVER, true};
static const struct daraja_field field_payment_command = {
    "CommandID",       NULL, NULL, "must be CustomerPayBillOnline or CustomerBuyGoodsOnline",
    DARAJA_SHOWN_FULL, true};
static const struct daraja_field field_msisdn = {"Msisdn",          "MSISDN",           NULL,
                                                 DARAJA_RULE_PHONE, DARAJA_SHOWN_PHONE, false};
static const struct daraja_field field_bill_reference = {
    "BillRefNumber", NULL, NULL, DARAJA_RULE_WORDS, DARAJA_SHOWN_NEVER, false};
static const struct daraja_field field_request_type = {
    "RequestType", NULL, NULL, "must be Pull", DARAJA_SHOWN_FULL, true};
static const struct daraja_field field_number = {"NominatedNumber",  NULL, NULL, DARAJA_RULE_PHONE,
                                                 DARAJA_SHOWN_PHONE, false};
static const struct daraja_field field_pull_callback = {"CallBackURL",   "CallbackURL",      NULL,
                                                        DARAJA_RULE_URL, DARAJA_SHOWN_NEVER, true};
static const struct daraja_field field_pull_start = {
    "StartDate", NULL, NULL, "must be like 2026-01-31 09:30:00", DARAJA_SHOWN_FULL, true};
static const struct daraja_field field_pull_end = {
    "EndDate",         NULL, NULL, "must be like 2026-01-31 09:30:00, not before StartDate",
    DARAJA_SHOWN_FULL, true};
static const struct daraja_field field_offset = {
    "OffSetValue",     "OffsetValue", NULL, "must be a row number, 0 for the first",
    DARAJA_SHOWN_FULL, false};

enum { DECIMAL_SIZE = 21 };

/* The number in decimal, with zeros in front up to width digits; returns how many digits. */
static size_t decimal(uint64_t value, size_t width, char out[DECIMAL_SIZE])
{
    char reversed[DECIMAL_SIZE];
    size_t size = 0;
    while (value > 0 || size < width || size == 0) {
        reversed[size++] = (char)('0' + value % 10);
        value /= 10;
    }
    CHECK(size < DECIMAL_SIZE);
    for (size_t i = 0; i < size; i++) {
        out[i] = reversed[size - 1 - i];
    }
    out[size] = '\0';
    return size;
}

/* ---- register, simulate ---- */

bool daraja_c2b_url_has_word(struct span url)
{
    static const char *const words[] = {"m-pesa", "mpesa", "safaricom", "exe",
                                        "cmd",    "sql",   "query"}; /* exec is in exe */
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (daraja_says(url, words[i])) {
            return true;
        }
    }
    return false;
}

static bool check_url_words(struct daraja_body *b, const struct daraja_field *field,
                            struct span url)
{
    return !daraja_c2b_url_has_word(url) ||
           daraja_field_refuse(
               b, field, "must not hold mpesa, m-pesa, safaricom, exe, exec, cmd, sql or query",
               NULL);
}

static bool take_validation(struct daraja_body *b, const struct daraja_url_rule *rule,
                            struct span *out)
{
    return daraja_take_optional(b, &field_validation, out) &&
           (out->size == 0 || daraja_take_url(b, &field_validation, rule, out));
}

bool daraja_c2b_register_parse(struct span body, const struct daraja_url_rule *rule, bool no_words,
                               struct json_scratch *scratch, struct daraja_c2b_register *out,
                               struct daraja_error *error)
{
    static const char *const types[] = {"Completed", "Cancelled"};
    struct daraja_body b;
    uint32_t type = 0;
    memset(out, 0, sizeof(*out));
    bool good = daraja_body_open(&b, body, scratch, error) &&
                daraja_take_short_code(&b, &field_short_code, &out->short_code) &&
                daraja_take_choice(&b, &field_response_type, types, 2, &type) &&
                daraja_take_url(&b, &field_confirmation, rule, &out->confirmation_url) &&
                take_validation(&b, rule, &out->validation_url);
    out->cancelled = type == 1;
    return good && (!no_words || (check_url_words(&b, &field_confirmation, out->confirmation_url) &&
                                  check_url_words(&b, &field_validation, out->validation_url)));
}

bool daraja_c2b_simulate_parse(struct span body, struct json_scratch *scratch,
                               struct daraja_c2b_simulate *out, struct daraja_error *error)
{
    static const char *const commands[] = {"CustomerPayBillOnline", "CustomerBuyGoodsOnline"};
    struct daraja_body b;
    uint32_t command = 0;
    memset(out, 0, sizeof(*out));
    bool good = daraja_body_open(&b, body, scratch, error) &&
                daraja_take_short_code(&b, &field_short_code, &out->short_code) &&
                daraja_take_choice(&b, &field_payment_command, commands, 2, &command) &&
                daraja_take_amount(&b, &daraja_field_amount, DARAJA_AMOUNT_MAX_MINOR, false,
                                   &out->amount_minor) &&
                daraja_take_phone(&b, &field_msisdn, &out->msisdn);
    out->buy_goods = command == 1;
    return good &&
           (out->buy_goods ? daraja_take_optional_words(&b, &field_bill_reference, &out->reference)
                           : daraja_take_words(&b, &field_bill_reference, &out->reference));
}

void daraja_c2b_accepted_render(struct writer *w, const char *originator_id,
                                const char *description)
{
    json_open(w, '{');
    json_field_text(w, "OriginatorCoversationID", originator_id);
    json_field_text(w, "ResponseCode", "0");
    json_field_text(w, "ResponseDescription", description);
    json_close(w, '}');
}

/* ---- validation and confirmation ---- */

void daraja_c2b_mask(uint64_t msisdn, char out[24])
{
    static const char stars[] = " ***** ";
    char digits[DECIMAL_SIZE];
    size_t size = decimal(msisdn, 12, digits);
    memcpy(out, digits, 4);
    memcpy(out + 4, stars, sizeof(stars) - 1);
    memcpy(out + 4 + sizeof(stars) - 1, digits + size - 3, 4); /* and the NUL */
}

/* The next word of a name; the last one takes all that is left. */
static struct span next_name(struct span *rest, bool last)
{
    struct span text = span_trim(*rest);
    size_t size = 0;
    while (size < text.size && (last || text.data[size] != ' ')) {
        size++;
    }
    *rest = (struct span){text.data + size, text.size - size};
    return (struct span){text.data, size};
}

static void render_names(struct writer *w, struct span name)
{
    struct span first = next_name(&name, false);
    struct span second = next_name(&name, false);
    struct span third = next_name(&name, true);
    bool has_middle = third.size > 0;
    json_field_string(w, "FirstName", first);
    json_field_string(w, "MiddleName", has_middle ? second : SPAN_EMPTY);
    json_field_string(w, "LastName", has_middle ? third : second);
}

void daraja_c2b_message_render(struct writer *w, const struct daraja_c2b_message *m)
{
    char amount[MONEY_TEXT_MAX];
    char balance[MONEY_TEXT_MAX] = "";
    char short_code[DECIMAL_SIZE];
    (void)money_format(m->amount_minor, amount);
    if (m->has_balance) {
        (void)money_format(m->balance_minor, balance);
    }
    (void)decimal(m->short_code, 1, short_code);
    json_open(w, '{');
    json_field_text(w, "TransactionType", m->buy_goods ? "Buy Goods" : "Pay Bill");
    json_field_text(w, "TransID", m->transaction_id);
    json_field_text(w, "TransTime", m->time);
    json_field_text(w, "TransAmount", amount);
    json_field_text(w, "BusinessShortCode", short_code);
    json_field_string(w, "BillRefNumber", m->buy_goods ? SPAN_EMPTY : m->reference);
    json_field_text(w, "InvoiceNumber", "");
    json_field_text(w, "OrgAccountBalance", balance);
    json_field_string(w, "ThirdPartyTransID", m->third_party_id);
    json_field_text(w, "MSISDN", m->msisdn);
    render_names(w, m->name);
    json_close(w, '}');
}

bool daraja_c2b_verdict_parse(struct span answer, struct json_scratch *scratch,
                              struct daraja_c2b_verdict *out)
{
    const char *why;
    struct span code;
    struct span prefix = SPAN_LITERAL("C2B0001");
    memset(out, 0, sizeof(*out));
    struct json_object *object = json_parse(scratch, answer, &why);
    struct json_object *value =
        object != NULL && json_is_object(object) ? json_member(object, "ResultCode") : NULL;
    if (value == NULL || !json_text(scratch, value, &code) || code.size == 0) {
        return false;
    }
    out->accepted = span_is(code, "0");
    if (!out->accepted) {
        char last = code.data[code.size - 1];
        bool known = code.size == prefix.size + 1 && span_starts_with(code, prefix) &&
                     last >= '1' && last <= '6';
        out->rejected = known ? (uint8_t)(last - '0') : REJECTION_OTHER;
        return true;
    }
    value = json_member(object, "ThirdPartyTransID");
    if (value != NULL && !json_is_null(value) && !json_text(scratch, value, &out->third_party_id)) {
        out->third_party_id = SPAN_EMPTY;
    }
    out->third_party_id = span_cut(out->third_party_id, THIRD_PARTY_BYTES_MAX);
    return true;
}

/* ---- Pull Transactions ---- */

bool daraja_pull_register_parse(struct span body, const struct daraja_url_rule *rule,
                                struct json_scratch *scratch, struct daraja_pull_register *out,
                                struct daraja_error *error)
{
    static const char *const types[] = {"Pull"};
    struct daraja_body b;
    uint32_t type;
    memset(out, 0, sizeof(*out));
    return daraja_body_open(&b, body, scratch, error) &&
           daraja_take_short_code(&b, &field_short_code, &out->short_code) &&
           daraja_take_choice(&b, &field_request_type, types, 1, &type) &&
           daraja_take_phone(&b, &field_number, &out->number) &&
           daraja_take_url(&b, &field_pull_callback, rule, &out->url);
}

/* "2020-08-04 8:36:00": in East Africa Time; the hour may have one digit, as in Daraja's own
 * sample. */
static bool pull_date(struct span text, int64_t *out_ns)
{
    char stamp[EAT_STAMP_SIZE];
    char whole[PULL_DATE_SIZE + 1];
    bool short_hour = text.size == PULL_DATE_SIZE - 1;
    if (!short_hour && text.size != PULL_DATE_SIZE) {
        return false;
    }
    memcpy(whole, text.data, 11);
    whole[11] = '0';
    memcpy(whole + (short_hour ? 12 : 11), text.data + 11, text.size - 11);
    whole[PULL_DATE_SIZE] = '\0';
    static const char form[] = "dddd-dd-dd dd:dd:dd";
    size_t size = 0;
    for (size_t i = 0; i < PULL_DATE_SIZE; i++) {
        bool digit = whole[i] >= '0' && whole[i] <= '9';
        if (form[i] == 'd' ? !digit : whole[i] != form[i]) {
            return false;
        }
        if (digit) {
            stamp[size++] = whole[i];
        }
    }
    return eat_stamp_parse((struct span){stamp, size}, out_ns);
}

static bool take_pull_date(struct daraja_body *b, const struct daraja_field *field, int64_t from_ns,
                           int64_t *out_ns)
{
    struct span text;
    if (!daraja_take_text(b, field, &text)) {
        return false;
    }
    return (pull_date(text, out_ns) && *out_ns >= from_ns) ||
           daraja_field_refuse(b, field, field->rule, &text);
}

static bool take_offset(struct daraja_body *b, uint64_t *out)
{
    struct span text;
    *out = 0;
    if (!daraja_take_optional(b, &field_offset, &text)) {
        return false;
    }
    return text.size == 0 || span_parse_u64(text, out) ||
           daraja_field_refuse(b, &field_offset, field_offset.rule, &text);
}

bool daraja_pull_query_parse(struct span body, struct json_scratch *scratch,
                             struct daraja_pull_query *out, struct daraja_error *error)
{
    struct daraja_body b;
    memset(out, 0, sizeof(*out));
    return daraja_body_open(&b, body, scratch, error) &&
           daraja_take_short_code(&b, &field_short_code, &out->short_code) &&
           take_pull_date(&b, &field_pull_start, INT64_MIN, &out->start_ns) &&
           take_pull_date(&b, &field_pull_end, out->start_ns, &out->end_ns) &&
           take_offset(&b, &out->offset);
}

void daraja_pull_registered_render(struct writer *w, const char *reference, uint32_t short_code,
                                   bool already)
{
    char code[DECIMAL_SIZE];
    (void)decimal(short_code, 1, code);
    json_open(w, '{');
    json_field_text(w, "ResponseRefID", reference);
    json_field_text(w, "ResponseStatus", already ? "1001" : "1000");
    json_field_text(w, "ShortCode", code);
    json_field_text(w, "ResponseDescription",
                    already ? "Shortcode already Registered" : "Shortcode Registered Successfully");
    json_close(w, '}');
}

void daraja_pull_open(struct writer *w, const char *reference, bool none)
{
    json_open(w, '{');
    json_field_text(w, "ResponseRefID", reference);
    json_field_text(w, "ResponseCode", none ? "1001" : "1000");
    json_field_text(w, "ResponseMessage", none ? "No transactions found" : "Success");
    json_key(w, "Response");
    json_open(w, '[');
    json_open(w, '[');
}

void daraja_pull_row_render(struct writer *w, const struct daraja_pull_row *row)
{
    char at[RFC3339_SIZE];
    char amount[MONEY_TEXT_MAX];
    static const char zone[] = "Z";
    /* Kenyan time, although it ends in Z: so it is seen. */
    int64_t local_ns = row->at_ns + EAT_OFFSET_S * NS_PER_S;
    size_t size = rfc3339_format(caltime_in_range(local_ns) ? local_ns : row->at_ns, at);
    memcpy(at + size - sizeof(".000Z") + 1, zone, sizeof(zone)); /* whole seconds */
    (void)money_format(row->amount_minor, amount);
    json_open(w, '{');
    json_field_text(w, "transactionId", row->transaction_id);
    json_field_text(w, "trxDate", at);
    json_field_u64(w, "msisdn", row->msisdn % 1000000000);
    json_field_string(w, "sender", row->sender);
    json_field_text(w, "transactiontype",
                    row->buy_goods ? "c2b-buy-goods-debit" : "c2b-pay-bill-debit");
    json_field_string(w, "billreference", row->reference);
    json_field_text(w, "amount", amount);
    json_field_string(w, "organizationname", row->organisation);
    json_close(w, '}');
}

void daraja_pull_close(struct writer *w)
{
    json_close(w, ']');
    json_close(w, ']');
    json_close(w, '}');
}

/* ---- the client's direction ---- */

void daraja_c2b_register_render(struct writer *w, const struct daraja_c2b_register *request)
{
    json_open(w, '{');
    daraja_field_digits(w, field_short_code.name, request->short_code);
    json_field_text(w, field_response_type.name, request->cancelled ? "Cancelled" : "Completed");
    json_field_string(w, field_confirmation.name, request->confirmation_url);
    json_field_string(w, field_validation.name, request->validation_url);
    json_close(w, '}');
}

bool daraja_c2b_message_parse(struct span body, struct json_scratch *scratch,
                              struct daraja_c2b_seen *out)
{
    const char *why;
    uint64_t code = 0;
    memset(out, 0, sizeof(*out));
    struct json_object *o = json_parse(scratch, body, &why);
    out->transaction_id = daraja_text(scratch, o, "TransID", NULL);
    out->type = daraja_text(scratch, o, "TransactionType", NULL);
    out->reference = daraja_text(scratch, o, "BillRefNumber", NULL);
    out->invoice = daraja_text(scratch, o, "InvoiceNumber", NULL);
    out->third_party_id = daraja_text(scratch, o, "ThirdPartyTransID", NULL);
    out->msisdn = daraja_text(scratch, o, "MSISDN", "Msisdn");
    out->first_name = daraja_text(scratch, o, "FirstName", NULL);
    out->middle_name = daraja_text(scratch, o, "MiddleName", NULL);
    out->last_name = daraja_text(scratch, o, "LastName", NULL);
    struct span amount = daraja_text(scratch, o, "TransAmount", NULL);
    struct span balance = daraja_text(scratch, o, "OrgAccountBalance", NULL);
    struct span short_code = daraja_text(scratch, o, "BusinessShortCode", "ShortCode");
    out->has_amount = liberal_amount(amount, &out->amount_minor) && out->amount_minor > 0;
    out->has_balance = liberal_amount(balance, &out->balance_minor);
    if (!liberal_phone(out->msisdn, &out->phone)) {
        out->phone = 0;
    }
    if (!liberal_time_eat(daraja_text(scratch, o, "TransTime", NULL), &out->at_ns)) {
        out->at_ns = 0;
    }
    if (span_parse_u64(short_code, &code) && code <= UINT32_MAX) {
        out->short_code = (uint32_t)code;
    }
    return out->transaction_id.size > 0 && (out->has_amount || out->short_code != 0);
}

void daraja_c2b_verdict_render(struct writer *w, const struct daraja_c2b_verdict *verdict)
{
    char code[] = "C2B00010";
    CHECK(verdict->accepted == (verdict->rejected == 0) && verdict->rejected <= REJECTION_OTHER);
    code[sizeof(code) - 2] = (char)('0' + verdict->rejected);
    json_open(w, '{');
    json_field_text(w, "ResultCode", verdict->accepted ? "0" : code);
    json_field_text(w, "ResultDesc", verdict->accepted ? "Accepted" : "Rejected");
    if (verdict->accepted) {
        daraja_field_maybe(w, "ThirdPartyTransID", verdict->third_party_id);
    }
    json_close(w, '}');
}

void daraja_pull_register_render(struct writer *w, const struct daraja_pull_register *request)
{
    json_open(w, '{');
    daraja_field_digits(w, field_short_code.name, request->short_code);
    json_field_text(w, field_request_type.name, "Pull");
    daraja_field_digits(w, field_number.name, request->number);
    json_field_string(w, field_pull_callback.name, request->url);
    json_close(w, '}');
}

/* "2020-08-04 08:36:00" */
static void render_date(struct writer *w, const char *name, int64_t at_ns)
{
    char stamp[EAT_STAMP_SIZE];
    char text[PULL_DATE_SIZE + 1];
    size_t size = 0;
    (void)eat_stamp_format(at_ns, stamp);
    for (size_t i = 0; i < 14; i++) {
        if (i >= 4 && i % 2 == 0) {
            text[size++] = i < 8 ? '-' : (i == 8 ? ' ' : ':');
        }
        text[size++] = stamp[i];
    }
    CHECK(size == PULL_DATE_SIZE);
    json_field_string(w, name, (struct span){text, size});
}

void daraja_pull_query_render(struct writer *w, const struct daraja_pull_query *request)
{
    json_open(w, '{');
    daraja_field_digits(w, field_short_code.name, request->short_code);
    render_date(w, field_pull_start.name, request->start_ns);
    render_date(w, field_pull_end.name, request->end_ns);
    daraja_field_digits(w, field_offset.name, request->offset);
    json_close(w, '}');
}

/* What is open at a place in a text of JSON. */
struct pull_nesting {
    char open[8];
    size_t depth;
};

/* One byte outside of strings. False: what follows is none of the text that this began. */
static bool nest(struct pull_nesting *n, char c)
{
    bool opens = c == '{' || c == '[';
    bool closes = c == '}' || c == ']';
    if ((opens && n->depth == sizeof(n->open)) || (closes && n->depth == 0)) {
        return false;
    }
    if (opens) {
        n->open[n->depth++] = c;
    }
    n->depth -= closes;
    return !closes || n->depth > 0;
}

/* Braces in what a payer wrote end no row, and neither does one that only ends what is in a row. */
static size_t end_of_rows(struct span answer, struct pull_nesting *at_end)
{
    struct pull_nesting n = {.depth = 0};
    size_t end = 0;
    bool in_text = false;
    for (size_t i = 0; i < answer.size; i++) {
        char c = answer.data[i];
        if (in_text) {
            i += c == '\\';
            in_text = c != '"';
            continue;
        }
        in_text = c == '"';
        if (!nest(&n, c)) {
            return 0; /* it is whole, or nothing to be helped */
        }
        if (c == '}' && n.open[n.depth - 1] == '[') {
            end = i + 1;
            *at_end = n;
        }
    }
    return end;
}

struct span daraja_pull_whole(struct span answer, char *room, size_t size)
{
    struct pull_nesting n = {.depth = 0};
    size_t end = end_of_rows(answer, &n);
    if (end == 0 || end + n.depth > size) {
        return answer;
    }
    memcpy(room, answer.data, end);
    while (n.depth > 0) {
        room[end++] = n.open[--n.depth] == '{' ? '}' : ']';
    }
    return (struct span){room, end};
}

bool daraja_pull_answer_parse(struct json_object *object, struct json_scratch *scratch,
                              struct daraja_pull_answer *out)
{
    memset(out, 0, sizeof(*out));
    out->scratch = scratch;
    out->reference = daraja_text(scratch, object, "ResponseRefID", NULL);
    out->code = daraja_text(scratch, object, "ResponseCode", "ResponseStatus");
    out->message = daraja_text(scratch, object, "ResponseMessage", "ResponseDescription");
    out->rows = json_member(object, "Response");
    return out->code.size > 0;
}

/* The next object in the array of arrays; an object that stands among the arrays counts too. */
static struct json_object *next_row(struct daraja_pull_answer *answer)
{
    while (answer->outer < json_count(answer->rows)) {
        struct json_object *page = json_item(answer->rows, answer->outer);
        if (json_is_object(page)) {
            answer->outer++;
            return page;
        }
        if (answer->inner < json_count(page)) {
            return json_item(page, answer->inner++);
        }
        answer->outer++;
        answer->inner = 0;
    }
    return NULL;
}

static void read_pull_row(struct json_scratch *scratch, const struct json_object *row,
                          struct daraja_pull_seen *out)
{
    struct span amount = daraja_text(scratch, row, "amount", NULL);
    memset(out, 0, sizeof(*out));
    out->transaction_id = daraja_text(scratch, row, "transactionId", "transactionid");
    out->msisdn = daraja_text(scratch, row, "msisdn", NULL);
    out->sender = daraja_text(scratch, row, "sender", NULL);
    out->type = daraja_text(scratch, row, "transactiontype", NULL);
    out->reference = daraja_text(scratch, row, "billreference", NULL);
    out->organisation = daraja_text(scratch, row, "organizationname", NULL);
    out->has_amount = liberal_amount(amount, &out->amount_minor) && out->amount_minor > 0;
    if (!liberal_phone(out->msisdn, &out->phone)) {
        out->phone = 0;
    }
    if (!liberal_time_eat(daraja_text(scratch, row, "trxDate", NULL), &out->at_ns)) {
        out->at_ns = 0;
    }
}

bool daraja_pull_row_next(struct daraja_pull_answer *answer, struct daraja_pull_seen *out)
{
    struct json_object *row;
    while ((row = next_row(answer)) != NULL) {
        read_pull_row(answer->scratch, row, out);
        if (out->transaction_id.size > 0) {
            return true;
        }
    }
    return false;
}
