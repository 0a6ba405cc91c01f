/*
 * host.c - see host.h: opening a book, its threads, one turn of it.
 */
#include "app/host.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "app/serve.h"
#include "app/world_files.h"

enum {
    REPORTS_PER_TURN = 256,
    REPORT_FRAMES_PER_TURN = 4 * REPORTS_PER_TURN, /* with what was due before them */
    SENDS_PER_TURN = 256, /* what is due and was not sent brings the next turn */
    SEGMENT_BYTES_MAX = 16 * 1024 * 1024,
    START_VERIFY_BYTES = 32 * 1024 * 1024,
    HEAD_BYTES_MAX = 4096, /* cleared for every request: twice as much costs 5 % of the rate */
    HEADERS_MAX = 48,
};

const char *host_name(const struct host *h)
{
    return h->which == SURFACE_MERCHANT ? "merchant" : "operator";
}

static bool is_merchant(const struct host *h)
{
    return h->which == SURFACE_MERCHANT;
}

void host_init(struct host *h, struct host_shared *shared, enum surface_book which)
{
    const struct config *c = shared->config;
    h->shared = shared;
    h->which = which;
    h->port = which == SURFACE_MERCHANT ? c->merchant_port : c->port;
    h->operator_settings = operator_settings_default(c->profile == PROFILE_DEV);
    h->gateway_settings = gateway_settings_default();
    h->gateway_settings.confirm_minor = c->confirm_minor;
    (void)snprintf(h->journal_path, sizeof(h->journal_path), "%s/%s", shared->data, host_name(h));
    (void)snprintf(h->archive_path, sizeof(h->archive_path), "%s%s", shared->data,
                   which == SURFACE_MERCHANT ? "/merchant-index" : "");
}

/* ---- opening ---- */

static struct book_options book_options_of(const struct host *h)
{
    struct book_options options = {.domain = &operator_domain, .settings = &h->operator_settings};
    if (is_merchant(h)) {
        options.domain = &merchant_domain;
        options.settings = &h->gateway_settings;
    }
    secrets_random(&options.hash_seed, sizeof(options.hash_seed));
    return options;
}

static bool recover_book(struct host *h, struct journal *journal)
{
    struct engine_recovery recovery;
    struct book_options options = book_options_of(h);
    h->book = engine_recover(journal, &options, &recovery);
    if (h->book == NULL) {
        (void)fprintf(stderr, "hakika: %s\n", recovery.message);
    }
    return h->book != NULL;
}

static void name_journal(const struct host *h, struct journal_options *options)
{
    (void)snprintf(options->book, sizeof(options->book), "%s", host_name(h));
}

bool host_look(struct host *h)
{
    char segment[700];
    struct journal *journal = NULL;
    struct journal_options options = {
        .directory = h->journal_path,
        .verify_bytes = 1, /* opening for writing verifies more */
        .read_only = true,
    };
    name_journal(h, &options);
    (void)snprintf(segment, sizeof(segment), "%s/journal-00000001.seg", h->journal_path);
    if (access(segment, F_OK) != 0) {
        return true; /* a new book, or something that opening for writing will explain */
    }
    if (journal_open(&options, &journal, &h->error) != JOURNAL_OK) {
        (void)fprintf(stderr, "hakika: %s\n", h->error.message);
        return false;
    }
    h->seen = journal_head(journal);
    bool recovered = recover_book(h, journal);
    journal_close(journal);
    return recovered;
}

static bool open_archive(struct host *h)
{
    struct book_options options = book_options_of(h);
    if (is_merchant(h) && mkdir(h->archive_path, 0700) != 0 && errno != EEXIST) {
        (void)fprintf(stderr, "hakika: cannot make the folder %s: %s\n", h->archive_path,
                      strerror(errno));
        return false;
    }
    return archive_open(&h->archive, h->archive_path, h->journal, h->book, &options);
}

