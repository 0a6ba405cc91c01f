/*
 * serve.c - hakika serve: opens the books, starts the threads, runs the loop.
 *
 * One turn of the loop: what the disk has done, what the receivers have answered, what clients ask;
 * then decide, hand over, release, send: for one book after the other (host.c). Only this thread
 * touches the books; they talk to each other over HTTP, as they would in life
 * (docs/decisions/0008).
 *
 *   writer threads --eventfd--> loop <--eventfd-- delivery threads
 *   signals ------------------> loop <----------- sockets (libmicrohttpd's epoll descriptors)
 *
 * Exit status: 0 told to stop; 1 could not start; 3 the journal failed (restart and it replays).
 */
#include "app/serve.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/command.h"
#include "app/ephemeral.h"
#include "app/host.h"
#include "app/scrub.h"
#include "app/secret_file.h"

enum {
    LEAVE_MS_MAX = 10000,
    VIEW_PATIENCE_MS = 2000, /* at a clean stop, to take in the rest */
    HOSTS_MAX = 2,
};

struct server {
    const struct config *config;
    struct host_shared shared;
    char data[600];
    uint32_t host_count;
    struct host hosts[HOSTS_MAX];
    struct scrub scrubs[HOSTS_MAX]; /* one for each host */
    struct host *operator_host;     /* NULL: that book does not run here */
    struct host *merchant_host;
    bool stopping;
    int64_t stop_ns; /* monotonic: when stopping began */
    int signals;
};

/* ---- starting ---- */

static bool no_data(const struct server *v)
{
    (void)fprintf(
        stderr,
        "hakika: cannot make or use the data folder %s: %s; nothing was started. Make the "
        "folder that it is to be in, or name another one with --data\n",
        v->data, strerror(errno));
    return false;
}

static bool make_data(struct server *v)
{
    if (v->config->ephemeral) {
        return ephemeral_make(v->data, sizeof(v->data)) || no_data(v);
    }
    (void)snprintf(v->data, sizeof(v->data), "%s", v->config->data);
    struct stat info;
    if (mkdir(v->data, 0700) != 0 && errno != EEXIST) {
        return no_data(v);
    }
    if (stat(v->data, &info) != 0 || !S_ISDIR(info.st_mode)) {
        errno = ENOTDIR;
        return no_data(v);
    }
    return true;
}

static struct host *add_host(struct server *v, enum surface_book which)
{
    struct host *h = &v->hosts[v->host_count++];
    host_init(h, &v->shared, which);
    return h;
}

static void choose_books(struct server *v)
{
    if (v->config->books != BOOKS_MERCHANT) {
        v->operator_host = add_host(v, SURFACE_OPERATOR);
    }
    if (v->config->books != BOOKS_OPERATOR) {
        v->merchant_host = add_host(v, SURFACE_MERCHANT);
    }
}

/* A lost key would make every PIN wrong and every sealed secret unreadable: no new one is made for
 * a book that has something in it. */
static bool open_secrets(struct server *v)
{
    char path[640];
    char error[256];
    (void)snprintf(path, sizeof(path), "%s/secret.key", v->data);
    for (uint32_t i = 0; i < v->host_count; i++) {
        const struct host *h = &v->hosts[i];
        if (h->book != NULL && h->book->position > 0 && access(path, F_OK) != 0) {
            (void)fprintf(stderr,
                          "hakika: %s is missing, but the book in %s was written with it: PINs and "
                          "secrets cannot be checked without it. Nothing was changed. Bring it "
                          "back from the backup; to begin a new book, choose an empty folder.\n",
                          path, h->journal_path);
            return false;
        }
    }
    v->shared.secrets = secrets_open(path, error);
    if (v->shared.secrets == NULL) {
        (void)fprintf(stderr, "hakika: %s\n", error);
    }
    return v->shared.secrets != NULL;
}

