/*
 * daraja_c2b.c - C2B (register URL v1 and v2, simulate, validation, confirmation) and Pull
 * Transactions on Daraja's paths; and a customer who pays by himself, over the control API.
 */
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

#include "base/caltime.h"
#include "base/ids.h"
#include "face/daraja.h"
#include "face/internal.h"
#include "face/paystack.h"
#include "face/rules.h"
#include "wire/daraja_c2b.h"

enum { MSISDN_TEXT_SIZE = 2 * SHA256_DIGEST_LENGTH + 1 };

/* ---- register and simulate ---- */

static void answer_c2b(struct request *q, uint64_t wait_position, const char *description)
{
    char id[ID_TEXT_SIZE];
    id_request_format(q->s->request_seed, q->s->request_counter, id);
    struct writer w = surface_writer(q->s);
    daraja_c2b_accepted_render(&w, id, description);
    surface_json(q, wait_position, 200, &w);
}

/* In daraja-strict the version of the registration is the app's product: the other one is none of
 * its. True: answered. */
static bool refuse_other_version(struct request *q, const struct organisation *g, uint8_t version)
{
    bool strict = q->s->options.profile == PROFILE_STRICT;
    if (!strict || g->c2b.version == 0 || g->c2b.version == version) {
        return false;
    }
    daraja_refuse(q, engine_read_position(q->s->engine), DARAJA_ERROR_NO_PRODUCT, "",
                  "this short code registered its URLs under the other version of C2B");
    return true;
}

static void handle_register(struct request *q, uint8_t version)
{
    struct surface *s = q->s;
    struct daraja_c2b_register asked;
    struct daraja_error error;
    struct daraja_url_rule rule = daraja_url_rule(s);
    bool strict = s->options.profile == PROFILE_STRICT;
    if (!daraja_preamble(q, DARAJA_ERROR_INVALID_TOKEN_C2B)) {
        return;
    }
    if (!daraja_c2b_register_parse(http_body(q->x), &rule, strict, s->json, &asked, &error)) {
        daraja_answer_error(q, 0, &error);
        return;
    }
    const struct organisation *g =
        daraja_organisation(q, asked.short_code, DARAJA_ERROR_NO_SHORT_CODE);
    struct rule_call call = {
        .api = RULE_API_C2B_REGISTER, .short_code = asked.short_code, .amount_minor = -1};
    if (g == NULL || refuse_other_version(q, g, version) || face_rule_read(q, &call)) {
        return;
    }
    const struct c2b_register_command c = {
        .short_code = asked.short_code,
        .version = version,
        .response_type = asked.cancelled ? C2B_CANCELLED : C2B_COMPLETED,
        .once = strict,
        .confirmation_url = asked.confirmation_url,
        .validation_url = asked.validation_url,
        .confirmation_target = surface_url_target(asked.confirmation_url),
        .validation_target = surface_url_target(asked.validation_url),
    };
    struct operator_reply reply = {.refusal = OPERATOR_DONE};
    struct engine_result result =
        engine_execute(s->engine, ENGINE_NEW_WORK, COMMAND_C2B_REGISTER, &c, &reply);
    if (!daraja_decided(q, result)) {
        return;
    }
    if (reply.refusal == OPERATOR_EXISTS) {
        daraja_refuse(q, result.wait_position, DARAJA_ERROR_URLS_REGISTERED, "",
                      "URLs are registered once (daraja-strict); dev and sandbox overwrite them");
    } else {
        CHECK(reply.refusal == OPERATOR_DONE);
        daraja_explain(q, "registered; ValidationURL is asked only while external validation is "
                          "enabled for the short code");
        answer_c2b(q, result.wait_position, "Success");
    }
}