bool host_open(struct host *h)
{
    struct journal_options options = {
        .directory = h->journal_path,
        .segment_bytes_max = SEGMENT_BYTES_MAX,
        .verify_bytes = START_VERIFY_BYTES, /* the rest: scrub.c */
        .background_spares = true,
    };
    name_journal(h, &options);
    secrets_random(options.identity, sizeof(options.identity));
    if (journal_open(&options, &h->journal, &h->error) != JOURNAL_OK) {
        (void)fprintf(stderr, "hakika: %s\n", h->error.message);
        return false;
    }
    struct journal_head head = journal_head(h->journal);
    bool same = head.position == h->seen.position && head.batch == h->seen.batch &&
                memcmp(head.hash, h->seen.hash, sizeof(head.hash)) == 0;
    if (h->book != NULL && !same) {
        book_destroy(h->book); /* memory showed a tail that the device does not have */
        h->book = NULL;
    }
    return (h->book != NULL || recover_book(h, h->journal)) && open_archive(h);
}

/* ---- starting ---- */

static bool start_engine(struct host *h)
{
    h->writer = writer_start_thread(h->journal);
    if (h->writer == NULL) {
        (void)fprintf(stderr, "hakika: cannot start the journal's thread: %s\n", strerror(errno));
        return false;
    }
    struct engine_options options = {
        .book = h->book,
        .clock = &h->shared->clock,
        .writer = writer_port(h->writer),
        .archive = archive_port(&h->archive),
        .limits = engine_limits_default(),
        .head = journal_head(h->journal),
    };
    secrets_random(&options.random_seed, sizeof(options.random_seed));
    h->engine = engine_create(&options);
    return h->engine != NULL;
}

static bool start_archive(struct host *h)
{
    const struct config *c = h->shared->config;
    struct keeper_settings settings = keeper_settings_default();
    settings.closed_ns = c->keep_closed_ns;
    settings.closed_max = c->keep_closed_max;
    if (!archive_start(&h->archive, h->engine, &settings)) {
        (void)fprintf(stderr, "hakika: cannot start the thread of the index of old ids: %s\n",
                      strerror(errno));
        return false;
    }
    return true;
}

static bool view_state(void *context, struct surface_view *out)
{
    const struct host *h = context;
    if (h->view == NULL) {
        return false;
    }
    struct view_figures f = view_figures(h->view);
    *out = (struct surface_view){
        .position = f.position,
        .lag_events = f.durable > f.position ? f.durable - f.position : 0,
        .lag_ns = f.lag_ns,
        .skipped = f.skipped,
        .rebuilt = f.rebuilt,
        .waits = f.waits,
    };
    return true;
}

/* Nothing depends on it: without it the server serves. */
void host_start_view(struct host *h)
{
    char error[256];
    enum view_book book = is_merchant(h) ? VIEW_OF_MERCHANT : VIEW_OF_OPERATOR;
    (void)snprintf(h->view_file, sizeof(h->view_file), "%s/%s", h->shared->data,
                   view_file_name(book));
    struct view_options options = {.book = book, .journal = h->journal_path, .file = h->view_file};
    if (!h->shared->config->view) {
        return;
    }
    h->view = view_start(&options, error);
    if (h->view == NULL) {
        (void)fprintf(stderr, "hakika: there is no SQL view: %s\n", error);
    }
}

/* The gateway calls what people register through its API: outside dev only what all the internet
 * can reach. The operator's book is a simulation for somebody's own machine. */
static bool refuses_private(const struct host *h)
{
    const struct config *c = h->shared->config;
    bool strict = c->profile == PROFILE_STRICT || c->profile == PROFILE_PRODUCTION;
    bool sandbox = c->profile == PROFILE_SANDBOX && !c->private_targets;
    return strict || (is_merchant(h) && sandbox);
}

/* Does a callback come from where providers send them? Only a listed proxy is believed who says for
 * whom it speaks: the last address in its list that is no proxy's. */
static bool source_good(void *context, struct span peer, struct span forwarded)
{
    const struct host *h = context;
    const struct config *c = h->shared->config;
    if (c->callback_from[0] == '\0') {
        return true;
    }
    while (forwarded.size > 0 && delivery_networks_contain(c->trusted_proxies, peer)) {
        size_t at = forwarded.size;
        while (at > 0 && forwarded.data[at - 1] != ',') {
            at--;
        }
        peer = span_trim((struct span){forwarded.data + at, forwarded.size - at});
        forwarded.size = at > 0 ? at - 1 : 0;
    }
    return delivery_networks_contain(c->callback_from, peer);
}

