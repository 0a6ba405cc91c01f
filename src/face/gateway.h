/*
 * gateway.h - the merchant's surface (port 8255): what its files share. /v1 for the application,
 * /callbacks for providers, /pay for payers. One file per part: gateway.c (who may call, which call
 * is which), gateway_payments.c, gateway_accounts.c, gateway_notices.c (callbacks),
 * gateway_outgoing.c (messages to providers and applications), gateway_checkout.c (payers).
 */
#ifndef HAKIKA_FACE_GATEWAY_H
#define HAKIKA_FACE_GATEWAY_H

#include "base/caltime.h"
#include "face/internal.h"
#include "merchant/merchant.h"

#define GATEWAY_DAY_NS ((int64_t)SECONDS_PER_DAY * NS_PER_S)

enum {
    GATEWAY_TOKENS_MAX = 256, /* access tokens kept, one for each provider account */
    GATEWAY_ACCESS_TOKEN_MAX = 512,
    GATEWAY_BASE_URL_MAX = 256,
    GATEWAY_TOKEN_TEXT = 33, /* 16 bytes in hexadecimal */
    GATEWAY_SHADOWS_UNDER_WAY = 256,
};

/* An access token of a provider account: memory only. */
struct access_token {
    uint32_t provider;
    uint64_t generation; /* of the book */
    int64_t until_ns;    /* book time */
    uint32_t size;       /* 0: none */
    char text[GATEWAY_ACCESS_TOKEN_MAX];
};

/* A call that is being forwarded in shadow mode; its exchange is held open. */
struct shadow_call {
    struct http_ticket ticket;
    bool used;
    bool sent;
};

/* What one message or answer claims. "Reversed" is two: it was paid, and it went back. */
enum { GATEWAY_CLAIMS_MAX = 2 };
struct gateway_claims {
    uint32_t count;
    struct observation at[GATEWAY_CLAIMS_MAX];
};

/* What the merchant's surface has beside struct surface. */
struct gateway_face {
    char operator_url[GATEWAY_BASE_URL_MAX];
    char own_url[GATEWAY_BASE_URL_MAX];
    bool has_first_key;
    uint8_t first_key_hash[16]; /* of the API key that a new book begins with */
    struct access_token tokens[GATEWAY_TOKENS_MAX];
    struct gateway_reading reading; /* of the latest answer */
    struct observation observed;    /* of a pull: about the call itself */
    struct gateway_claims claims;   /* of the same answer */
    char authorization[GATEWAY_ACCESS_TOKEN_MAX + 32];
    char signature[3][256]; /* header lines of a webhook */
    char content_type[100]; /* of a call that is forwarded */
    struct shadow_call shadows[GATEWAY_SHADOWS_UNDER_WAY];
    uint64_t refused_tokens;     /* callbacks on URLs that we never gave */
    uint64_t refused_retired;    /* on URLs that were retired */
    uint64_t refused_signatures; /* webhooks that Paystack did not sign */
    uint64_t refused_sources;    /* callbacks from elsewhere than providers' networks */
};

struct provider_account;

/* observation_fn: the first, and that it went back. */
void gateway_claims_take(void *context, const struct observation *seen);

struct gateway_face *gateway_face_create(void);
void gateway_face_destroy(struct gateway_face *f);

static inline const struct gateway *surface_gateway(struct surface *s)
{
    return gateway_of(engine_book(s->engine));
}

/* The bytes of a number or an array, for a digest. */
static inline struct span gateway_bytes(const void *data, size_t size)
{
    return (struct span){data, size};
}

bool gateway_admit(struct surface *s, struct http_exchange *x);
bool gateway_route(struct request *q);
void gateway_poll_turn(struct surface *s);

/* The digest of an API key, as the book knows it. */
void gateway_key_hash(struct surface *s, struct span key, uint8_t out[16]);
/* 16 bytes as 32 hexadecimal digits, and back. */
void gateway_hex(const uint8_t bytes[16], char out[GATEWAY_TOKEN_TEXT]);
bool gateway_unhex(struct span text, uint8_t out[16]);
void gateway_text_field(struct surface *s, struct writer *w, const char *name, uint32_t handle);
/* The id that we chose for what has none of the provider's (payouts, refunds, Paystack's
 * reference): "hk-" and the token. Lies in w. */
struct span gateway_own_id(const uint8_t token[16], struct writer *w);
/* Is the provider account in this slot the caller's? */
bool gateway_is_callers(const struct request *q, uint32_t provider);
/* Answers 422; always false. */
bool gateway_invalid(struct request *q, const char *code, const char *detail);
/* A member of a JSON object as text of 1 to max bytes; false: absent or not that. */
bool gateway_member_text(struct json_object *body, const char *name, size_t max, struct span *out);