static void handle_simulate(struct request *q, uint8_t version)
{
    struct surface *s = q->s;
    struct daraja_c2b_simulate asked;
    struct daraja_error error;
    struct request_command command;
    if (!daraja_preamble(q, DARAJA_ERROR_INVALID_TOKEN_C2B)) {
        return;
    }
    if (s->options.profile == PROFILE_STRICT) {
        daraja_refuse_path(q, "production has no simulation");
        return;
    }
    if (!daraja_c2b_simulate_parse(http_body(q->x), s->json, &asked, &error)) {
        daraja_answer_error(q, 0, &error);
        return;
    }
    const struct organisation *g =
        daraja_organisation(q, asked.short_code, DARAJA_ERROR_NO_SHORT_CODE);
    if (g == NULL || refuse_other_version(q, g, version)) {
        return;
    }
    enum engine_status opened = daraja_open_phone(s, asked.msisdn);
    if (opened != ENGINE_APPLIED) {
        daraja_refuse_busy(q, opened);
        return;
    }
    memset(&command, 0, sizeof(command));
    command.kind = REQUEST_C2B;
    command.command = asked.buy_goods ? C2B_BUY_GOODS : C2B_PAY_BILL;
    command.short_code = asked.short_code;
    command.party = asked.msisdn;
    command.amount_minor = asked.amount_minor;
    command.reference = asked.reference;
    uint64_t wait_position = 0;
    if (daraja_request_execute(q, &command, &wait_position) != NULL) {
        daraja_explain(q, "the customer pays now; the organisation is told at its ConfirmationURL");
        answer_c2b(q, wait_position, "Accept the service request successfully.");
    }
}

/* ---- validation and confirmation ---- */

/* What an organisation learns of a customer's number: with v2 a mask, with v1 a hash. */
static void msisdn_text(uint64_t msisdn, uint8_t version, char out[MSISDN_TEXT_SIZE])
{
    char digits[24];
    unsigned char hash[SHA256_DIGEST_LENGTH];
    if (version != 1) {
        daraja_c2b_mask(msisdn, out);
        return;
    }
    int size = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)msisdn);
    CHECK(size > 0 && SHA256((const unsigned char *)digits, (size_t)size, hash) != NULL);
    for (size_t i = 0; i < sizeof(hash); i++) {
        (void)snprintf(out + 2 * i, 3, "%02x", hash[i]);
    }
}

static struct span subscriber_name(struct surface *s, uint64_t msisdn)
{
    const struct operator_state *o = surface_operator(s);
    const struct subscriber *u = operator_subscriber(o, msisdn);
    return u == NULL ? SPAN_EMPTY : operator_text(o, u->name);
}

void daraja_c2b_render(struct surface *s, const struct operator_request *r, bool question,
                       struct writer *body)
{
    const struct operator_state *o = surface_operator(s);
    char id[ID_RECEIPT_SIZE];
    char time[EAT_STAMP_SIZE];
    char msisdn[MSISDN_TEXT_SIZE];
    request_transaction_id(r, id);
    (void)eat_stamp_format(r->step_ns[question ? REQUEST_ASKED : REQUEST_ENDED], time);
    msisdn_text(r->party, (uint8_t)(r->command >> C2B_VERSION_SHIFT), msisdn);
    const struct daraja_c2b_message m = {
        .buy_goods = (r->command & C2B_TYPE_MASK) == C2B_BUY_GOODS,
        .transaction_id = id,
        .time = time,
        .amount_minor = r->amount_minor,
        .short_code = r->short_code,
        .reference = operator_text(o, r->reference),
        .has_balance = !question,
        .balance_minor = r->after_minor[ACCOUNT_UTILITY],
        .third_party_id = question ? SPAN_EMPTY : operator_text(o, r->answer),
        .msisdn = msisdn,
        .name = subscriber_name(s, r->party),
    };
    daraja_c2b_message_render(body, &m);
}

bool daraja_income_outgoing(struct surface *s, const struct outbox_item *item, struct writer *body,
                            struct span *url_out)
{
    const struct operator_state *o = surface_operator(s);
    const struct income *income = operator_income(o, item->subject);
    char id[ID_RECEIPT_SIZE];
    char time[EAT_STAMP_SIZE];
    char msisdn[MSISDN_TEXT_SIZE];
    if (income == NULL) {
        return false;
    }
    id_receipt_format(income->receipt_day, income->receipt, id);
    (void)eat_stamp_format(income->at_ns, time);
    msisdn_text(income->msisdn, income->version, msisdn);
    const struct daraja_c2b_message m = {
        .buy_goods = income->type == C2B_BUY_GOODS,
        .transaction_id = id,
        .time = time,
        .amount_minor = income->amount_minor,
        .short_code = income->short_code,
        .reference = operator_text(o, income->reference),
        .has_balance = true,
        .balance_minor = income->balance_minor,
        .msisdn = msisdn,
        .name = subscriber_name(s, income->msisdn),
    };
    daraja_c2b_message_render(body, &m);
    *url_out = operator_text(o, income->url);
    return !body->overflow;
}