static bool start_delivery(struct host *h)
{
    const struct config *c = h->shared->config;
    char error[256];
    struct delivery_options options = {
        .total_ms = c->total_ms,
        .allow_private_targets = !refuses_private(h),
        .allow_cidrs = c->callback_allow[0] != '\0' ? c->callback_allow : NULL,
        .user_agent = "hakika/" HAKIKA_VERSION,
    };
    h->delivery = delivery_start(&options, error);
    if (h->delivery == NULL) {
        (void)fprintf(stderr, "hakika: cannot start delivery: %s\n", error);
    }
    return h->delivery != NULL;
}

static uint32_t all_in_flight(void *context)
{
    struct host *h = context;
    return h->shared->in_flight(h->shared->context);
}

/* Both books begin anew together: payments of one are about prompts of the other. */
static void reset_too(void *context)
{
    struct host *h = context;
    h->shared->reset(h->shared->context);
}

static uint8_t *world_frames(void *context, uint64_t until_position, struct span name,
                             size_t *size_out, char error[SURFACE_WORLD_ERROR_SIZE])
{
    const struct host *h = context;
    char directory[600];
    (void)snprintf(directory, sizeof(directory), "%s/operator", h->shared->data);
    return world_history(directory, until_position, name, size_out, error);
}

static bool world_is_sound(void *context, struct span frames, char error[SURFACE_WORLD_ERROR_SIZE])
{
    struct host *h = context;
    return world_sound(frames, engine_book(h->engine)->settings, error);
}

static struct surface *make_surface(struct host *h)
{
    const struct config *c = h->shared->config;
    char credential_path[640];
    (void)snprintf(credential_path, sizeof(credential_path), "%s/credential.key", h->shared->data);
    struct surface_options options = {
        .book = h->which,
        .engine = h->engine,
        .credential_path = credential_path,
        .index = h->archive.index,
        .keeper = h->archive.keeper,
        .secrets = h->shared->secrets,
        .profile = c->profile,
        .in_flight_is_500 = c->in_flight_is_500,
        .merchant_key = c->merchant_key[0] != '\0' ? c->merchant_key : NULL,
        .shadow_of = c->shadow_of[0] != '\0' ? c->shadow_of : NULL,
        .reset_too = is_merchant(h) ? NULL : reset_too,
        .admin_key = c->admin_key[0] != '\0' ? c->admin_key : NULL,
        .public_host = c->public_host[0] != '\0' ? c->public_host : NULL,
        .magic = c->magic,
        .rules = h->shared->rules,
        .allow_loopback_callbacks = c->callback_allow[0] != '\0',
        .refuses_private = refuses_private(h),
        .source_good = is_merchant(h) ? source_good : NULL,
        .in_flight = all_in_flight,
        .view = view_state,
        .world_frames = is_merchant(h) ? NULL : world_frames,
        .world_sound = is_merchant(h) ? NULL : world_is_sound,
        .context = h,
        .version = HAKIKA_VERSION,
    };
    return surface_create(&options);
}

static bool start_face(struct host *h)
{
    const struct config *c = h->shared->config;
    char error[256];
    h->surface = make_surface(h);
    if (h->surface == NULL) {
        return false;
    }
    struct http_options http = {
        .address = c->listen,
        .port = h->port,
        .limits = http_limits_default(),
        .admit = surface_admit,
        .large_body = is_merchant(h) ? NULL : surface_large_body,
        .handle = surface_handle,
        .context = h->surface,
        .server_name = "hakika",
    };
    http.limits.connections_max = c->connections_max;
    http.limits.head_bytes_max = HEAD_BYTES_MAX;
    http.limits.headers_max = HEADERS_MAX;
    h->http = http_start(&http, error);
    if (h->http == NULL) {
        (void)fprintf(stderr, "hakika: %s\n", error);
        return false;
    }
    surface_attach(h->surface, h->http);
    return true;
}

void host_url(const struct host *h, char out[160])
{
    const char *listen = h->shared->config->listen;
    bool v6 = strchr(listen, ':') != NULL;
    (void)snprintf(out, 160, "http://%s%s%s:%u", v6 ? "[" : "", listen, v6 ? "]" : "",
                   http_port(h->http));
}

/* ---- events of the loop ---- */

bool host_shared_watch(const struct host_shared *shared, int descriptor)
{
    struct epoll_event event = {.events = EPOLLIN, .data = {.fd = descriptor}};
    return epoll_ctl(shared->epoll, EPOLL_CTL_ADD, descriptor, &event) == 0;
}

