/*
 * attempt.c - libcurl's options and callbacks, and what its results mean to us.
 */
#include "delivery/attempt.h"

#include <strings.h>

enum {
    RECEIVE_BUFFER_BYTES = 4096, /* answers are small; the default would be 16 KiB per attempt */
    IDLE_SECONDS_MAX = 60,
    RETRY_AFTER_SECONDS_MAX = 7 * 24 * 3600,
};

static size_t attempt_write(char *data, size_t size, size_t count, void *context)
{
    struct attempt *a = context;
    struct delivery_slot *slot = a->slot;
    size_t bytes = size * count;
    CHECK(slot != NULL);
    if (bytes > ATTEMPT_ANSWER_READ_MAX - a->answer_read) {
        return 0; /* ends the attempt and closes the connection */
    }
    a->answer_read += (uint32_t)bytes;
    size_t keep = DELIVERY_ANSWER_BYTES_MAX - slot->answer_size;
    keep = keep < bytes ? keep : bytes;
    memcpy(slot->answer + slot->answer_size, data, keep);
    slot->answer_size += (uint32_t)keep;
    return bytes;
}

/* Retry-After as a date would mean trusting two clocks: it counts as absent. */
static void attempt_retry_after(struct delivery_slot *slot, struct span value)
{
    uint64_t seconds = 0;
    if (span_parse_u64(span_trim(value), &seconds)) {
        seconds = seconds < RETRY_AFTER_SECONDS_MAX ? seconds : RETRY_AFTER_SECONDS_MAX;
        slot->retry_after_ms = (int64_t)seconds * 1000;
    }
}

static size_t attempt_header(char *data, size_t size, size_t count, void *context)
{
    static const char RETRY_AFTER[] = "Retry-After:";
    struct attempt *a = context;
    size_t bytes = size * count;
    CHECK(a->slot != NULL);
    if (bytes > ATTEMPT_HEADERS_READ_MAX - a->headers_read) {
        return 0;
    }
    a->headers_read += (uint32_t)bytes;
    size_t name = sizeof(RETRY_AFTER) - 1;
    if (bytes > name && (data[0] | 0x20) == 'r' && strncasecmp(data, RETRY_AFTER, name) == 0) {
        attempt_retry_after(a->slot, (struct span){data + name, bytes - name});
    }
    return bytes;
}

/* The only place where connections are opened: here the address is known for certain. */
static curl_socket_t attempt_socket(void *context, curlsocktype purpose,
                                    struct curl_sockaddr *address)
{
    struct attempt *a = context;
    if (purpose != CURLSOCKTYPE_IPCXN ||
        !delivery__address_allowed(&a->settings->rules, &address->addr)) {
        a->forbidden = true;
        return CURL_SOCKET_BAD;
    }
    return delivery__loop_open(a->settings->loop, address);
}

/* Runs before each sending of a request; the second one would be libcurl's own retry. */
static int attempt_send(void *context, char *remote, char *local, int remote_port, int local_port)
{
    struct attempt *a = context;
    (void)remote;
    (void)local;
    (void)remote_port;
    (void)local_port;
    a->sends++;
    return a->sends == 1 ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

/* Options that can fail are those that this libcurl may lack; all of them matter. */
static bool attempt_options(struct attempt *a)
{
    CURL *e = a->easy;
    const struct attempt_settings *s = a->settings;
    int bad = 0;
    bad |= curl_easy_setopt(e, CURLOPT_PRIVATE, a) != CURLE_OK;
    bad |= curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L) != CURLE_OK;
    bad |= curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https") != CURLE_OK;
    bad |= curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L) != CURLE_OK;
    bad |= curl_easy_setopt(e, CURLOPT_PROXY, "") != CURLE_OK;
    bad |= curl_easy_setopt(e, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) != CURLE_OK;
    bad |= curl_easy_setopt(e, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L) != CURLE_OK;
    bad |= curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) != CURLE_OK;
    bad |= curl_easy_setopt(e, CURLOPT_TCP_NODELAY, 1L) != CURLE_OK;
    bad |= curl_easy_setopt(e, CURLOPT_MAXAGE_CONN, (long)IDLE_SECONDS_MAX) != CURLE_OK;
    bad |= curl_easy_setopt(e, CURLOPT_BUFFERSIZE, (long)RECEIVE_BUFFER_BYTES) != CURLE_OK;
    bad |= curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, s->connect_ms) != CURLE_OK;
    bad |= curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, s->total_ms) != CURLE_OK;
    /* A name server that is silent must not hold the thread when the attempt is given up. */
    bad |= curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L) != CURLE_OK;
    bad |= curl_easy_setopt(e, CURLOPT_USERAGENT, s->user_agent) != CURLE_OK;
    bad |= curl_easy_setopt(e, CURLOPT_RESOLVE, s->resolve) != CURLE_OK;
    bad |= curl_easy_setopt(e, CURLOPT_POST, 1L) != CURLE_OK;
    bad |= curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, attempt_write) != CURLE_OK;
    bad |= curl_easy_setopt(e, CURLOPT_WRITEDATA, a) != CURLE_OK;
    bad |= curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, attempt_header) != CURLE_OK;
    bad |= curl_easy_setopt(e, CURLOPT_HEADERDATA, a) != CURLE_OK;
    bad |= curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, attempt_socket) != CURLE_OK;
    bad |= curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, a) != CURLE_OK;
    bad |= curl_easy_setopt(e, CURLOPT_CLOSESOCKETFUNCTION, delivery__loop_close) != CURLE_OK;
    bad |= curl_easy_setopt(e, CURLOPT_CLOSESOCKETDATA, s->loop) != CURLE_OK; /* of all attempts */
    bad |= curl_easy_setopt(e, CURLOPT_PREREQFUNCTION, attempt_send) != CURLE_OK;
    bad |= curl_easy_setopt(e, CURLOPT_PREREQDATA, a) != CURLE_OK;
    return bad == 0;
}

