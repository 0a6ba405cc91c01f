/*
 * serve.c - hakika serve: opens the book, starts the threads, runs the loop.
 *
 * One turn of the loop: what the disk has done, what the receivers have answered, what clients ask;
 * then decide, hand over, release, send. Only this thread touches the book.
 *
 *   writer thread --eventfd--> loop <--eventfd-- delivery thread
 *   signals -----------------> loop <----------- sockets (libmicrohttpd's epoll descriptor)
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
#include <time.h>
#include <unistd.h>

#include "app/archive.h"
#include "app/ephemeral.h"
#include "app/scrub.h"
#include "delivery/delivery.h"
#include "engine/engine.h"
#include "operator/operator.h"
#include "view/view.h"

enum {
    EXIT_START = 1,
    EXIT_JOURNAL = 3,
    STOP_MS_MAX = 10000,
    REPORTS_PER_TURN = 256,
    POLL_BEAT_MS = 50,
    SEGMENT_BYTES_MAX = 16 * 1024 * 1024,
    START_VERIFY_BYTES = 32 * 1024 * 1024,
    HEAD_BYTES_MAX = 4096, /* cleared for every request: twice as much costs 5 % of the rate */
    HEADERS_MAX = 48,
    VIEW_PATIENCE_MS = 2000,   /* at a clean stop, to take in the rest */
    SCRUB_POSITION_MIN = 5000, /* shorter histories were verified whole on opening */
};

struct server {
    const struct config *config;
    char data[600];
    char journal_path[640];
    struct span rules; /* the document of --rules; data NULL: none */
    struct operator_settings settings;
    struct book_clock clock;
    struct journal_head seen; /* of the journal, before it was opened for writing */
    struct journal *journal;
    struct writer_thread *writer;
    struct book *book;
    struct archive archive;
    struct engine *engine;
    struct secrets *secrets;
    struct surface *surface;
    struct http_server *http;
    struct delivery *delivery;
    struct view *view; /* NULL: none is kept */
    char view_file[640];
    uint32_t view_patience_ms;
    struct snapshot_child child;
    uint64_t snapshot_at; /* journal bytes at the last snapshot */
    bool snapshot_wanted;
    bool stopping;
    int64_t stop_ns; /* monotonic: when stopping began */
    int epoll;
    int signals;
    struct journal_error error;
};

/* ---- starting ---- */

static int fail(const char *what, const char *why)
{
    (void)fprintf(stderr, "hakika: %s: %s\n", what, why);
    return EXIT_START;
}

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
        if (!ephemeral_make(v->data, sizeof(v->data))) {
            return no_data(v);
        }
    } else {
        (void)snprintf(v->data, sizeof(v->data), "%s", v->config->data);
        struct stat info;
        if (mkdir(v->data, 0700) != 0 && errno != EEXIST) {
            return no_data(v);
        }
        if (stat(v->data, &info) != 0 || !S_ISDIR(info.st_mode)) {
            errno = ENOTDIR;
            return no_data(v);
        }
    }
    (void)snprintf(v->journal_path, sizeof(v->journal_path), "%s/operator", v->data);
    return true;
}

static struct book_options book_options_of(const struct server *v)
{
    struct book_options options = {.domain = &operator_domain, .settings = &v->settings};
    secrets_random(&options.hash_seed, sizeof(options.hash_seed));
    return options;
}

static bool recover_book(struct server *v, struct journal *journal)
{
    struct engine_recovery recovery;
    struct book_options options = book_options_of(v);
    v->book = engine_recover(journal, &options, &recovery);
    if (v->book == NULL) {
        (void)fprintf(stderr, "hakika: %s\n", recovery.message);
    }
    return v->book != NULL;
}

/*
 * Reads a journal that is there, without a lock and without writing, until the book stands: what
 * this program cannot read (a newer format, an event of a newer version) is refused before a byte
 * of the folder changes.
 */
