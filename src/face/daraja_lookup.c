/*
 * daraja_lookup.c - Daraja's calls that are answered at once and change nothing: dynamic QR, IMSI
 * and SIM swap, organisation info. What they say rests on the state, and waits for the disk like
 * every other read.
 */
#include <stdio.h>
#include <string.h>

#include "base/caltime.h"
#include "base/hash.h"
#include "face/daraja.h"
#include "face/internal.h"
#include "face/qr.h"
#include "face/rules.h"
#include "wire/daraja_lookup.h"

enum { DATE_SIZE = 24, QR_PNG_MAX = 64 * 1024 };
/* Swaps that are older than three months are told as never. */
#define SWAP_TOLD_NS ((int64_t)90 * 86400 * NS_PER_S)

static void next_request_id(struct request *q, char out[ID_TEXT_SIZE])
{
    id_request_format(q->s->request_seed, q->s->request_counter, out);
}

/* "31-01-2026" or "31-01-2026 12:30", in Kenya. */
static void date_format(int64_t at_ns, bool with_time, char out[DATE_SIZE])
{
    char stamp[EAT_STAMP_SIZE];
    (void)eat_stamp_format(at_ns, stamp);
    int size = snprintf(out, DATE_SIZE, "%.2s-%.2s-%.4s", stamp + 6, stamp + 4, stamp);
    if (with_time) {
        (void)snprintf(out + size, DATE_SIZE - (size_t)size, " %.2s:%.2s", stamp + 8, stamp + 10);
    }
}

static void handle_qr(struct request *q)
{
    static uint8_t png[QR_PNG_MAX]; /* one request at a time */
    struct daraja_qr qr;
    struct daraja_error error;
    char text[1024];
    char id[ID_TEXT_SIZE];
    char code[ID_TEXT_SIZE];
    if (!daraja_preamble(q, DARAJA_ERROR_INVALID_TOKEN_STK)) {
        return;
    }
    if (!daraja_qr_parse(http_body(q->x), q->s->json, &qr, &error)) {
        daraja_answer_error(q, 0, &error);
        return;
    }
    struct rule_call call = {
        .api = RULE_API_QR, .amount_minor = qr.amount_minor, .reference = qr.reference};
    if (face_rule_read(q, &call)) {
        return;
    }
    struct writer words = writer_init(text, sizeof(text));
    daraja_qr_text_render(&words, &qr);
    struct writer picture = writer_init(png, sizeof(png));
    if (words.overflow || !qr_png(&picture, (struct span){text, words.size}, qr.pixels)) {
        daraja_refuse(q, 0, DARAJA_ERROR_INVALID_FIELD, "Size",
                      "the texts do not fit a QR code of that size: make it larger");
        return;
    }
    next_request_id(q, id);
    id_conversation_format(engine_now(q->s->engine), q->s->request_counter, code);
    struct writer w = surface_writer(q->s);
    daraja_qr_answer_render(&w, code, id, (struct span){(const char *)png, picture.size});
    daraja_explain(q, "the picture holds hakika:pay?...: Safaricom publishes no form of its own");
    surface_json(q, 0, 200, &w);
}

/* 639 02 is Safaricom's network; the rest follows from the number and changes with the SIM. */
static void imsi_format(const struct subscriber *s, char out[24])
{
    uint64_t digits = hash_u64(s->msisdn, (uint64_t)s->sim_swapped_ns) % 10000000000u;
    (void)snprintf(out, 24, "63902%010llu", (unsigned long long)digits);
}

