/*
 * sums.c - callbacks that arrived, receipts that were given, and whether the money adds up.
 */
#include <stdio.h>
#include <string.h>

#include "faults/faults.h"

enum { CALLBACKS_WAIT_MS = 30000 };

static const uint32_t SHOP_CODES[SHOPS] = {174379, 600000, 600001};

static struct callback *callback_slot(const struct world *w, const char *checkout)
{
    uint64_t at = hash_text(checkout, strlen(checkout));
    for (;; at++) {
        struct callback *c = &w->callbacks[at % CALLBACKS_MAX];
        if (c->checkout[0] == '\0' || strcmp(c->checkout, checkout) == 0) {
            return c;
        }
    }
}

const struct callback *callback_find(const struct world *w, const char *checkout)
{
    const struct callback *c = callback_slot(w, checkout);
    return c->checkout[0] != '\0' ? c : NULL;
}

/* In the sink's thread: remembers the first body of each payment, and compares the others. */
void callback_received(void *context, struct span body)
{
    struct world *w = context;
    char checkout[CHECKOUT_SIZE];
    int64_t code = -1;
    CHECK(pthread_mutex_lock(&w->callbacks_lock) == 0);
    if (!text_after(body, "\"CheckoutRequestID\":\"", checkout, sizeof(checkout)) ||
        !number_after(body, "\"ResultCode\":", &code)) {
        (void)snprintf(w->callback_fault, sizeof(w->callback_fault), "not a callback: %.*s",
                       (int)(body.size > 120 ? 120 : body.size), body.data);
    } else {
        struct callback *c = callback_slot(w, checkout);
        uint64_t hash = hash_text(body.data, body.size);
        if (c->count == 0) {
            CHECK(w->callback_count++ < CALLBACKS_MAX / 2);
            memcpy(c->checkout, checkout, sizeof(checkout));
            c->code = (int32_t)code;
            c->body_hash = hash;
            (void)text_after(body, "\"MpesaReceiptNumber\",\"Value\":\"", c->receipt,
                             sizeof(c->receipt));
        } else if (c->body_hash != hash) {
            (void)snprintf(w->callback_fault, sizeof(w->callback_fault), "two bodies for %s: %.*s",
                           checkout, (int)body.size, body.data);
        }
        c->count++;
        w->total_callbacks++;
    }
    CHECK(pthread_mutex_unlock(&w->callbacks_lock) == 0);
}

bool receipt_add(struct world *w, const char *receipt)
{
    uint64_t hash = hash_text(receipt, strlen(receipt)) | 1;
    for (uint64_t at = hash;; at++) {
        uint64_t *slot = &w->receipts[at % CALLBACKS_MAX];
        if (*slot == hash) {
            return false;
        }
        if (*slot == 0) {
            *slot = hash;
            return true;
        }
    }
}

void callbacks_check(struct world *w)
{
    uint32_t matched = 0;
    CHECK(pthread_mutex_lock(&w->callbacks_lock) == 0);
    if (w->callback_fault[0] != '\0') {
        world_fail(w, "%s", w->callback_fault);
    }
    for (uint32_t i = 0; i < w->payment_count; i++) {
        const struct payment *p = &w->payments[i];
        const struct callback *c = p->checkout[0] != '\0' ? callback_find(w, p->checkout) : NULL;
        if (c == NULL) {
            continue;
        }
        matched++;
        if (status_final(p->told) && (c->code != p->code || strcmp(c->receipt, p->receipt) != 0)) {
            world_fail(w, "%s: the callback said %d %s, the book says %d %s", p->checkout, c->code,
                       c->receipt, p->code, p->receipt);
        }
    }
    if (matched != w->callback_count) {
        world_fail(w, "%u payments were called back and %u of them are in the book",
                   w->callback_count, matched);
    }
    CHECK(pthread_mutex_unlock(&w->callbacks_lock) == 0);
}

static uint32_t callbacks_missing(struct world *w, uint32_t *first_out)
{
    uint32_t missing = 0;
    CHECK(pthread_mutex_lock(&w->callbacks_lock) == 0);
    for (uint32_t i = w->payment_count; i-- > 0;) {
        const struct payment *p = &w->payments[i];
        if (status_final(p->told) && callback_find(w, p->checkout) == NULL) {
            *first_out = i;
            missing++;
        }
    }
    CHECK(pthread_mutex_unlock(&w->callbacks_lock) == 0);
    return missing;
}

void callbacks_await(struct world *w)
{
    char answer[8192];
    uint32_t first = 0;
    int64_t end = clock_ms() + CALLBACKS_WAIT_MS;
    while (callbacks_missing(w, &first) > 0) {
        if (clock_ms() > end) {
            world_fail(w, "%u ended payments got no callback, among them %s",
                       callbacks_missing(w, &first), w->payments[first].checkout);
        }
        /* a round trip paces this */
        (void)world_ask(w, "GET", "/sim/v1/clock", "", answer, sizeof(answer));
    }
}

static int64_t balance_of(struct world *w, const char *path, const char *field)
{
    char answer[4096];
    int64_t value = INT64_MIN;
    int status = world_ask(w, "GET", path, "", answer, sizeof(answer));
    if (status == 404) {
        return INT64_MIN;
    }
    if (status != 200 || !number_after(span_from(answer), field, &value)) {
        world_fail(w, "%s was answered with %d: %s", path, status, answer);
    }
    return value;
}

void sums_check(struct world *w, bool all_phones)
{
    char path[96];
    for (uint32_t i = 0; i < SHOPS; i++) {
        (void)snprintf(path, sizeof(path), "/sim/v1/organisations/%u", SHOP_CODES[i]);
        int64_t balance = balance_of(w, path, "\"utility\":");
        int64_t due = SHOP_MINOR + w->shop_paid[i];
        if (balance != due && (balance != INT64_MIN || w->shop_paid[i] != 0)) {
            world_fail(w, "shop %u holds %lld instead of %lld", SHOP_CODES[i], (long long)balance,
                       (long long)due);
        }
    }
    for (uint32_t i = 0; i < PHONES; i++) {
        struct phone *phone = &w->phones[i];
        if (!all_phones && !phone->touched) {
            continue;
        }
        phone->touched = false;
        (void)snprintf(path, sizeof(path), "/sim/v1/subscribers/%llu",
                       (unsigned long long)(PHONE_FIRST + i));
        int64_t balance = balance_of(w, path, "\"balance\":");
        int64_t due = (phone->poor ? POOR_MINOR : WALLET_MINOR) - phone->paid_minor;
        if (balance != due && (balance != INT64_MIN || phone->paid_minor != 0)) {
            world_fail(w, "phone %llu holds %lld instead of %lld",
                       (unsigned long long)(PHONE_FIRST + i), (long long)balance, (long long)due);
        }
    }
}