static bool look_first(struct server *v)
{
    char segment[700];
    struct journal *journal = NULL;
    struct journal_options options = {
        .directory = v->journal_path,
        .book = "operator",
        .verify_bytes = 1, /* opening for writing verifies more */
        .read_only = true,
    };
    (void)snprintf(segment, sizeof(segment), "%s/journal-00000001.seg", v->journal_path);
    if (access(segment, F_OK) != 0) {
        return true; /* a new book, or something that opening for writing will explain */
    }
    if (journal_open(&options, &journal, &v->error) != JOURNAL_OK) {
        (void)fprintf(stderr, "hakika: %s\n", v->error.message);
        return false;
    }
    v->seen = journal_head(journal);
    bool recovered = recover_book(v, journal);
    journal_close(journal);
    return recovered;
}

/* A lost key would make every PIN wrong and every sealed secret unreadable: no new one is made for
 * a book that has something in it. */
static bool open_secrets(struct server *v)
{
    char path[640];
    char error[256];
    (void)snprintf(path, sizeof(path), "%s/secret.key", v->data);
    if (v->book != NULL && v->book->position > 0 && access(path, F_OK) != 0) {
        (void)fprintf(stderr,
                      "hakika: %s is missing, but the book in %s was written with it: PINs and "
                      "secrets cannot be checked without it. Nothing was changed. Bring it back "
                      "from the backup; to begin a new book, choose an empty folder.\n",
                      path, v->journal_path);
        return false;
    }
    v->secrets = secrets_open(path, error);
    if (v->secrets == NULL) {
        (void)fprintf(stderr, "hakika: %s\n", error);
    }
    return v->secrets != NULL;
}

static bool open_journal(struct server *v)
{
    struct journal_options options = {
        .directory = v->journal_path,
        .book = "operator",
        .segment_bytes_max = SEGMENT_BYTES_MAX,
        .verify_bytes = START_VERIFY_BYTES, /* the rest: scrub.c */
        .background_spares = true,
    };
    secrets_random(options.identity, sizeof(options.identity));
    if (journal_open(&options, &v->journal, &v->error) != JOURNAL_OK) {
        (void)fprintf(stderr, "hakika: %s\n", v->error.message);
        return false;
    }
    struct journal_head head = journal_head(v->journal);
    bool same = head.position == v->seen.position && head.batch == v->seen.batch &&
                memcmp(head.hash, v->seen.hash, sizeof(head.hash)) == 0;
    if (v->book != NULL && !same) {
        book_destroy(v->book); /* memory showed a tail that the device does not have */
        v->book = NULL;
    }
    return v->book != NULL || recover_book(v, v->journal);
}

static void start_clock(struct server *v)
{
    bool is_new = v->book->position == 0;
    bool is_virtual = is_new ? v->config->virtual_clock : v->book->clock_mode == CLOCK_VIRTUAL;
    book_clock_init_real(&v->clock);
    if (is_virtual || v->config->virtual_clock) {
        int64_t start_ns = is_new ? CLOCK_VIRTUAL_START_NS : v->book->time_ns;
        book_clock_init_virtual(&v->clock, start_ns, NULL, NULL);
    } else {
        book_clock_shift(&v->clock, v->book->clock_offset_ns);
    }
}

static bool start_engine(struct server *v)
{
    v->writer = writer_start_thread(v->journal);
    if (v->writer == NULL) {
        (void)fail("cannot start the journal's thread", strerror(errno));
        return false;
    }
    struct engine_options options = {
        .book = v->book,
        .clock = &v->clock,
        .writer = writer_port(v->writer),
        .archive = archive_port(&v->archive),
        .limits = engine_limits_default(),
        .head = journal_head(v->journal),
    };
    secrets_random(&options.random_seed, sizeof(options.random_seed));
    v->engine = engine_create(&options);
    return v->engine != NULL;
}

static bool open_archive(struct server *v)
{
    struct book_options options = book_options_of(v);
    return archive_open(&v->archive, v->data, v->journal, v->book, &options);
}