static void handle_customer(struct request *q, uint32_t version)
{
    uint64_t msisdn;
    struct daraja_error error;
    char id[ID_TEXT_SIZE];
    char imsi[24];
    char registered[DATE_SIZE];
    char swapped[DATE_SIZE];
    if (!daraja_preamble(q, DARAJA_ERROR_INVALID_TOKEN_STK)) {
        return;
    }
    if (!daraja_customer_parse(http_body(q->x), q->s->json, &msisdn, &error)) {
        daraja_answer_error(q, 0, &error);
        return;
    }
    struct rule_call call = {.api = version == 1 ? RULE_API_IMSI : RULE_API_SIM_SWAP,
                             .msisdn = msisdn,
                             .amount_minor = -1};
    if (face_rule_read(q, &call)) {
        return;
    }
    enum engine_status opened = daraja_open_phone(q->s, msisdn);
    if (opened != ENGINE_APPLIED) {
        daraja_refuse_busy(q, opened);
        return;
    }
    uint64_t wait_position = engine_read_position(q->s->engine);
    const struct subscriber *s = operator_subscriber(surface_operator(q->s), msisdn);
    struct writer w = surface_writer(q->s);
    next_request_id(q, id);
    if (s == NULL || s->status == SUBSCRIBER_UNREGISTERED) {
        daraja_customer_unknown_render(&w, id);
        daraja_explain(q, "no wallet has this number");
        surface_json(q, wait_position, 404, &w);
        return;
    }
    bool recent =
        s->sim_swapped_ns != 0 && engine_now(q->s->engine) - s->sim_swapped_ns <= SWAP_TOLD_NS;
    imsi_format(s, imsi);
    date_format(s->known_ns, false, registered);
    (void)snprintf(swapped, sizeof(swapped), "%s",
                   version == 1 ? "01-01-1900" : "01-01-1900 00:00");
    if (recent) {
        date_format(s->sim_swapped_ns, version == 2, swapped);
    }
    const struct daraja_customer c = {id, msisdn, imsi, registered, swapped};
    daraja_customer_render(&w, &c, version);
    daraja_explain(q, recent ? "the SIM was swapped within the last three months"
                             : "no SIM swap within the last three months: told as 1900");
    surface_json(q, wait_position, 200, &w);
}

static void handle_organisation_info(struct request *q)
{
    /* Who pays the fee of a customer's payment. */
    static const char *const profiles[] = {"", "Business Bouquet", "Mgao", "Customer Bouquet"};
    struct daraja_org_query query;
    struct daraja_error error;
    char id[ID_TEXT_SIZE];
    if (!daraja_preamble(q, DARAJA_ERROR_INVALID_TOKEN_STK)) {
        return;
    }
    if (!daraja_org_query_parse(http_body(q->x), q->s->json, &query, &error)) {
        daraja_answer_error(q, 0, &error);
        return;
    }
    struct rule_call call = {
        .api = RULE_API_ORGANISATION_INFO, .short_code = query.short_code, .amount_minor = -1};
    if (face_rule_read(q, &call)) {
        return;
    }
    enum engine_status opened = daraja_open_code(q->s, query.short_code);
    if (opened != ENGINE_APPLIED) {
        daraja_refuse_busy(q, opened);
        return;
    }
    const struct operator_state *o = surface_operator(q->s);
    const struct organisation *g = operator_organisation(o, query.short_code);
    bool fits = g != NULL && (g->type == ORGANISATION_TILL) == query.is_till;
    struct writer w = surface_writer(q->s);
    next_request_id(q, id);
    daraja_org_render(&w, id, &query, fits ? operator_text(o, g->name) : SPAN_EMPTY,
                      fits ? profiles[g->charges] : "");
    daraja_explain(q, fits        ? "found"
                      : g != NULL ? "the organisation is of the other IdentifierType"
                                  : "no organisation has this short code");
    surface_json(q, engine_read_position(q->s->engine), fits ? 200 : 404, &w);
}

bool daraja_lookup_route(struct request *q)
{
    if (span_is(q->path, "/mpesa/qrcode/v1/generate")) {
        handle_qr(q);
    } else if (span_is(q->path, "/imsi/v1/checkATI")) {
        handle_customer(q, 1);
    } else if (span_is(q->path, "/imsi/v2/checkATI")) {
        handle_customer(q, 2);
    } else if (span_is(q->path, "/sfcverify/v1/query/info") ||
               span_is(q->path, "/mpesa/queryorginfo/v1/query")) {
        handle_organisation_info(q);
    } else {
        return false;
    }
    return true;
}