static bool watch(const struct host *h, int descriptor)
{
    return host_shared_watch(h->shared, descriptor);
}

bool host_watch(struct host *h)
{
    return watch(h, http_descriptor(h->http)) && watch(h, writer_descriptor(h->writer)) &&
           watch(h, delivery_descriptor(h->delivery)) &&
           (h->archive.thread == NULL || watch(h, archive_descriptor(&h->archive)));
}

static void collect_written(struct host *h)
{
    enum journal_status status;
    struct journal_head head;
    if (writer_collect(h->writer, &status, &head, &h->error)) {
        engine_written(h->engine, status, &head);
    }
}

/* What came of an attempt. False: there is no room to remember it, so it will be made again. */
static bool remember_attempt(struct host *h, const struct delivery_report *report)
{
    struct delivery_result_command c = {
        .number = report->id,
        .generation = report->generation,
        .status = report->status,
        .error = (uint8_t)report->error,
        .duration_ms = report->duration_ms,
        .retry_after_ms = report->retry_after_ms,
        .answer = report->answer,
    };
    enum book_outcome outcome;
    bool same = h->book->generation == c.generation;
    const struct outbox_item *item = outbox_item(&h->book->outbox, c.number);
    if (same && is_merchant(h) && item != NULL) {
        gateway_read(h->surface, item, &c);
    } else if (same && !is_merchant(h)) {
        (void)surface_question(h->surface, c.number, c.answer, &c.verdict, &c.verdict_text);
    }
    struct engine_result result =
        engine_execute(h->engine, ENGINE_CONTINUATION, COMMAND_DELIVERY_RESULT, &c, &outcome);
    bool decided = result.status == ENGINE_APPLIED || result.status == ENGINE_REFUSED;
    if (!decided && same) {
        outbox_return(&h->book->outbox, c.number);
    } else if (same && result.status == ENGINE_APPLIED) {
        surface_attempted(h->surface, c.number);
    }
    return decided;
}

static void take_report(void *context, const struct delivery_report *report)
{
    struct host *h = context;
    if (report->error == DELIVERY_STOPPED) {
        return; /* not an attempt that says anything about the receiver: tried again at restart */
    }
    if (is_merchant(h) &&
        (courier_token_report(&h->courier, report) || courier_shadow_report(&h->courier, report))) {
        return;
    }
    (void)remember_attempt(h, report);
}

static void collect_reports(struct host *h)
{
    /* What cannot be remembered now stays in the ring: a report that is lost is a callback that is
     * sent twice. So the engine is asked again for each. When more is due than a turn decides,
     * each report would bring as much of it into this turn again: they wait for the next one. */
    uint64_t before = engine_applied(h->engine);
    for (uint32_t i = 0; i < REPORTS_PER_TURN; i++) {
        if (engine_applied(h->engine) - before > REPORT_FRAMES_PER_TURN ||
            engine_admits(h->engine, ENGINE_CONTINUATION) != ENGINE_APPLIED ||
            delivery_collect(h->delivery, 1, take_report, h) == 0) {
            return;
        }
    }
}

/* ---- sending ---- */

/* Nothing is sent (a scenario rule ordered this attempt to fail, its message cannot be written,
 * what it asked for is over), and it counts as tried. False: it went back, and would come again at
 * once. */
static bool report_unsent(void *context, uint64_t number, enum delivery_error why)
{
    struct host *h = context;
    struct delivery_report report = {
        .id = number,
        .generation = h->book->generation,
        .error = why,
        .retry_after_ms = -1,
    };
    return remember_attempt(h, &report);
}