static bool is_validation(const struct outbox_item *item)
{
    return (item->kind & ~MESSAGE_RULED) == MESSAGE_VALIDATION;
}

bool surface_question(struct surface *s, uint64_t number, struct span answer, uint16_t *verdict,
                      struct span *text)
{
    const struct outbox_item *item = outbox_item(&engine_book(s->engine)->outbox, number);
    struct daraja_c2b_verdict said;
    *verdict = C2B_UNINTELLIGIBLE;
    *text = SPAN_EMPTY;
    if (item == NULL || !is_validation(item)) {
        return false;
    }
    if (daraja_c2b_verdict_parse(answer, s->json, &said)) {
        *verdict = said.accepted ? C2B_ACCEPTED : (uint16_t)(C2B_REJECTED + said.rejected);
        *text = said.third_party_id;
    }
    return true;
}

uint32_t surface_time_limit_ms(struct surface *s, const struct outbox_item *item)
{
    enum { VALIDATION_MS = 8000, PAYSTACK_MS = 30000 }; /* the customer waits */
    return is_validation(item) ? VALIDATION_MS : paystack_is_webhook(s, item) ? PAYSTACK_MS : 0;
}

/* ---- Pull Transactions ---- */

static bool pull_preamble(struct request *q)
{
    /* The page says GET with a body, published clients send POST: both are served. */
    struct request asked = *q;
    if (span_is(q->method, "GET")) {
        asked.method = SPAN_LITERAL("POST");
    }
    bool good = daraja_preamble(&asked, DARAJA_ERROR_INVALID_TOKEN_C2B);
    q->app = asked.app;
    return good;
}

/* A scenario rule for either call; true: it has answered. */
static bool pull_ruled(struct request *q, uint32_t short_code)
{
    struct rule_call call = {.api = RULE_API_PULL, .short_code = short_code, .amount_minor = -1};
    return face_rule_read(q, &call);
}

static void handle_pull_register(struct request *q)
{
    struct surface *s = q->s;
    struct daraja_pull_register asked;
    struct daraja_error error;
    char id[ID_TEXT_SIZE];
    struct daraja_url_rule rule = daraja_url_rule(s);
    if (!daraja_preamble(q, DARAJA_ERROR_INVALID_TOKEN_C2B)) {
        return;
    }
    if (!daraja_pull_register_parse(http_body(q->x), &rule, s->json, &asked, &error)) {
        daraja_answer_error(q, 0, &error);
        return;
    }
    if (daraja_organisation(q, asked.short_code, DARAJA_ERROR_NO_SHORT_CODE) == NULL ||
        pull_ruled(q, asked.short_code)) {
        return;
    }
    const struct pull_register_command c = {asked.short_code, asked.number, asked.url};
    struct operator_reply reply = {.refusal = OPERATOR_DONE};
    struct engine_result result =
        engine_execute(s->engine, ENGINE_NEW_WORK, COMMAND_PULL_REGISTER, &c, &reply);
    if (!daraja_decided(q, result)) {
        return;
    }
    id_request_format(s->request_seed, s->request_counter, id);
    struct writer w = surface_writer(s);
    daraja_pull_registered_render(&w, id, asked.short_code, reply.refusal == OPERATOR_EXISTS);
    surface_json(q, result.wait_position, 200, &w);
}

static void render_pulled(struct surface *s, struct writer *w, const struct income *income,
                          struct span organisation)
{
    char id[ID_RECEIPT_SIZE];
    id_receipt_format(income->receipt_day, income->receipt, id);
    const struct daraja_pull_row row = {
        .transaction_id = id,
        .at_ns = income->at_ns,
        .msisdn = income->msisdn,
        .sender = subscriber_name(s, income->msisdn),
        .buy_goods = income->type == C2B_BUY_GOODS,
        .reference = operator_text(surface_operator(s), income->reference),
        .amount_minor = income->amount_minor,
        .organisation = organisation,
    };
    daraja_pull_row_render(w, &row);
}