/* One clock for all books: it starts where the latest of them stopped. */
static void start_clock(struct server *v)
{
    const struct book *first = v->hosts[0].book;
    bool is_new = first->position == 0;
    bool is_virtual = is_new ? v->config->virtual_clock : first->clock_mode == CLOCK_VIRTUAL;
    book_clock_init_real(&v->shared.clock);
    if (is_virtual || v->config->virtual_clock) {
        int64_t start_ns = is_new ? CLOCK_VIRTUAL_START_NS : first->time_ns;
        book_clock_init_virtual(&v->shared.clock, start_ns, NULL, NULL);
    } else {
        book_clock_shift(&v->shared.clock, first->clock_offset_ns);
    }
    for (uint32_t i = 0; i < v->host_count; i++) {
        book_clock_at_least(&v->shared.clock, v->hosts[i].book->time_ns);
    }
}

static uint32_t in_flight(void *context)
{
    const struct server *v = context;
    uint32_t sum = 0;
    for (uint32_t i = 0; i < v->host_count; i++) {
        sum += host_in_flight(&v->hosts[i]);
    }
    return sum;
}

static void reset_others(void *context)
{
    struct server *v = context;
    if (v->merchant_host != NULL) {
        (void)gateway_seed(v->merchant_host->surface);
    }
}

static bool open_loop(struct server *v)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    v->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    v->shared.epoll = epoll_create1(EPOLL_CLOEXEC);
    return v->signals >= 0 && v->shared.epoll >= 0 && host_shared_watch(&v->shared, v->signals);
}

/* Secrets stay out of core dumps; many connections need many descriptors. */
static void harden_process(void)
{
    struct rlimit none = {0, 0};
    struct rlimit files;
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    (void)signal(SIGPIPE, SIG_IGN);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &set, NULL); /* before any thread: all of them inherit it */
}

/* Where the merchant's surface finds the operator, and where providers find it. */
static void tell_urls(struct server *v)
{
    char next_door[160] = "";
    char own[160];
    if (v->merchant_host == NULL) {
        return;
    }
    host_url(v->merchant_host, own);
    if (v->operator_host != NULL) {
        host_url(v->operator_host, next_door);
    }
    const char *url = v->config->merchant_url[0] != '\0' ? v->config->merchant_url : own;
    gateway_urls(v->merchant_host->surface, span_from(next_door), span_from(url));
    surface_next_door(v->merchant_host->surface, span_from(next_door));
    if (v->operator_host != NULL) {
        surface_next_door(v->operator_host->surface, span_from(own));
        CHECK(delivery_allow_peer(v->merchant_host->delivery, v->config->listen,
                                  http_port(v->operator_host->http)));
    }
}

/* A new book needs a key to be reached with: in production there is no default one. */
static bool give_first_key(struct server *v)
{
    char key[SECRET_FILE_MAX + 1];
    char error[256];
    const char *path = v->config->api_key_file;
    if (v->merchant_host == NULL || v->merchant_host->book->position > 0) {
        return true;
    }
    if (path[0] == '\0' && v->config->merchant_key[0] == '\0' &&
        v->config->profile == PROFILE_PRODUCTION) {
        (void)fprintf(
            stderr, "hakika: a new book in production needs a first API key: put 24 or more random "
                    "characters into a file (chmod 600) and name it with --api-key-file, or give "
                    "HAKIKA_MERCHANT_KEY. Nothing was started; hakika doctor looks at the rest.\n");
        return false;
    }
    if (path[0] == '\0') {
        return true;
    }
    if (!secret_file_read(path, API_KEY_SIZE_MIN, key, error)) {
        (void)fprintf(stderr, "hakika: --api-key-file: %s. Nothing was started.\n", error);
        return false;
    }
    gateway_first_key(v->merchant_host->surface, span_from(key));
    explicit_bzero(key, sizeof(key));
    return true;
}

enum { PAYSTACK_KEY_SIZE_MIN = 12 };

/* An account at Paystack for the first merchant, unless it has one. */
static bool give_paystack_key(struct server *v)
{
    char key[SECRET_FILE_MAX + 1];
    char error[256];
    const char *path = v->config->paystack_key_file;
    if (v->merchant_host == NULL || path[0] == '\0') {
        return true;
    }
    if (!secret_file_read(path, PAYSTACK_KEY_SIZE_MIN, key, error)) {
        (void)fprintf(stderr, "hakika: --paystack-key-file: %s. Nothing was started.\n", error);
        return false;
    }
    bool taken = gateway_paystack_key(v->merchant_host->surface, span_from(key));
    explicit_bzero(key, sizeof(key));
    if (!taken) {
        (void)fprintf(stderr, "hakika: --paystack-key-file: the book took no account at Paystack. "
                              "Nothing was started.\n");
    }
    return taken;
}