static void send_operator(struct host *h)
{
    uint8_t buffer[SURFACE_OUTGOING_MAX];
    char signature[SURFACE_SIGNATURE_SIZE];
    bool sent = false;
    bool failed = false;
    for (uint32_t i = 0; i < SENDS_PER_TURN && delivery_room(h->delivery) > 0; i++) {
        const struct outbox_item *item = engine_take_outgoing(h->engine);
        if (item == NULL) {
            break;
        }
        struct writer body = writer_init(buffer, sizeof(buffer));
        struct delivery_job job = {
            .id = item->number,
            .generation = h->book->generation,
            .content_type = "application/json",
            .total_ms = surface_time_limit_ms(h->surface, item),
        };
        bool ruled = surface_outgoing_fails(h->surface, item);
        if (ruled || !surface_outgoing(h->surface, item, &body, &job.url)) {
            if (!report_unsent(h, item->number, ruled ? DELIVERY_RULED : DELIVERY_UNWRITTEN)) {
                break;
            }
            failed = true;
            continue;
        }
        job.body = (struct span){(const char *)buffer, body.size};
        if (surface_signature(h->surface, item, job.body, signature)) {
            job.headers[0] = signature;
        }
        if (!delivery_submit(h->delivery, &job)) {
            outbox_return(&h->book->outbox, job.id); /* no memory for it now: it waits */
            break;
        }
        sent = true;
    }
    if (sent) {
        delivery_flush(h->delivery);
    }
    if (failed) {
        engine_turn(h->engine); /* nobody will wake the loop for what that wrote */
    }
}

uint32_t host_in_flight(const struct host *h)
{
    return delivery_in_flight(h->delivery) + courier_waiting(&h->courier);
}

bool host_start(struct host *h)
{
    if (!start_engine(h) || !start_archive(h) || !start_delivery(h) || !start_face(h)) {
        return false;
    }
    h->courier.engine = h->engine;
    h->courier.surface = h->surface;
    h->courier.delivery = h->delivery;
    h->courier.unsent = report_unsent;
    h->courier.context = h;
    return true;
}

/* ---- snapshots ---- */

static struct snapshot_request snapshot_of(const struct host *h)
{
    struct snapshot_request request = {
        .book = h->book,
        .directory = h->journal_path,
        .head = engine_head(h->engine),
    };
    return request;
}

static void begin_snapshot(struct host *h)
{
    struct snapshot_request request = snapshot_of(h);
    if (snapshot_fork(&request, &h->child, &h->error)) {
        (void)watch(h, h->child.descriptor);
    } else {
        (void)fprintf(stderr, "hakika: %s; going on without one\n", h->error.message);
    }
    h->snapshot_at = engine_counters(h->engine).bytes;
    h->snapshot_wanted = false;
    engine_resume(h->engine);
}

static void finish_snapshot(struct host *h)
{
    struct checkpoint_command c = {.position = h->child.position};
    (void)epoll_ctl(h->shared->epoll, EPOLL_CTL_DEL, h->child.descriptor, NULL);
    if (!snapshot_reap(&h->child, &c.digest)) {
        (void)fprintf(stderr, "hakika: a snapshot could not be written; the journal is not "
                              "affected, the next start only takes longer\n");
        return;
    }
    (void)engine_execute(h->engine, ENGINE_CONTINUATION, COMMAND_CHECKPOINT, &c, NULL);
}

/* Enough has been written for another one. It is put off, until twice as much was written, while
 * deadlines that came together are worked off: after the fork the kernel copies each page that is
 * written to for the first time, and then that is all pages, while everybody waits. */
static bool snapshot_is_due(const struct host *h, uint64_t bytes)
{
    uint64_t since = bytes - h->snapshot_at;
    uint64_t enough = h->shared->config->snapshot_bytes;
    return since >= enough && (!engine_behind(h->engine) || since / 2 >= enough);
}

/* Asks for a pause when it is time, and takes it when the disk has everything. */
static void snapshot_turn(struct host *h)
{
    uint64_t bytes = engine_counters(h->engine).bytes;
    if (!h->snapshot_wanted && h->child.pid == 0 && snapshot_is_due(h, bytes)) {
        h->snapshot_wanted = true;
        engine_hold(h->engine);
    }
    if (h->snapshot_wanted && engine_settled(h->engine)) {
        begin_snapshot(h);
    } else if (h->snapshot_wanted &&
               engine_admits(h->engine, ENGINE_INTERNAL) == ENGINE_DISK_FULL) {
        /* It would wait for space, and everybody who asks for anything with it. */
        h->snapshot_at = bytes;
        h->snapshot_wanted = false;
        engine_resume(h->engine);
    }
}

bool host_event(struct host *h, int descriptor)
{
    if (descriptor == writer_descriptor(h->writer)) {
        collect_written(h);
        return true;
    }
    if (h->child.pid != 0 && descriptor == h->child.descriptor) {
        finish_snapshot(h);
        return true;
    }
    return false;
}

/* ---- the turn ---- */

static int64_t worked_ns(void)
{
    struct timespec t;
    CHECK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) == 0);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

