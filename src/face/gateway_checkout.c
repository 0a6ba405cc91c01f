/*
 * gateway_checkout.c - /pay: what the payer sees of a payment (R2.6), and the script that a shop
 * embeds for the same.
 *
 * Guarantees
 *  - no API key, and none in the page: its address is a name that only our key file can make
 *    (secrets_name_make) and tells nothing, not even how many payments there are; whoever has it
 *    sees amount, shop, masked phone, how it stands and the receipt, and moves nothing;
 *  - nothing here says that a payment failed unless that is definite: what is open or unknown is
 *    "could not be confirmed", with how to check;
 *  - the page runs our script and nothing else, and works without it (it loads itself anew).
 * Relies on the key file and the book's generation staying the same: after a reset old addresses
 * name nothing.
 * Tests: tests/unit/test_public_name.c, tests/e2e/340-checkout.sh, 341-checkout-browser.sh.
 */
#include <stdio.h>
#include <string.h>

#include "base/money.h"
#include "face/documents.h"
#include "face/gateway.h"

enum { LOOKS_MAX = 20, LOOK_SECONDS = 3 }; /* R2.6, for pages without a script */
enum { AMOUNT_TEXT = MONEY_TEXT_MAX + 12 };

/* X(state, "status", "English", "Swahili") */
#define CHECKOUT_WORDS(X)                                                                  \
    X(CREATED, "sending", "We are asking M-PESA to send a request to your phone.",         \
      "Tunaiomba M-PESA itume ombi kwenye simu yako.")                                     \
    X(SUBMITTED, "sending", "We are asking M-PESA to send a request to your phone.",       \
      "Tunaiomba M-PESA itume ombi kwenye simu yako.")                                     \
    X(PENDING, "prompted", "Look at your phone and enter your M-PESA PIN.",                \
      "Angalia simu yako na uweke PIN yako ya M-PESA.")                                    \
    X(UNCONFIRMED, "unconfirmed", UNKNOWN_EN, UNKNOWN_SW)                                  \
    X(MISMATCHED, "unconfirmed", UNKNOWN_EN, UNKNOWN_SW)                                   \
    X(SUCCEEDED, "paid", "Paid. Thank you.", "Umelipa. Asante.")                           \
    X(FAILED, "declined", "This payment did not go through. No money was taken.",          \
      "Malipo haya hayakufanikiwa. Hakuna pesa iliyochukuliwa.")                           \
    X(EXPIRED, "expired",                                                                  \
      "The request was not answered in time. No money was taken. You can try again.",      \
      "Ombi halikujibiwa kwa wakati. Hakuna pesa iliyochukuliwa. Unaweza kujaribu tena.")  \
    X(CANCELLED, "cancelled",                                                              \
      "The request was cancelled on the phone. No money was taken. You can try again.",    \
      "Ombi lilighairiwa kwenye simu. Hakuna pesa iliyochukuliwa. Unaweza kujaribu tena.") \
    X(REVERSED, "returned", "This payment was returned to you.", "Malipo haya yamerudishwa kwako.")

#define UNKNOWN_EN                                                                                 \
    "We could not confirm this payment yet. Do not pay again. If a message from M-PESA says that " \
    "you paid, your payment is safe. Check again in a few minutes, or ask the shop."
#define UNKNOWN_SW                                                                              \
    "Bado hatujathibitisha malipo haya. Usilipe tena. Ikiwa ujumbe wa M-PESA unasema umelipa, " \
    "malipo yako yako salama. Angalia tena baada ya dakika chache, au uliza duka."

struct words {
    const char *status;
    const char *en;
    const char *sw;
};

static struct words words_of(uint8_t state)
{
    static const struct words all[GATEWAY_STATES_END] = {
#define X(name, status, en, sw) [GATEWAY_##name] = {status, en, sw},
        CHECKOUT_WORDS(X)
#undef X
    };
    CHECK(state > 0 && state < GATEWAY_STATES_END);
    CHECK(all[state].status != NULL);
    return all[state];
}

/* ---- the payment's name ---- */

/* What is paid out to somebody has no page. */
static bool has_payer(const struct gateway_payment *p)
{
    return p->method == METHOD_MPESA_STK || p->method == METHOD_PAYSTACK;
}

static void payment_name(struct surface *s, const struct gateway_payment *p,
                         char out[GATEWAY_TOKEN_TEXT])
{
    uint8_t name[16];
    secrets_name_make(s->options.secrets, p->number, engine_book(s->engine)->generation, name);
    gateway_hex(name, out);
}

