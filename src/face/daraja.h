/*
 * daraja.h - what the files of Daraja's paths share with each other and with the control API.
 */
#ifndef HAKIKA_FACE_DARAJA_H
#define HAKIKA_FACE_DARAJA_H

#include "face/internal.h"
#include "wire/daraja_stk.h"

/* Where new work comes in: it is shed here, and a merchant's gateway answers here, too. */
#define DARAJA_PATH_PUSH "/mpesa/stkpush/v1/processrequest"

/* daraja.c */
bool daraja_route(struct request *q);
/* Is it one of Daraja's paths? */
bool daraja_is_path(struct span path);
/* Answers 500 in Daraja's form; false: this is not one of Daraja's paths. */
bool daraja_fail(struct request *q, const char *words);
bool daraja_admit(struct surface *s, struct http_exchange *x);
const struct passkey *daraja_passkey(struct surface *s, const struct organisation *g);
void daraja_passkeys_wipe(struct surface *s);
/*
 * What every Daraja call but OAuth asks first, in Daraja's order. Whoever adds a call uses these
 * two and has the same isolation as all others (A1):
 *   daraja_preamble      the method is POST; the access token is ours and lives (q->app says which
 *                        application it is bound to); the body is JSON. `token_error` is the call's
 *                        own way to say "invalid access token".
 *   daraja_organisation  the organisation with this short code (opened first where the profile
 *                        opens it), and the token's application may act for it. `unknown` is the
 *                        call's own way to say that there is none.
 * False or NULL: answered.
 */
bool daraja_preamble(struct request *q, enum daraja_error_kind token_error);
const struct organisation *daraja_organisation(struct request *q, uint32_t short_code,
                                               enum daraja_error_kind unknown);
/* 404 "Resource not found" with the code of the product that the path belongs to. */
void daraja_refuse_path(struct request *q, const char *words);
/* Daraja's error envelope; detail fills the %s of its wording, words go into Hakika-Explain. */
void daraja_refuse(struct request *q, uint64_t wait_position, enum daraja_error_kind kind,
                   const char *detail, const char *words);

void daraja_answer_error(struct request *q, uint64_t wait_position,
                         const struct daraja_error *error);
void daraja_refuse_busy(struct request *q, enum engine_status status);
/* Was it decided, applied or refused? False after answering that the system is busy. */
bool daraja_decided(struct request *q, struct engine_result result);
/*
 * What the operator and the gateway's front read alike; false: answered.
 *   daraja_read_basic   consumer key and secret of OAuth; they point into decoded, which holds a
 *                       secret: the caller wipes it
 *   daraja_read_push    preamble, body, and whether new work is taken now
 *   daraja_read_query   preamble and body
 */
bool daraja_read_basic(struct request *q, char *decoded, size_t room, struct span *key,
                       struct span *secret);
bool daraja_read_push(struct request *q, struct daraja_stk_push *out);
bool daraja_read_query(struct request *q, struct daraja_stk_query *out);
/* The header Hakika-Explain (not in daraja-strict). */
void daraja_explain(struct request *q, const char *words);
/* What the profile asks of callback URLs. */
struct daraja_url_rule daraja_url_rule(const struct surface *s);
/* In dev and sandbox, phones and the sandbox's short codes are opened on first use. Not
 * ENGINE_APPLIED: they could not be, now. */
enum engine_status daraja_open_code(struct surface *s, uint32_t short_code);
enum engine_status daraja_open_phone(struct surface *s, uint64_t msisdn);

/*
 * daraja_request.c: what the calls of organisations have in common. A handler reads its body
 * (wire/), asks daraja_request_organisation, fills a request_command (targets are filled in by
 * daraja_request_execute) and ends with daraja_request_accept.
 */
/* Opens the organisation where the profile does, and refuses another app's; one that does not exist
 * is let through (it becomes a result). False: answered. */
bool daraja_request_organisation(struct request *q, uint32_t short_code);
/* The password in a SecurityCredential is the initiator's; or, in dev and sandbox, nobody can tell,
 * because it was not made with our certificate. g may be NULL. */
bool daraja_credential_good(struct request *q, const struct organisation *g,
                            struct span credential);
/* Executes COMMAND_REQUEST, as a scenario rule orders; NULL after answering (busy, duplicate, or a
 * rule that accepts nothing). */
const struct operator_request *daraja_request_execute(struct request *q,
                                                      struct request_command *command,
                                                      uint64_t *wait_position);
/* The same, and answers "Accept the service request successfully." */
void daraja_request_accept(struct request *q, struct request_command *command);
struct daraja_request_texts {
    char originator[ID_TEXT_SIZE];
    char conversation[ID_TEXT_SIZE];
    char transaction[ID_RECEIPT_SIZE];
    char code[RULE_CODE_MAX + 1];
    struct ruled ruled; /* its words, when a rule gives them */
};
/* The head of a result; it points into texts and into the state. */
void daraja_request_head(struct surface *s, const struct operator_request *r,
                         struct daraja_request_texts *texts, struct daraja_result_head *head);
/* Only the ids of it: for a request that has not ended. */
void daraja_request_ids(struct surface *s, const struct operator_request *r,
                        struct daraja_request_texts *texts, struct daraja_result_head *head);
enum { DARAJA_PARTY_NAME_MAX = 160 };
/* "600310 - Duka la Juma", "254708374149 - John Doe" */
struct span daraja_party_name(struct surface *s, uint64_t number, bool is_short_code,
                              char out[DARAJA_PARTY_NAME_MAX]);
/* The body and the URL of a message about a request. */
bool daraja_request_outgoing(struct surface *s, const struct outbox_item *item, struct writer *body,
                             struct span *url_out);
bool daraja_request_route(struct request *q);
/* daraja_bill.c: bill manager */
bool daraja_bill_route(struct request *q);
/* A payment, as it is pushed to the biller. */
bool daraja_bill_outgoing(struct surface *s, const struct outbox_item *item, struct writer *body,
                          struct span *url_out);
/* daraja_ratiba.c: standing orders */
bool daraja_ratiba_route(struct request *q);
/* The callback of an order, or of one of its payments. */
void daraja_ratiba_message(struct surface *s, const struct operator_request *r,
                           struct writer *body);
/* daraja_lookup.c: QR, IMSI, SIM swap, organisation info */
bool daraja_lookup_route(struct request *q);
/* daraja_initiated.c: balance, status, reversal, B2B, tax, express checkout; and the time-out
 * message of every kind. `kind` is an enum operator_message. */
bool daraja_initiated_route(struct request *q);
void daraja_initiated_message(struct surface *s, const struct operator_request *r, uint16_t kind,
                              struct writer *body);

/* daraja_c2b.c */
bool daraja_c2b_route(struct request *q);
/* The body of a validation (the question) or a confirmation. */
void daraja_c2b_render(struct surface *s, const struct operator_request *r, bool question,
                       struct writer *body);
/* The C2B confirmation of an STK payment. */
bool daraja_income_outgoing(struct surface *s, const struct outbox_item *item, struct writer *body,
                            struct span *url_out);
void control_subscriber_pay(struct request *q);
/* external_validation of an organisation, from the body of a PATCH. */
void control_validation_change(struct request *q, struct json_object *body);
void control_certificate(struct request *q);

#endif