/* gateway_payments.c */
void gateway_payment_create(struct request *q);
void gateway_payment_list(struct request *q);
void gateway_payment_get(struct request *q);
void gateway_payment_timeline(struct request *q);
void gateway_payment_resolve(struct request *q);
void gateway_payment_release(struct request *q);
/* gateway_decide.c; claimed_amount and decision of a payment. */
void gateway_payment_decide(struct request *q);
void gateway_payout_decide(struct request *q);
void gateway_refund_decide(struct request *q);
void gateway_mismatch_fields(struct surface *s, struct writer *w, const struct gateway_payment *p);
/* As it is shown. feed NULL: as it is now; else as it was when that event happened. */
void gateway_payment_render(struct surface *s, struct writer *w, const struct gateway_payment *p,
                            const struct gateway_feed *feed);
/* What is shared with payouts: the object of the path when it is the caller's, of that kind (NULL
 * after answering); its timeline; a list of one kind; the phone of a body; an answer. */
enum gateway_what { GATEWAY_A_PAYMENT, GATEWAY_A_PAYOUT, GATEWAY_A_REFUND };
enum gateway_what gateway_what_of(const struct gateway_payment *p);
const char *gateway_prefix(enum gateway_what what); /* "pay_" */
const struct gateway_payment *gateway_find(struct request *q, enum gateway_what what);
/* gateway_old.c: in memory or, until the next of these calls and commands, from the index. */
const struct gateway_payment *gateway_reach(struct surface *s, uint64_t number);
const struct gateway_payment *gateway_reach_token(struct surface *s, const uint8_t token[16]);
const struct gateway_payment *gateway_reach_receipt(struct surface *s, uint32_t provider,
                                                    struct span receipt);
const struct gateway_payment *gateway_reach_order(struct surface *s, uint32_t merchant,
                                                  struct span order);
const struct gateway_notice *gateway_reach_notice(struct surface *s, uint64_t number);
void gateway_timeline(struct request *q, enum gateway_what what);
void gateway_list(struct request *q, enum gateway_what what);
void gateway_get(struct request *q, enum gateway_what what);
bool gateway_phone_parse(struct json_object *body, uint64_t *out);
bool gateway_optional_text(struct json_object *body, const char *name, size_t max,
                           struct span *out);
void gateway_answer_payment(struct request *q, uint64_t wait_position, unsigned status,
                            const struct gateway_payment *p);
/* 503 provider_unavailable: the breaker is open. */
void gateway_answer_unavailable(struct request *q, uint64_t wait_position, uint64_t seconds);
/* The header; data NULL after answering that it is missing. */
struct span gateway_idempotency_key(struct request *q);
/* gateway_receipts.c */
void gateway_receipt_list(struct request *q);
void gateway_receipt_get(struct request *q);
void gateway_receipt_assign(struct request *q);
/* feed NULL: as it is now; else as it was when that event happened. */
void gateway_receipt_render(struct surface *s, struct writer *w, const struct gateway_receipt *r,
                            const struct gateway_feed *feed);
void gateway_c2b_register(struct request *q);
void gateway_c2b_field(struct surface *s, struct writer *w, const struct gateway_provider *p);
/* The answer to "may this be paid?". */
void gateway_validation(struct request *q, uint32_t provider, const struct observation *asked);
/* gateway_pull.c */
void gateway_pull_create(struct request *q);
void gateway_pull_register(struct request *q);
void gateway_pull_field(struct surface *s, struct writer *w, const struct gateway_provider *p);
/* The rows of a page, each through the door of notices; into s->gateway->reading. */
void gateway_pull_read(struct surface *s, uint32_t provider, const struct provider_account *account,
                       struct delivery_result_command *c);