void gateway_checkout_field(struct surface *s, struct writer *w, const struct gateway_payment *p)
{
    char name[GATEWAY_TOKEN_TEXT];
    char url[GATEWAY_BASE_URL_MAX + 64];
    if (!has_payer(p)) {
        return;
    }
    payment_name(s, p, name);
    int size = snprintf(url, sizeof(url), "%s/pay/%s", s->gateway->own_url, name);
    CHECK(size > 0 && (size_t)size < sizeof(url));
    json_field_text(w, "checkout_url", url);
}

static const struct gateway_payment *find_checkout(struct request *q)
{
    uint8_t name[16];
    uint64_t number;
    uint64_t generation;
    if (!gateway_unhex(q->parts[0], name)) {
        return NULL;
    }
    secrets_name_read(q->s->options.secrets, name, &number, &generation);
    if (generation != engine_book(q->s->engine)->generation) {
        return NULL;
    }
    const struct gateway_payment *p = gateway_reach(q->s, number);
    return p != NULL && has_payer(p) ? p : NULL;
}

/* ---- answers ---- */

static void private_headers(struct request *q)
{
    http_reply_header(q->x, "X-Content-Type-Options", SPAN_LITERAL("nosniff"));
    http_reply_header(q->x, "Referrer-Policy", SPAN_LITERAL("no-referrer")); /* the id is in it */
    http_reply_header(q->x, "Cache-Control", SPAN_LITERAL("no-store"));
}

/* Pages of shops read it: the id is all that it takes, so nothing is gained by asking whose. */
static void shared_headers(struct request *q)
{
    http_reply_header(q->x, "X-Content-Type-Options", SPAN_LITERAL("nosniff"));
    http_reply_header(q->x, "Access-Control-Allow-Origin", SPAN_LITERAL("*"));
    http_reply_header(q->x, "Cross-Origin-Resource-Policy", SPAN_LITERAL("cross-origin"));
}

static void answer_document(struct request *q, struct span bytes, const char *type)
{
    shared_headers(q);
    http_reply_header(q->x, "Cache-Control", SPAN_LITERAL("public, max-age=300"));
    http_reply(q->x, 200, type, bytes);
}

void gateway_checkout_script(struct request *q)
{
    answer_document(q, checkout_script_document(), "text/javascript; charset=utf-8");
}

void gateway_checkout_style(struct request *q)
{
    answer_document(q, checkout_style_document(), "text/css; charset=utf-8");
}

static struct span shop_name(struct surface *s, const struct gateway_payment *p)
{
    const struct gateway *g = surface_gateway(s);
    return gateway_text(g, gateway_merchant(g, p->merchant)->name);
}

void gateway_checkout_state(struct request *q)
{
    struct surface *s = q->s;
    struct writer w = surface_writer(s);
    const struct gateway_payment *p = find_checkout(q);
    char phone[16];
    shared_headers(q);
    http_reply_header(q->x, "Cache-Control", SPAN_LITERAL("no-store"));
    if (p == NULL) {
        surface_problem(q, engine_read_position(s->engine), 404, "not_found",
                        "there is no payment at this address");
        return;
    }
    gateway_payment_ask_if_stale(q, p);
    struct words words = words_of(p->state);
    mask_msisdn(p->phone, phone);
    json_open(&w, '{');
    json_field_text(&w, "object", "checkout");
    json_field_text(&w, "status", words.status);
    json_field_bool(&w, "ended", gateway_state_ended(p->state));
    json_field_bool(&w, "retryable", gateway_state_retryable(p->state));
    json_field_i64(&w, "amount", gateway_paid_minor(p));
    json_field_text(&w, "currency", "KES");
    json_field_string(&w, "merchant", shop_name(s, p));
    json_field_text(&w, "phone", phone);
    gateway_text_field(s, &w, "receipt", p->receipt);
    json_key(&w, "words");
    json_open(&w, '{');
    json_field_text(&w, "en", words.en);
    json_field_text(&w, "sw", words.sw);
    json_close(&w, '}');
    json_close(&w, '}');
    surface_json(q, engine_read_position(s->engine), 200, &w);
}

/* ---- the page ---- */

static void put_escaped(struct writer *w, struct span text)
{
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        const char *entity = c == '<'   ? "&lt;"
                             : c == '>' ? "&gt;"
                             : c == '&' ? "&amp;"
                             : c == '"' ? "&quot;"
                                        : NULL;
        if (entity != NULL) {
            json_raw(w, entity);
        } else {
            put_raw(w, &c, 1);
        }
    }
}

struct page_mark {
    const char *name;
    struct span text;
    bool is_markup;
};

static void put_mark(struct writer *w, struct span name, const struct page_mark *marks,
                     size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (span_is(name, marks[i].name)) {
            if (marks[i].is_markup) {
                put_raw(w, marks[i].text.data, marks[i].text.size);
            } else {
                put_escaped(w, marks[i].text);
            }
            return;
        }
    }
    CHECK(false); /* a mark of the page that nobody fills */
}