bool delivery__attempt_init(struct attempt *a, const struct attempt_settings *settings)
{
    CHECK(a->easy == NULL);
    a->settings = settings;
    a->easy = curl_easy_init();
    if (a->easy == NULL) {
        return false;
    }
    if (!attempt_options(a)) {
        delivery__attempt_fini(a);
        return false;
    }
    return true;
}

void delivery__attempt_fini(struct attempt *a)
{
    curl_easy_cleanup(a->easy);
    a->easy = NULL;
}

static bool attempt_body(CURL *e, const struct delivery_slot *slot)
{
    if (slot->is_get) {
        return curl_easy_setopt(e, CURLOPT_HTTPGET, 1L) == CURLE_OK;
    }
    return curl_easy_setopt(e, CURLOPT_POST, 1L) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_POSTFIELDS, slot->body) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)slot->body_size) ==
               CURLE_OK;
}

bool delivery__attempt_begin(struct attempt *a, struct delivery_slot *slot)
{
    CHECK(a->slot == NULL);
    slot->retry_after_ms = -1;
    slot->status = 0;
    slot->duration_ms = 0;
    slot->answer_size = 0;
    slot->error = DELIVERY_BAD_URL;
    if (!slot->valid) {
        return false;
    }
    a->sends = 0;
    a->headers_read = 0;
    a->answer_read = 0;
    a->forbidden = false;
    CURL *e = a->easy;
    if (curl_easy_setopt(e, CURLOPT_URL, slot->url) != CURLE_OK || !attempt_body(e, slot) ||
        curl_easy_setopt(e, CURLOPT_HTTPHEADER, slot->headers) != CURLE_OK ||
        curl_easy_setopt(e, CURLOPT_TIMEOUT_MS,
                         slot->total_ms > 0 ? slot->total_ms : a->settings->total_ms) != CURLE_OK) {
        return false;
    }
    a->slot = slot;
    return true;
}

/* Ran out of time before the request was sent. libcurl does not tell a silent peer of a TLS
   handshake from one that never accepted. */
static enum delivery_error attempt_timeout_unsent(const struct attempt *a)
{
    curl_off_t resolved_us = 0;
    (void)curl_easy_getinfo(a->easy, CURLINFO_NAMELOOKUP_TIME_T, &resolved_us);
    return resolved_us == 0 ? DELIVERY_RESOLVE : DELIVERY_CONNECT;
}

/* Not switches over the enum: libcurl has a hundred codes and adds some with each release. */
static enum delivery_error attempt_error_unsent(const struct attempt *a, CURLcode code)
{
    switch ((int)code) {
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
    case CURLE_LOGIN_DENIED: /* credentials in the URL */ return DELIVERY_BAD_URL;
    case CURLE_COULDNT_RESOLVE_HOST: return DELIVERY_RESOLVE;
    case CURLE_COULDNT_CONNECT: return a->forbidden ? DELIVERY_FORBIDDEN : DELIVERY_CONNECT;
    case CURLE_OPERATION_TIMEDOUT: return attempt_timeout_unsent(a);
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_ENGINE_INITFAILED: return DELIVERY_TLS;
    default: return DELIVERY_CONNECT;
    }
}

/* Whoever must not send twice relies on this never being an error of attempt_error_unsent: when a
   reused connection broke and the new one that libcurl then opened was refused, the first may have
   carried the request. */
static enum delivery_error attempt_error_sent(CURLcode code)
{
    switch ((int)code) {
    case CURLE_OK: return DELIVERY_ANSWERED;
    case CURLE_OPERATION_TIMEDOUT: return DELIVERY_TIMEOUT;
    case CURLE_UNSUPPORTED_PROTOCOL: /* HTTP/0.9 */
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_WRITE_ERROR: /* our limits on body and headers */
    case CURLE_BAD_CONTENT_ENCODING: return DELIVERY_PROTOCOL;
    default: return DELIVERY_RESET;
    }
}

void delivery__attempt_end(struct attempt *a, CURLcode code)
{
    struct delivery_slot *slot = a->slot;
    CHECK(slot != NULL);
    a->slot = NULL;
    slot->error = a->sends > 0 ? attempt_error_sent(code) : attempt_error_unsent(a, code);
    curl_off_t total_us = 0;
    (void)curl_easy_getinfo(a->easy, CURLINFO_TOTAL_TIME_T, &total_us);
    slot->duration_ms = total_us < 0 ? 0 : (uint32_t)(total_us / 1000);
    if (slot->error != DELIVERY_ANSWERED) {
        slot->retry_after_ms = -1;
        slot->answer_size = 0;
        return;
    }
    long status = 0;
    (void)curl_easy_getinfo(a->easy, CURLINFO_RESPONSE_CODE, &status);
    CHECK(status >= 0 && status <= 999);
    slot->status = (uint16_t)status;
}