static bool start_archive(struct server *v)
{
    struct keeper_settings settings = keeper_settings_default();
    settings.closed_ns = v->config->keep_closed_ns;
    settings.closed_max = v->config->keep_closed_max;
    if (!archive_start(&v->archive, v->engine, &settings)) {
        (void)fail("cannot start the thread of the index of old ids", strerror(errno));
        return false;
    }
    return true;
}

static uint32_t in_flight(void *context)
{
    struct server *v = context;
    return delivery_in_flight(v->delivery);
}

static bool view_state(void *context, struct surface_view *out)
{
    const struct server *v = context;
    if (v->view == NULL) {
        return false;
    }
    struct view_figures f = view_figures(v->view);
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
static void start_view(struct server *v)
{
    char error[256];
    (void)snprintf(v->view_file, sizeof(v->view_file), "%s/view.sqlite", v->data);
    struct view_options options = {.journal = v->journal_path, .file = v->view_file};
    if (!v->config->view) {
        return;
    }
    v->view = view_start(&options, error);
    if (v->view == NULL) {
        (void)fprintf(stderr, "hakika: there is no SQL view: %s\n", error);
    }
}

static bool start_delivery(struct server *v)
{
    char error[256];
    bool strict = v->config->profile == PROFILE_STRICT;
    struct delivery_options options = {
        .total_ms = v->config->total_ms,
        .allow_private_targets = !strict,
        .allow_cidrs = v->config->callback_allow[0] != '\0' ? v->config->callback_allow : NULL,
        .user_agent = "hakika/" HAKIKA_VERSION,
    };
    v->delivery = delivery_start(&options, error);
    if (v->delivery == NULL) {
        (void)fail("cannot start delivery", error);
    }
    return v->delivery != NULL;
}

static bool start_face(struct server *v)
{
    const struct config *c = v->config;
    char error[256];
    char credential_path[640];
    (void)snprintf(credential_path, sizeof(credential_path), "%s/credential.key", v->data);
    struct surface_options options = {
        .engine = v->engine,
        .credential_path = credential_path,
        .index = v->archive.index,
        .keeper = v->archive.keeper,
        .secrets = v->secrets,
        .profile = c->profile,
        .in_flight_is_500 = c->in_flight_is_500,
        .admin_key = c->admin_key[0] != '\0' ? c->admin_key : NULL,
        .public_host = c->public_host[0] != '\0' ? c->public_host : NULL,
        .magic = c->magic,
        .rules = v->rules,
        .allow_loopback_callbacks = c->callback_allow[0] != '\0',
        .in_flight = in_flight,
        .view = view_state,
        .context = v,
        .version = HAKIKA_VERSION,
    };
    v->surface = surface_create(&options);
    if (v->surface == NULL) {
        return false;
    }
    struct http_options http = {
        .address = c->listen,
        .port = c->port,
        .limits = http_limits_default(),
        .admit = surface_admit,
        .handle = surface_handle,
        .context = v->surface,
        .server_name = "hakika",
    };
    http.limits.connections_max = c->connections_max;
    http.limits.head_bytes_max = HEAD_BYTES_MAX;
    http.limits.headers_max = HEADERS_MAX;
    v->http = http_start(&http, error);
    if (v->http == NULL) {
        (void)fprintf(stderr, "hakika: %s\n", error);
        return false;
    }
    surface_attach(v->surface, v->http);
    return true;
}

static bool watch(struct server *v, int descriptor)
{
    struct epoll_event event = {.events = EPOLLIN, .data = {.fd = descriptor}};
    return epoll_ctl(v->epoll, EPOLL_CTL_ADD, descriptor, &event) == 0;
}

static bool start_loop(struct server *v)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    v->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    v->epoll = epoll_create1(EPOLL_CLOEXEC);
    return v->signals >= 0 && v->epoll >= 0 && watch(v, v->signals) &&
           watch(v, http_descriptor(v->http)) && watch(v, writer_descriptor(v->writer)) &&
           watch(v, delivery_descriptor(v->delivery)) &&
           (v->archive.thread == NULL || watch(v, archive_descriptor(&v->archive)));
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

/* ---- the loop ---- */

static void collect_written(struct server *v)
{
    enum journal_status status;
    struct journal_head head;
    if (writer_collect(v->writer, &status, &head, &v->error)) {
        engine_written(v->engine, status, &head);
    }
}

static void take_report(void *context, const struct delivery_report *report)
{
    struct server *v = context;
    if (report->error == DELIVERY_STOPPED) {
        return; /* not an attempt that says anything about the receiver: tried again at restart */
    }
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
    if (v->book->generation == c.generation) {
        (void)surface_question(v->surface, c.number, c.answer, &c.verdict, &c.verdict_text);
    }
    struct engine_result result =
        engine_execute(v->engine, ENGINE_CONTINUATION, COMMAND_DELIVERY_RESULT, &c, &outcome);
    if (result.status != ENGINE_APPLIED && result.status != ENGINE_REFUSED &&
        v->book->generation == c.generation) {
        outbox_return(&v->book->outbox, c.number); /* no room to remember it: it is sent again */
    }
}

static void collect_reports(struct server *v)
{
    /* What cannot be remembered now stays in the ring: a report that is lost is a callback that is
     * sent twice. So the engine is asked again for each. */
    for (uint32_t i = 0; i < REPORTS_PER_TURN; i++) {
        if (engine_admits(v->engine, ENGINE_CONTINUATION) != ENGINE_APPLIED ||
            delivery_collect(v->delivery, 1, take_report, v) == 0) {
            return;
        }
    }
}

/* A scenario rule ordered this attempt to fail: nothing is sent, and it counts as tried. */
static void report_unsent(struct server *v, uint64_t number)
{
    struct delivery_report report = {
        .id = number,
        .generation = v->book->generation,
        .error = DELIVERY_RULED,
        .retry_after_ms = -1,
    };
    take_report(v, &report);
}

static void send_outgoing(struct server *v)
{
    uint8_t buffer[4096];
    bool sent = false;
    bool failed = false;
    while (delivery_room(v->delivery) > 0) {
        const struct outbox_item *item = engine_take_outgoing(v->engine);
        if (item == NULL) {
            break;
        }
        struct writer body = writer_init(buffer, sizeof(buffer));
        struct delivery_job job = {
            .id = item->number,
            .generation = v->book->generation,
            .content_type = "application/json",
            .total_ms = surface_time_limit_ms(item),
        };
        if (surface_outgoing_fails(v->surface, item)) {
            report_unsent(v, item->number);
            failed = true;
            continue;
        }
        CHECK(surface_outgoing(v->surface, item, &body, &job.url));
        job.body = (struct span){(const char *)buffer, body.size};
        if (!delivery_submit(v->delivery, &job)) {
            outbox_return(&v->book->outbox, job.id); /* no memory for it now: it waits */
            break;
        }
        sent = true;
    }
    if (sent) {
        delivery_flush(v->delivery);
    }
    if (failed) {
        engine_turn(v->engine); /* nobody will wake the loop for what that wrote */
    }
}

static struct snapshot_request snapshot_of(const struct server *v)
{
    struct snapshot_request request = {
        .book = v->book,
        .directory = v->journal_path,
        .head = engine_head(v->engine),
    };
    return request;
}

static void begin_snapshot(struct server *v)
{
    struct snapshot_request request = snapshot_of(v);
    if (snapshot_fork(&request, &v->child, &v->error)) {
        (void)watch(v, v->child.descriptor);
    } else {
        (void)fprintf(stderr, "hakika: %s; going on without one\n", v->error.message);
    }
    v->snapshot_at = engine_counters(v->engine).bytes;
    v->snapshot_wanted = false;
    engine_resume(v->engine);
}

static void finish_snapshot(struct server *v)
{
    struct checkpoint_command c = {.position = v->child.position};
    (void)epoll_ctl(v->epoll, EPOLL_CTL_DEL, v->child.descriptor, NULL);
    if (!snapshot_reap(&v->child, &c.digest)) {
        (void)fprintf(stderr, "hakika: a snapshot could not be written; the journal is not "
                              "affected, the next start only takes longer\n");
        return;
    }
    (void)engine_execute(v->engine, ENGINE_CONTINUATION, COMMAND_CHECKPOINT, &c, NULL);
}

/* Asks for a pause when enough has been written, and takes it when the disk has everything. */
static void snapshot_turn(struct server *v)
{
    uint64_t bytes = engine_counters(v->engine).bytes;
    if (!v->snapshot_wanted && v->child.pid == 0 &&
        bytes - v->snapshot_at >= v->config->snapshot_bytes) {
        v->snapshot_wanted = true;
        engine_hold(v->engine);
    }
    if (v->snapshot_wanted && engine_settled(v->engine)) {
        begin_snapshot(v);
    }
}

static int least(int a, int b)
{
    return a < 0 ? b : (b < 0 || a < b ? a : b);
}

static int loop_timeout(struct server *v, bool more)
{
    if (more || (engine_advancing(v->engine) && engine_idle(v->engine) && in_flight(v) == 0)) {
        return 0;
    }
    int timeout = least(http_timeout_ms(v->http), engine_timeout_ms(v->engine));
    timeout = least(timeout, archive_timeout_ms(&v->archive));
    return least(timeout, surface_waits(v->surface) || v->stopping ? POLL_BEAT_MS : -1);
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
                v->stopping = true;
                v->stop_ns = book_clock_monotonic(&v->clock);
                http_quiesce(v->http);
                surface_quiesce(v->surface);
            }
            if (again) {
                return false; /* asked twice: leave at once */
            }
        } else if (fd == writer_descriptor(v->writer)) {
            collect_written(v);
        } else if (v->child.pid != 0 && fd == v->child.descriptor) {
            finish_snapshot(v);
        }
    }
    return true;
}