bool host_turn(struct host *h, bool *poisoned)
{
    int64_t since_ns = worked_ns();
    collect_reports(h);
    bool more = surface_turn(h->surface); /* releases come before the turn that sends them */
    if (!h->snapshot_wanted) {
        http_turn(h->http);
    }
    engine_turn(h->engine);
    more = archive_turn(&h->archive) || more;
    if (is_merchant(h)) {
        courier_turn(&h->courier);
    } else {
        send_operator(h);
    }
    if (engine_poisoned(h->engine)) {
        (void)fprintf(stderr, "hakika: %s\n", h->error.message);
        surface_fail(h->surface);
        http_turn(h->http);
        *poisoned = true;
        return false;
    }
    snapshot_turn(h);
    if (h->view != NULL) {
        view_durable(h->view, engine_durable(h->engine));
    }
    engine_pace(h->engine, worked_ns() - since_ns);
    return more;
}

int host_sooner_ms(int a, int b)
{
    return a < 0 ? b : (b < 0 || a < b ? a : b);
}

int host_timeout_ms(struct host *h)
{
    int timeout = host_sooner_ms(http_timeout_ms(h->http), engine_timeout_ms(h->engine));
    timeout = host_sooner_ms(timeout, archive_timeout_ms(&h->archive));
    return host_sooner_ms(timeout, surface_waits(h->surface) ? HOST_POLL_MS : -1);
}

void host_quiesce(struct host *h)
{
    http_quiesce(h->http);
    surface_quiesce(h->surface);
}

bool host_quiet(const struct host *h)
{
    return engine_settled(h->engine) && surface_quiet(h->surface) && http_active(h->http) == 0;
}

/* ---- the seed, and the end ---- */

static bool seed(struct host *h)
{
    struct engine_result result =
        is_merchant(h) ? gateway_seed(h->surface) : surface_seed(h->surface);
    if (result.status != ENGINE_APPLIED) {
        (void)fprintf(stderr, "hakika: cannot seed the new book: %s\n",
                      engine_status_text(result.status));
    }
    return result.status == ENGINE_APPLIED;
}

/* Until what the start decided is on disk. */
static bool settle_start(struct host *h)
{
    struct epoll_event event;
    engine_turn(h->engine);
    while (!engine_settled(h->engine) && !engine_poisoned(h->engine)) {
        if (engine_admits(h->engine, ENGINE_INTERNAL) == ENGINE_DISK_FULL) {
            (void)fprintf(stderr,
                          "hakika: starting has something to write into %s, and that disk is full. "
                          "Nothing was lost: make space, and start again.\n",
                          h->journal_path);
            return false;
        }
        if (epoll_wait(h->shared->epoll, &event, 1, -1) > 0) {
            (void)host_event(h, event.data.fd);
        }
    }
    if (engine_poisoned(h->engine)) {
        (void)fprintf(stderr, "hakika: %s\n", h->error.message);
    }
    return !engine_poisoned(h->engine);
}

bool host_seed(struct host *h)
{
    char error[RULES_ERROR_SIZE];
    if (h->book->position == 0 && !seed(h)) {
        return false;
    }
    if (!is_merchant(h) && !surface_start_rules(h->surface, error)) {
        (void)fprintf(stderr, "hakika: --rules %s: %s. Nothing was started.\n",
                      h->shared->config->rules, error);
        return false;
    }
    return settle_start(h);
}

void host_leave_snapshot(struct host *h)
{
    struct digest_value digest;
    if (h->child.pid != 0) {
        (void)snapshot_reap(&h->child, &digest);
    }
    struct snapshot_request request = snapshot_of(h);
    if (engine_durable(h->engine) == engine_applied(h->engine) &&
        !snapshot_take(&request, &digest, &h->error)) {
        (void)fprintf(stderr, "hakika: %s; the next start only takes longer\n", h->error.message);
    }
}

void host_stop(struct host *h, uint32_t view_patience_ms)
{
    view_stop(h->view, view_patience_ms);
    if (h->delivery != NULL) {
        delivery_stop(h->delivery, 500);
    }
    http_stop(h->http);
    surface_destroy(h->surface);
    writer_stop(h->writer);
    archive_close(&h->archive);
    engine_destroy(h->engine);
    book_destroy(h->book);
    journal_close(h->journal);
}