static void fill_page(struct writer *w, const struct page_mark *marks, size_t count)
{
    struct span page = checkout_page_document();
    size_t start = 0;
    for (size_t at = 0; at < page.size; at++) {
        if (page.data[at] == '{') {
            put_raw(w, page.data + start, at - start);
            start = at + 1;
        } else if (page.data[at] == '}') {
            put_mark(w, (struct span){page.data + start, at - start}, marks, count);
            start = at + 1;
        }
    }
    put_raw(w, page.data + start, page.size - start);
}

/* Without a script the page loads itself anew, counting: ?look=3. */
static uint64_t looks(struct request *q)
{
    uint64_t number = 0;
    struct span text = http_query_value(q->x, "look");
    return text.data != NULL && span_parse_u64(text, &number) && number < LOOKS_MAX ? number
           : text.data != NULL                                                      ? LOOKS_MAX
                                                                                    : 0;
}

static void page_headers(struct request *q)
{
    private_headers(q);
    http_reply_header(q->x, "Content-Security-Policy",
                      SPAN_LITERAL("default-src 'none'; script-src 'self'; style-src 'self'; "
                                   "connect-src 'self'; base-uri 'none'; form-action 'none'; "
                                   "frame-ancestors 'none'"));
    http_reply_header(q->x, "X-Frame-Options", SPAN_LITERAL("DENY"));
}

/* "KSh 1,799.00", as the payer reads amounts everywhere else. */
static void amount_text(int64_t minor, char out[AMOUNT_TEXT])
{
    char plain[MONEY_TEXT_MAX];
    size_t size = money_format(minor, plain);
    size_t whole = size - 3; /* before ".00" */
    struct writer w = writer_init(out, AMOUNT_TEXT - 1);
    CHECK(size > 3);
    put_raw(&w, "KSh ", 4);
    for (size_t i = 0; i < size; i++) {
        put_raw(&w, plain + i, 1);
        if (i + 1 < whole && (whole - i - 1) % 3 == 0) {
            put_raw(&w, ",", 1);
        }
    }
    CHECK(!w.overflow);
    out[w.size] = '\0';
}

static void answer_payment_page(struct request *q, const struct gateway_payment *p)
{
    struct surface *s = q->s;
    struct writer w = surface_writer(s);
    char name[GATEWAY_TOKEN_TEXT];
    char amount[AMOUNT_TEXT];
    char phone[16];
    char refresh[120] = "";
    char receipt[120] = "";
    uint64_t look = looks(q);
    bool open = !gateway_state_ended(p->state);
    bool over = open && look >= LOOKS_MAX;
    struct words words = words_of(over ? GATEWAY_UNCONFIRMED : p->state);
    payment_name(s, p, name);
    amount_text(gateway_paid_minor(p), amount);
    mask_msisdn(p->phone, phone);
    if (open && !over) {
        (void)snprintf(refresh, sizeof(refresh),
                       "<noscript><meta http-equiv=\"refresh\" content=\"%d;url=?look=%u\">"
                       "</noscript>\n",
                       LOOK_SECONDS, (unsigned)look + 1);
    }
    struct span number =
        p->receipt != TEXT_NONE ? gateway_text(surface_gateway(s), p->receipt) : SPAN_EMPTY;
    if (number.size > 0) {
        (void)snprintf(receipt, sizeof(receipt), "M-PESA %.*s", (int)number.size, number.data);
    }
    struct page_mark marks[] = {
        {"amount", span_from(amount), false},       {"merchant", shop_name(s, p), false},
        {"phone", span_from(phone), false},         {"id", span_from(name), false},
        {"status", span_from(words.status), false}, {"en", span_from(words.en), false},
        {"sw", span_from(words.sw), false},         {"receipt", span_from(receipt), false},
        {"refresh", span_from(refresh), true},
    };
    fill_page(&w, marks, sizeof(marks) / sizeof(marks[0]));
    page_headers(q);
    surface_answer(q, engine_read_position(s->engine), 200, "text/html; charset=utf-8", &w);
}

void gateway_checkout_page(struct request *q)
{
    const struct gateway_payment *p = find_checkout(q);
    if (p != NULL) {
        gateway_payment_ask_if_stale(q, p);
        answer_payment_page(q, p);
        return;
    }
    struct writer w = surface_writer(q->s);
    json_raw(&w, "There is no payment at this address. Ask the shop for a new link.\n"
                 "Hakuna malipo kwenye anwani hii. Omba duka kiungo kipya.\n");
    page_headers(q);
    surface_answer(q, engine_read_position(q->s->engine), 404, "text/plain; charset=utf-8", &w);
}