static bool may_leave(const struct server *v)
{
    int64_t waited_ms = (book_clock_monotonic(&v->clock) - v->stop_ns) / (1000 * 1000);
    bool done = engine_settled(v->engine) && surface_quiet(v->surface) && http_active(v->http) == 0;
    return done || waited_ms > STOP_MS_MAX;
}

static int64_t worked_ns(void)
{
    struct timespec t;
    CHECK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) == 0);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int run_loop(struct server *v)
{
    struct epoll_event events[16];
    bool more = true;
    int64_t since_ns = worked_ns();
    for (;;) {
        int count = epoll_wait(v->epoll, events, 16, loop_timeout(v, more));
        if (count < 0 && errno != EINTR) {
            return fail("epoll_wait", strerror(errno));
        }
        if (!handle_events(v, events, count)) {
            return 0;
        }
        collect_reports(v);
        more = surface_turn(v->surface); /* releases come before the turn that sends them */
        if (!v->snapshot_wanted) {
            http_turn(v->http);
        }
        engine_turn(v->engine);
        more = archive_turn(&v->archive) || more;
        send_outgoing(v);
        if (engine_poisoned(v->engine)) {
            (void)fprintf(stderr, "hakika: %s\n", v->error.message);
            surface_fail(v->surface);
            http_turn(v->http);
            return EXIT_JOURNAL;
        }
        snapshot_turn(v);
        if (v->view != NULL) {
            view_durable(v->view, engine_durable(v->engine));
        }
        int64_t until_ns = worked_ns();
        engine_pace(v->engine, until_ns - since_ns);
        since_ns = until_ns;
        if (v->stopping && may_leave(v)) {
            return 0;
        }
    }
}