/*
 * From when on rows are listed. They are kept for 48 hours; an hour less is listed, counted from
 * the window's end when that is about now, and else from the full hour: a row that ages away
 * between two pages of one list would move all after it, and who goes on from an offset would miss
 * some.
 */
static int64_t pull_oldest_ns(int64_t now_ns, int64_t end_ns)
{
    enum { LISTED_S = INCOME_AGE_MAX_S - 3600, AHEAD_S = 600 };
    const int64_t hour_ns = 3600 * NS_PER_S;
    bool about_now = end_ns > now_ns - hour_ns && end_ns < now_ns + AHEAD_S * NS_PER_S;
    return (about_now ? end_ns : now_ns - now_ns % hour_ns) - LISTED_S * NS_PER_S;
}

/* Rows in the order of time, from the offset on, as many as an answer holds: who asks goes on from
 * the offset and the rows that came. */
static void answer_pull(struct request *q, const struct organisation *g,
                        const struct daraja_pull_query *asked)
{
    enum { ROWS_MAX = 500, ROW_BYTES_MAX = 2048 };
    struct surface *s = q->s;
    const struct operator_state *o = surface_operator(s);
    int64_t oldest_ns = pull_oldest_ns(engine_now(s->engine), asked->end_ns);
    int64_t start_ns = asked->start_ns > oldest_ns ? asked->start_ns : oldest_ns;
    uint32_t slot = g->c2b.recent_income; /* those before it are not listed any more */
    uint64_t matching = 0;
    uint64_t shown = 0;
    char id[ID_TEXT_SIZE];
    id_request_format(s->request_seed, s->request_counter, id);
    struct writer w = surface_writer(s);
    for (const struct income *i = operator_income_next(o, &slot);
         i != NULL && shown < ROWS_MAX && w.size < SURFACE_BODY_MAX - ROW_BYTES_MAX;
         i = operator_income_next(o, &slot)) {
        if (i->at_ns < start_ns || i->at_ns >= asked->end_ns + NS_PER_S) {
            continue;
        }
        if (matching++ >= asked->offset) {
            if (shown++ == 0) {
                daraja_pull_open(&w, id, false);
            }
            render_pulled(s, &w, i, operator_text(o, g->name));
        }
    }
    if (shown == 0) {
        daraja_pull_open(&w, id, true);
    }
    daraja_pull_close(&w);
    surface_json(q, engine_read_position(s->engine), 200, &w);
}

static void handle_pull_query(struct request *q)
{
    struct surface *s = q->s;
    struct daraja_pull_query asked;
    struct daraja_error error;
    if (!pull_preamble(q)) {
        return;
    }
    if (!daraja_pull_query_parse(http_body(q->x), s->json, &asked, &error)) {
        daraja_answer_error(q, 0, &error);
        return;
    }
    const struct organisation *g =
        daraja_organisation(q, asked.short_code, DARAJA_ERROR_NO_SHORT_CODE);
    if (g == NULL || pull_ruled(q, asked.short_code)) {
        return;
    }
    if (g->c2b.pull_number == 0) {
        daraja_refuse(q, engine_read_position(s->engine), DARAJA_ERROR_NO_SHORT_CODE, "",
                      "this short code has not registered: POST /pulltransactions/v1/register");
        return;
    }
    answer_pull(q, g, &asked);
}

/* ---- routes ---- */

bool daraja_c2b_route(struct request *q)
{
    if (span_is(q->path, "/mpesa/c2b/v1/registerurl")) {
        handle_register(q, 1);
    } else if (span_is(q->path, "/mpesa/c2b/v2/registerurl")) {
        handle_register(q, 2);
    } else if (span_is(q->path, "/mpesa/c2b/v1/simulate")) {
        handle_simulate(q, 1);
    } else if (span_is(q->path, "/mpesa/c2b/v2/simulate")) {
        handle_simulate(q, 2);
    } else if (span_is(q->path, "/pulltransactions/v1/register")) {
        handle_pull_register(q);
    } else if (span_is(q->path, "/pulltransactions/v1/query")) {
        handle_pull_query(q);
    } else {
        return false;
    }
    return true;
}
