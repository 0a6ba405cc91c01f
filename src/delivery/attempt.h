/*
 * attempt.h - one HTTP attempt with one reused libcurl handle (private to delivery/).
 *
 * Guarantees: everything that is the same for all jobs is set once per handle; a job costs no
 * memory of ours. Redirects, proxies, cookies, credentials in URLs and every scheme but http and
 * https are off. The request is sent at most once, also when a reused connection turns out to be
 * dead: libcurl would send it again by itself, and a push of money must not go out twice.
 * Relies on: the job staying where it is until the attempt has ended.
 */
#ifndef HAKIKA_DELIVERY_ATTEMPT_H
#define HAKIKA_DELIVERY_ATTEMPT_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "delivery/address.h"
#include "delivery/delivery.h"
#include "delivery/loop.h"

enum {
    /* What is read of an answer before the connection is given up (D3). */
    ATTEMPT_ANSWER_READ_MAX = 256 * 1024,
    ATTEMPT_HEADERS_READ_MAX = 64 * 1024,
    /* The job's own headers, Content-Type and Expect. */
    JOB_HEADERS_MAX = DELIVERY_HEADERS_MAX + 2,
};

/* A job and what became of it. */
struct delivery_slot {
    uint64_t id;
    uint64_t generation;
    uint64_t target_key;
    long total_ms; /* its own time limit; 0: that of all */
    bool is_get;
    bool valid;  /* URL and headers hold nothing that could smuggle a request */
    char *bytes; /* the job's strings: URL, content type, headers, body */
    size_t bytes_capacity;
    const char *url;
    const char *body;
    size_t body_size;
    struct curl_slist headers[JOB_HEADERS_MAX];

    enum delivery_error error;
    uint16_t status;
    uint32_t duration_ms;
    int64_t retry_after_ms;
    uint32_t answer_size;
    char answer[DELIVERY_ANSWER_BYTES_MAX];
};

/* What all attempts share; immutable while they run. */
struct attempt_settings {
    struct address_rules rules;
    long connect_ms;
    long total_ms;
    const char *user_agent;
    struct curl_slist *resolve;
    struct delivery_loop *loop; /* where their connections are watched */
};

struct attempt {
    CURL *easy;
    const struct attempt_settings *settings;
    struct delivery_slot *slot; /* NULL while idle */
    uint32_t slot_index;
    uint32_t next_idle;
    uint32_t place; /* in the list of attempts under way */
    uint32_t sends;
    uint32_t headers_read;
    uint32_t answer_read;
    bool forbidden; /* an address was refused */
};

/* Makes the handle; false when there is no memory. */
bool delivery__attempt_init(struct attempt *attempt,
                            const struct attempt_settings *settings) MUST_USE;
void delivery__attempt_fini(struct attempt *attempt);

/* Loads a job into the handle. False: it cannot be fetched, and slot->error says so. */
bool delivery__attempt_begin(struct attempt *attempt, struct delivery_slot *slot) MUST_USE;
/* Writes the outcome to the slot and frees the handle for another job. */
void delivery__attempt_end(struct attempt *attempt, CURLcode code);

#endif