/* ---- from start to end ---- */

static void print_banner(const struct server *v, uint16_t port)
{
    (void)fprintf(stderr,
                  "\n  Hakika %s, profile %s, clock %s\n"
                  "  Point your Daraja integration at  http://%s:%u\n"
                  "  A first payment by curl is in README.md; stop with Ctrl-C.\n\n",
                  HAKIKA_VERSION, profile_name(v->config->profile),
                  v->clock.is_virtual ? "virtual" : "real", v->config->listen, port);
}

static void print_ready(const struct server *v)
{
    uint16_t port = http_port(v->http);
    bool v6 = strchr(v->config->listen, ':') != NULL;
    if (isatty(STDERR_FILENO)) {
        print_banner(v, port);
    }
    (void)printf("ready operator=http://%s%s%s:%u data=%s recovered=operator:%" PRIu64 ":%" PRIu64
                 "\n",
                 v6 ? "[" : "", v->config->listen, v6 ? "]" : "", port, v->data,
                 v->book->generation, engine_durable(v->engine));
    (void)fflush(stdout);
}

/* A new book gets its seed, and every book the rules of the start, before anybody can look. */
static bool seed_if_new(struct server *v)
{
    char error[RULES_ERROR_SIZE];
    if (v->book->position == 0) {
        struct engine_result result = surface_seed(v->surface);
        if (result.status != ENGINE_APPLIED) {
            (void)fail("cannot seed the new book", engine_status_text(result.status));
            return false;
        }
    }
    if (!surface_start_rules(v->surface, error)) {
        (void)fprintf(stderr, "hakika: --rules %s: %s. Nothing was started.\n", v->config->rules,
                      error);
        return false;
    }
    engine_turn(v->engine);
    struct epoll_event event;
    while (!engine_settled(v->engine) && !engine_poisoned(v->engine)) {
        if (epoll_wait(v->epoll, &event, 1, -1) > 0) {
            (void)handle_events(v, &event, 1);
        }
    }
    if (engine_poisoned(v->engine)) {
        (void)fprintf(stderr, "hakika: %s\n", v->error.message);
    }
    return !engine_poisoned(v->engine);
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
        v->rules = (struct span){text, size};
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return good;
}