static bool read_rules(struct server *v)
{
    const char *path = v->config->rules;
    if (path[0] == '\0') {
        return true;
    }
    char *text = malloc(JSON_BYTES_MAX + 1);
    FILE *file = fopen(path, "rb");
    bool good = text != NULL && file != NULL;
    size_t size = good ? fread(text, 1, JSON_BYTES_MAX + 1, file) : 0;
    good = good && ferror(file) == 0;
    if (!good) {
        (void)fprintf(stderr, "hakika: cannot read the rules %s: %s; nothing was started\n", path,
                      strerror(errno));
        free(text);
    } else {
        v->shared.rules = (struct span){text, size};
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return good;
}

static bool open_books(struct server *v)
{
    for (uint32_t i = 0; i < v->host_count; i++) {
        if (!host_look(&v->hosts[i])) {
            return false;
        }
    }
    if (!open_secrets(v)) {
        return false;
    }
    for (uint32_t i = 0; i < v->host_count; i++) {
        if (!host_open(&v->hosts[i])) {
            return false;
        }
    }
    return true;
}

static bool start(struct server *v)
{
    if (!read_rules(v) || !make_data(v)) {
        return false;
    }
    choose_books(v);
    if (!open_books(v) || !open_loop(v)) {
        return false;
    }
    start_clock(v);
    for (uint32_t i = 0; i < v->host_count; i++) {
        if (!host_start(&v->hosts[i]) || !host_watch(&v->hosts[i])) {
            return false;
        }
    }
    if (v->host_count == 2) {
        engine_join(v->hosts[0].engine, v->hosts[1].engine);
    }
    tell_urls(v);
    if (!give_first_key(v)) {
        return false;
    }
    for (uint32_t i = 0; i < v->host_count; i++) {
        if (!host_seed(&v->hosts[i])) {
            return false;
        }
    }
    return give_paystack_key(v);
}

/* ---- the loop ---- */

/* Nothing keeps a moving clock from its next step. */
static bool clock_may_step(struct server *v)
{
    bool advancing = false;
    for (uint32_t i = 0; i < v->host_count; i++) {
        bool moves = engine_advancing(v->hosts[i].engine);
        advancing = advancing || (moves && engine_may_advance(v->hosts[i].engine));
        if (!engine_idle(v->hosts[i].engine)) {
            return false;
        }
    }
    return advancing && in_flight(v) == 0;
}

static int loop_timeout(struct server *v, bool more)
{
    if (more || clock_may_step(v)) {
        return 0;
    }
    int timeout = v->stopping ? HOST_POLL_MS : -1;
    for (uint32_t i = 0; i < v->host_count; i++) {
        timeout = host_sooner_ms(timeout, host_timeout_ms(&v->hosts[i]));
    }
    return timeout;
}

static void begin_to_stop(struct server *v)
{
    v->stopping = true;
    v->stop_ns = book_clock_monotonic(&v->shared.clock);
    for (uint32_t i = 0; i < v->host_count; i++) {
        host_quiesce(&v->hosts[i]);
    }
}

/* False: the loop is over. */
static bool handle_events(struct server *v, const struct epoll_event *events, int count)
{
    for (int i = 0; i < count; i++) {
        int fd = events[i].data.fd;
        if (fd == v->signals) {
            struct signalfd_siginfo info;
            bool again = v->stopping;
            if (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
                begin_to_stop(v);
            }
            if (again) {
                return false; /* asked twice: leave at once */
            }
            continue;
        }
        for (uint32_t h = 0; h < v->host_count; h++) {
            if (host_event(&v->hosts[h], fd)) {
                break;
            }
        }
    }
    return true;
}

static bool may_leave(const struct server *v)
{
    int64_t waited_ms = (book_clock_monotonic(&v->shared.clock) - v->stop_ns) / (1000 * 1000);
    bool done = true;
    for (uint32_t i = 0; i < v->host_count; i++) {
        done = done && host_quiet(&v->hosts[i]);
    }
    return done || waited_ms > LEAVE_MS_MAX;
}

static int serve_until_stopped(struct server *v)
{
    struct epoll_event events[16];
    bool more = true;
    for (;;) {
        int count = epoll_wait(v->shared.epoll, events, 16, loop_timeout(v, more));
        if (count < 0 && errno != EINTR) {
            (void)fprintf(stderr, "hakika: epoll_wait: %s\n", strerror(errno));
            return EXIT_FAILED;
        }
        if (!handle_events(v, events, count)) {
            return 0;
        }
        bool poisoned = false;
        more = false;
        for (uint32_t i = 0; i < v->host_count; i++) {
            more = host_turn(&v->hosts[i], &poisoned) || more;
        }
        if (poisoned) {
            return EXIT_JOURNAL;
        }
        if (v->stopping && may_leave(v)) {
            return 0;
        }
    }
}

/* ---- from start to end ---- */

static void print_banner(const struct server *v)
{
    char url[160];
    (void)fprintf(stderr, "\n  Hakika %s, profile %s, clock %s\n", HAKIKA_VERSION,
                  profile_name(v->config->profile),
                  v->shared.clock.is_virtual ? "virtual" : "real");
    if (v->operator_host != NULL) {
        host_url(v->operator_host, url);
        (void)fprintf(stderr, "  Point your Daraja integration at  %s\n", url);
    }
    if (v->merchant_host != NULL) {
        host_url(v->merchant_host, url);
        (void)fprintf(stderr, "  The merchant gateway is at        %s\n", url);
    }
    (void)fprintf(stderr, "  A first payment by curl is in README.md; stop with Ctrl-C.\n\n");
}

static void print_ready(const struct server *v)
{
    char url[160];
    if (isatty(STDERR_FILENO)) {
        print_banner(v);
    }
    (void)printf("ready");
    for (uint32_t i = 0; i < v->host_count; i++) {
        host_url(&v->hosts[i], url);
        (void)printf(" %s=%s", host_name(&v->hosts[i]), url);
    }
    (void)printf(" data=%s recovered=", v->data);
    for (uint32_t i = 0; i < v->host_count; i++) {
        const struct host *h = &v->hosts[i];
        (void)printf("%s%s:%" PRIu64 ":%" PRIu64, i > 0 ? "," : "", host_name(h),
                     h->book->generation, engine_durable(h->engine));
    }
    (void)printf("\n");
    (void)fflush(stdout);
}

static void stop(struct server *v, uint32_t view_patience_ms)
{
    for (uint32_t i = 0; i < v->host_count; i++) {
        host_stop(&v->hosts[i], view_patience_ms);
    }
    secrets_close(v->shared.secrets);
    free((void *)(uintptr_t)v->shared.rules.data);
    if (v->config->ephemeral && v->data[0] != '\0') {
        ephemeral_remove(v->data);
    }
}

int serve(const struct config *config)
{
    static struct server v;
    v.config = config;
    v.shared.config = config;
    v.shared.data = v.data;
    v.shared.in_flight = in_flight;
    v.shared.reset = reset_others;
    v.shared.context = &v;
    v.shared.epoll = -1;
    v.signals = -1;
    harden_process();
    if (!start(&v)) {
        stop(&v, 0);
        return EXIT_FAILED;
    }
    print_ready(&v);
    for (uint32_t i = 0; i < v.host_count; i++) {
        host_start_view(&v.hosts[i]);
    }
    for (uint32_t i = 0; i < v.host_count; i++) {
        v.scrubs[i] = (struct scrub){v.hosts[i].journal_path, host_name(&v.hosts[i])};
        if (!journal_is_verified(v.hosts[i].journal)) {
            scrub_start(&v.scrubs[i]);
        }
    }
    int status = serve_until_stopped(&v);
    for (uint32_t i = 0; i < v.host_count && status == 0; i++) {
        host_leave_snapshot(&v.hosts[i]);
    }
    stop(&v, status == 0 && !config->ephemeral ? VIEW_PATIENCE_MS : 0);
    return status;
}