/* gateway_rows.c: rows of the provider's books. */
struct gateway_rows {
    struct surface *s;
    uint32_t provider;
    struct span all; /* the message that they stand in, ... */
    size_t at;       /* ... and how far it has been read */
    struct span peer;
    struct span headers;
    int64_t first_ns, last_ns;
    uint64_t rows, applied, confirmed, mismatched, unmatched, ignored;
    uint64_t wait_position;
    bool stopped; /* the engine had no room: take them again */
};
/* One row through the door of notices; context: struct gateway_rows. */
void gateway_row_take(void *context, const struct observation *seen);
void gateway_statement_create(struct request *q);
/* As it was when that event happened. */
void gateway_discrepancy_told(struct surface *s, struct writer *w, const struct gateway_feed *f);
void gateway_discrepancy_list(struct request *q);
void gateway_discrepancy_resolve(struct request *q);
/* gateway_reconciliation.c */
void gateway_alert_render(struct surface *s, struct writer *w, const struct gateway_feed *f);
void gateway_reconciliation_run(struct request *q);
void gateway_reconciliation_get(struct request *q);
/* gateway_payouts.c */
void gateway_payout_create(struct request *q);
void gateway_payout_list(struct request *q);
void gateway_payout_get(struct request *q);
void gateway_payout_timeline(struct request *q);
void gateway_refund_payment(struct request *q);
void gateway_refund_create(struct request *q);
void gateway_refund_list(struct request *q);
void gateway_refund_get(struct request *q);
void gateway_refund_timeline(struct request *q);
/* gateway_accounts.c */
void gateway_account_get(struct request *q);
void gateway_endpoint_create(struct request *q);
void gateway_endpoint_list(struct request *q);
void gateway_endpoint_remove(struct request *q);
void gateway_endpoint_rotate(struct request *q);
void gateway_event_list(struct request *q);
void gateway_event_get(struct request *q);
/* False, with nothing written: what it is about left memory and cannot be read. */
bool gateway_event_render(struct surface *s, struct writer *w, const struct gateway_feed *f);
void gateway_provider_create(struct request *q);
void gateway_provider_list(struct request *q);
void gateway_provider_set(struct request *q);
void gateway_provider_render(struct surface *s, struct writer *w, uint32_t slot);
/* The slot of the provider account that the path names ("prov_N"); SLAB_NONE: no id of one. */
uint32_t gateway_path_provider(const struct request *q);
void gateway_callbacks_rotate(struct request *q);
void gateway_callbacks_retire(struct request *q);
void gateway_key_create(struct request *q);
/* gateway_webhooks.c: telling once more. */
void gateway_event_replay(struct request *q);
void gateway_dead_letter_list(struct request *q);
void gateway_dead_letter_retry(struct request *q);
/* gateway_front.c: Daraja's own paths in front of the provider (R6.12). */
bool gateway_front_route(struct request *q);
/* gateway_shadow.c: true: the call is being forwarded as it is. */
bool gateway_shadow_route(struct request *q);
void gateway_shadow_list(struct request *q);
/* Is it a push at Daraja's path? */
bool gateway_front_is_push(struct span path);
/* What an application that speaks Daraja is told of a payment: MESSAGE_FORWARD its end (callback or
 * Result), to its own URL; MESSAGE_LATE that it waits in the provider's queue. */
void gateway_front_message(struct surface *s, const struct gateway_payment *p, uint16_t kind,
                           struct writer *w, struct gateway_job *job);
/* "System is busy" with Retry-After: the breaker is open. */
void gateway_front_unavailable(struct request *q, uint64_t wait_position, uint64_t seconds);
/* The account that the token is for, or any with this short code; SLAB_NONE: none. */
uint32_t gateway_front_account(struct request *q, uint32_t short_code);
/* Is the sealed text this one? */
bool gateway_front_sealed_is(struct surface *s, uint32_t handle, struct span given);
/* The id under which a push or payout stands as an order: "<reference>#<number>". */
struct span gateway_front_order(const struct gateway *g, struct span reference,
                                char room[GATEWAY_ORDER_MAX]);
/* gateway_front_c2b.c: URLs of an application for C2B; a confirmation goes on to it as it came. */
void gateway_front_register(struct request *q);
bool gateway_front_confirmation(struct surface *s, uint64_t notice, struct writer *w,
                                struct gateway_job *job);
/* gateway_front_money.c: what an initiator asks for. */
void gateway_front_payout_v1(struct request *q);
void gateway_front_payout_v3(struct request *q);
void gateway_front_reversal(struct request *q);
void gateway_front_result(struct surface *s, const struct gateway_payment *p, uint16_t kind,
                          struct writer *w);
/* gateway_outgoing.c: is it the signature of this body with the account's secret key? */
bool gateway_signed_by_paystack(struct surface *s, const struct gateway_provider *p,
                                struct span body, struct span signature);
/* gateway_notices.c */
void gateway_callback(struct request *q);
void gateway_notice_list(struct request *q);
void gateway_notice_render(struct surface *s, struct writer *w, const struct gateway_notice *n);
/* Reads a notice of Paystack again, for what the book keeps in its bytes alone. It was signed, or
 * the answer to our own question, when it was taken. Uses s->json. */
void gateway_notice_read(struct surface *s, const struct gateway_payment *p,
                         const struct gateway_notice *n, struct observation *out);
/* Its raw bytes, in room. */
struct span gateway_notice_body(const struct gateway *g, const struct gateway_notice *n,
                                char room[GATEWAY_BODY_MAX]);
/* The key by which the same claim is recognised (R5.2), and the digest of its bytes. */
void gateway_notice_digests(struct surface *s, struct notice_command *c, uint64_t payment);
/* gateway_checkout.c: what the payer may see. */
void gateway_checkout_page(struct request *q);
void gateway_checkout_state(struct request *q);
void gateway_checkout_script(struct request *q);
void gateway_checkout_style(struct request *q);
/* "checkout_url": where the payer may see it; of payments only. */
void gateway_checkout_field(struct surface *s, struct writer *w, const struct gateway_payment *p);
/* gateway_payments.c: asks the provider when its outcome is unknown and nobody has asked for a
 * minute. */
void gateway_payment_ask_if_stale(struct request *q, const struct gateway_payment *p);

#endif