static bool start(struct server *v)
{
    if (!read_rules(v) || !make_data(v)) {
        return false;
    }
    v->settings = operator_settings_default(v->config->profile == PROFILE_DEV);
    if (!look_first(v) || !open_secrets(v) || !open_journal(v) || !open_archive(v)) {
        return false;
    }
    start_clock(v);
    return start_engine(v) && start_archive(v) && start_delivery(v) && start_face(v) &&
           start_loop(v) && seed_if_new(v);
}

static void leave_snapshot(struct server *v)
{
    struct digest_value digest;
    if (v->child.pid != 0) {
        (void)snapshot_reap(&v->child, &digest);
    }
    struct snapshot_request request = snapshot_of(v);
    if (engine_durable(v->engine) == engine_applied(v->engine) &&
        !snapshot_take(&request, &digest, &v->error)) {
        (void)fprintf(stderr, "hakika: %s; the next start only takes longer\n", v->error.message);
    }
}

static void stop(struct server *v)
{
    view_stop(v->view, v->view_patience_ms);
    if (v->delivery != NULL) {
        delivery_stop(v->delivery, 500);
    }
    http_stop(v->http);
    surface_destroy(v->surface);
    writer_stop(v->writer);
    archive_close(&v->archive);
    engine_destroy(v->engine);
    book_destroy(v->book);
    journal_close(v->journal);
    secrets_close(v->secrets);
    free((void *)(uintptr_t)v->rules.data);
    if (v->config->ephemeral && v->data[0] != '\0') {
        ephemeral_remove(v->data);
    }
}

int serve(const struct config *config)
{
    static struct server v;
    v.config = config;
    v.epoll = -1;
    v.signals = -1;
    harden_process();
    if (!start(&v)) {
        stop(&v);
        return EXIT_START;
    }
    print_ready(&v);
    start_view(&v);
    if (engine_durable(v.engine) > SCRUB_POSITION_MIN) {
        scrub_start(v.journal_path);
    }
    int status = run_loop(&v);
    if (status == 0) {
        leave_snapshot(&v);
    }
    v.view_patience_ms = status == 0 && !config->ephemeral ? VIEW_PATIENCE_MS : 0;
    stop(&v);
    return status;
}
