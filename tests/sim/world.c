/*
 * world.c - the agenda, the two phases of a run, and how a world is cast. See world.h.
 */
#include "sim/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/memory.h"

typedef unsigned long long ull;

#define MS ((int64_t)1000000)
#define S  ((int64_t)1000000000)

enum { WORLD_MOMENTS_MAX = 2000000 }; /* more is an endless loop */

/* ---- time and the trace ---- */

void world_plan(struct world *w, int64_t delay_ns, enum moment_kind kind, uint64_t a, uint64_t b)
{
    CHECK(delay_ns >= 0);
    struct moment m = {.at_ns = w->now_ns + delay_ns, .kind = kind, .a = a, .b = b};
    agenda_add(&w->agenda, m);
}

void world_plan_here(struct world *w, int64_t delay_ns, enum moment_kind kind, uint64_t a,
                     uint64_t b)
{
    CHECK(delay_ns >= 0);
    struct moment m = {
        .at_ns = w->now_ns + delay_ns, .kind = kind, .life = w->node.life, .a = a, .b = b};
    agenda_add(&w->agenda, m);
}

void world_note(struct world *w, uint64_t what, uint64_t a, uint64_t b)
{
    w->trace = hash_mix(w->trace ^ what, (uint64_t)w->now_ns ^ 0x9e3779b97f4a7c15u);
    w->trace = hash_mix(w->trace ^ a, b ^ 0xd6e8feb86659fd93u) ^ w->trace >> 7;
}

void world_tell(const struct world *w, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)printf("%12.6f %6llu  ", (double)w->now_ns / 1e9, (ull)w->auditor.position);
    (void)vprintf(format, arguments);
    (void)printf("\n");
    va_end(arguments);
}

/* ---- the cast ---- */

static void cast_phones(struct world *w)
{
    struct cast *c = &w->cast;
    c->phone_count = (uint32_t)dice_between(&w->dice, 6, 28);
    if (w->options.phones > 0) {
        c->phone_count = w->options.phones;
    }
    c->phones_seeded = c->phone_count < OPERATOR_SEED_MAX ? c->phone_count : OPERATOR_SEED_MAX;
    for (uint32_t i = 0; i < c->phone_count; i++) {
        /* Every seventh shares its last nine digits with the one before it. */
        uint64_t number = i % 7 == 6 ? i - 1 : i;
        uint64_t country = i % 7 == 6 ? 255 : 254;
        c->phones[i] = (struct cast_phone){
            .msisdn = country * 1000000000 + 700000000 + number,
            .pin = (uint32_t)dice_between(&w->dice, 1000, 9999),
            .balance_minor = dice_between(&w->dice, 0, 400) * 10000,
            .approves = dice_chance(&w->dice, 80),
        };
    }
}

static void cast_shops(struct world *w)
{
    struct cast *c = &w->cast;
    c->shop_count = (uint32_t)dice_between(&w->dice, 2, 12);
    c->shops_seeded = (uint32_t)dice_between(
        &w->dice, 1, c->shop_count < OPERATOR_SEED_MAX ? c->shop_count : OPERATOR_SEED_MAX);
    c->site_count = (uint32_t)dice_between(&w->dice, 1, 4);
    for (uint32_t i = 0; i < c->shop_count; i++) {
        uint64_t roll = dice_below(&w->dice, 10);
        c->shops[i] = (struct cast_shop){
            .short_code = 174379 + i,
            .type = roll < 6   ? ORGANISATION_PAYBILL
                    : roll < 9 ? ORGANISATION_TILL
                               : ORGANISATION_BULK,
            .utility_minor = dice_between(&w->dice, 0, 5) * 100000,
            .working_minor = dice_between(&w->dice, 0, 5) * 100000,
            .site = (uint32_t)dice_below(&w->dice, c->site_count),
        };
    }
    c->shops[0].type = ORGANISATION_PAYBILL;
}

static void cast_settings(struct world *w)
{
    struct auditor *a = &w->auditor;
    for (uint32_t i = 0; i < AUDITOR_SETTINGS_MAX; i++) {
        struct operator_settings *s = &a->settings[i];
        *s = operator_settings_default(true);
        s->day_max_minor = dice_between(&w->dice, 5, 100) * 100000;
        s->payment_max_minor = 25000000;
        s->pin_failures_max = (uint8_t)dice_between(&w->dice, 1, 4);
        s->funds_checked_early = dice_chance(&w->dice, 500);
        s->receipt_shard = (uint32_t)dice_below(&w->dice, 1296);
        s->prompt_ns = dice_span_ns(&w->dice, 5 * S, 60 * S);
        s->unreachable_ns = dice_span_ns(&w->dice, S, 5 * S);
        s->fingerprint_ns =
            i == 0 ? dice_between(&w->dice, 0, 2) * 30 * S : a->settings[0].fingerprint_ns;
        s->fingerprint_released_on_failure =
            i == 0 ? dice_chance(&w->dice, 800) : a->settings[0].fingerprint_released_on_failure;
    }
}

/* In most seeds what is closed leaves memory, soon or after a while. */
static void cast_keeper(struct world *w)
{
    struct dice *d = &w->dice_node;
    struct dice sizes = dice_init(w->options.seed, 6);
    w->keeps = dice_chance(d, 700);
    w->keeper_settings = (struct keeper_settings){
        .closed_ns = dice_span_ns(d, S, 600 * S),
        .closed_max = dice_chance(d, 300) ? (uint32_t)dice_between(d, 0, 20) : UINT32_MAX,
        .keys_ns = dice_span_ns(d, 10 * S, 3600 * S),
        .pause_ns = dice_span_ns(d, 10 * MS, 5 * S),
        .batch_bytes = (uint32_t)dice_between(&sizes, 20, 128) * 1024,
    };
    w->auditor.reach = archive_reach;
    w->auditor.reach_context = w;
}

static void cast_machine(struct world *w)
{
    struct dice *d = &w->dice;
    struct dice sizes = dice_init(w->options.seed, 7);
    w->limits = engine_limits_default();
    w->limits.recent_bytes = (uint32_t)dice_between(&sizes, 1, 128) * 1024;
    if (dice_chance(d, 300)) {
        w->limits.work_per_turn_max = (uint32_t)dice_between(d, 1, 4);
    }
    if (dice_chance(d, 200)) {
        w->limits.batch_bytes_max = (uint32_t)dice_between(d, 300, 4000);
    }
    w->segment_bytes = (uint64_t)JOURNAL_BLOCK_BYTES << dice_between(d, 3, 6);
    w->sync_usual_ns = dice_span_ns(d, MS / 2, 20 * MS);
    w->turn_ns_most = dice_span_ns(d, MS / 20, 10 * MS);
    w->schedule = *outbox_schedule_default();
    if (dice_chance(d, 700)) {
        w->schedule.tries = (uint32_t)dice_between(d, 1, 6);
        for (uint32_t i = 1; i < w->schedule.tries; i++) {
            w->schedule.delay_ns[i] = dice_span_ns(d, 100 * MS, 600 * S);
        }
    }
    w->client_count = (uint32_t)dice_between(d, 2, 12);
    w->is_virtual = dice_chance(d, 120);
    w->busy_turns = dice_chance(d, 200);
    /* The year 2026; often shortly before midnight in Nairobi. */
    w->wall_ns = (1767214800 + dice_between(d, 0, 364) * 86400) * S;
    w->wall_ns += dice_chance(d, 500) ? dice_between(d, 0, 86399) * S
                                      : 86400 * S - dice_between(d, 1, 300) * S;
}

static void world_reset(struct world *w, const struct world_options *options)
{
    w->options = *options;
    agenda_clear(&w->agenda);
    memset(&w->node, 0, sizeof(w->node));
    w->now_ns = S;
    w->clock_ns = 0;
    w->steps = 0;
    w->trace = options->seed;
    w->faults = 0;
    w->repaired = false;
    w->dice = dice_init(options->seed, 1);
    w->dice_node = dice_init(options->seed, 2);
    w->dice_net = dice_init(options->seed, 3);
    w->dice_operator = dice_init(options->seed, 4);
    w->dice_faults = dice_init(options->seed, 5);
    memset(w->sites, 0, sizeof(w->sites));
    w->waiting_count = 0;
    w->plan_count = 0;
    w->plan_next = 0;
    w->filled_up = false;
    w->slow_next = false;
    w->clock_jump_ns = 0;
    w->start_error_in = 0;
    w->cut_start_in = 0;
    w->settings_next = false;
    w->wallets_open = false;
    w->stream_position = 0;
    w->next_reference = 100;
    w->next_key = 0;
    w->next_transfer = 0;
    sim_place = (struct sim_place){.seed = options->seed};
    cast_phones(w);
    cast_shops(w);
    cast_settings(w);
    cast_machine(w);
    cast_keeper(w);
    auditor_init(&w->auditor, &w->cast, &w->schedule);
}

/* ---- living ---- */

static void live(struct world *w, const struct moment *m)
{
    switch ((enum moment_kind)m->kind) {
    case MOMENT_TURN: node_turn(w); break;
    case MOMENT_WRITTEN: node_written(w); break;
    case MOMENT_REPORT: network_report(w, m->a, m->b); break;
    case MOMENT_ROOM: node_make_room(w); break;
    case MOMENT_SNAPSHOT: node_snapshot_piece(w); break;
    case MOMENT_START: node_start(w); break;
    case MOMENT_CLIENT: client_turn(w, (uint32_t)m->a); break;
    case MOMENT_PHONE: phone_answers(w, m->a, m->b); break;
    case MOMENT_QUERY: query_asked(w, m->a, m->b); break;
    case MOMENT_OPERATOR: operator_acts(w); break;
    case MOMENT_READER: reader_reads(w); break;
    case MOMENT_FAULT: trouble_strike(w, (enum sim_fault)m->a); break;
    case MOMENT_SPACE: sim_disk_limit(w->disk, 0); break;
    case MOMENT_TESTER: tester_moves(w); break;
    case MOMENT_INDEX: archive_done(w); break;
    }
}

static bool resting(const struct world *w)
{
    return w->node.running && auditor_quiet(&w->auditor) && engine_idle(w->node.engine);
}

/* One moment; false when the world has come to its end. */
static bool step(struct world *w)
{
    struct moment m;
    if (!agenda_next(&w->agenda, &m)) {
        return false;
    }
    CHECK(m.at_ns >= w->now_ns);
    w->now_ns = m.at_ns;
    if (m.life != 0 && (!w->node.running || m.life != w->node.life)) {
        return true; /* of a process that is gone */
    }
    w->steps++;
    sim_place.step = w->steps;
    sim_place.now_ns = w->now_ns;
    sim_place.position = w->auditor.position;
    live(w, &m);
    return true;
}

static void finish(struct world *w)
{
    struct tally *t = &w->tally;
    EXPECT(w->stream_position <= w->auditor.confirmed, "the stream was ahead of the disk");
    auditor_compare(&w->auditor, w->node.book, 1);
    book_check(w->node.book);
    node_compare_replay(w);
    network_finish(w);
    t->work[WORK_COMPARISONS]++;
    t->work[WORK_CHECKS]++;
    t->work[WORK_MOMENTS] += w->steps;
    t->work[WORK_VIRTUAL_S] += (uint64_t)(w->now_ns / S);
    for (uint32_t i = 0; i < w->auditor.payment_count; i++) {
        t->outcomes[w->auditor.payments[i].outcome]++;
    }
    struct digest_value digest = book_digest(w->node.book);
    world_note(w, w->steps, digest.high, digest.low);
    uint64_t disk = world_lives_twice(w->options.seed) ? sim_disk_fingerprint(w->disk) : 0;
    world_note(w, w->auditor.position, disk, w->agenda.planned);
}

static void bring_down(struct world *w)
{
    struct node *n = &w->node;
    w->archive.under_way = NULL;
    archive_free(&w->archive);
    keeper_destroy(n->keeper);
    engine_destroy(n->engine);
    book_destroy(n->book);
    journal_close(n->journal);
    memset(n, 0, sizeof(*n));
    sim_disk_destroy(w->disk);
    sim_disk_destroy(w->other_disk);
    w->disk = NULL;
    w->other_disk = NULL;
}

uint64_t world_run(struct world *w, const struct world_options *options)
{
    world_reset(w, options);
    w->disk = sim_disk_create();
    w->other_disk = sim_disk_create();
    TELL(w, "seed %llu: %u phones, %u organisations, %u clients", (ull)options->seed,
         w->cast.phone_count, w->cast.shop_count, w->client_count);
    trouble_plan(w);
    world_plan(w, MS, MOMENT_START, 0, 0);
    actors_begin(w);
    while (w->auditor.pushes < options->payments &&
           (options->steps == 0 || w->steps < options->steps)) {
        EXPECT(step(w), "nothing is left to happen, with %llu payments", (ull)w->auditor.pushes);
        EXPECT(w->steps < WORLD_MOMENTS_MAX, "no end in sight after %llu moments", (ull)w->steps);
        trouble_look(w);
    }
    TELL(w, "everything is repaired");
    trouble_end(w);
    int64_t rest_by_ns = w->now_ns + WORLD_REST_NS;
    while (!resting(w)) {
        EXPECT(step(w), "nothing is left to happen, and the world is not at rest");
        EXPECT(w->now_ns < rest_by_ns && w->steps < WORLD_MOMENTS_MAX,
               "the world has not come to rest after %lld virtual hours and %llu moments",
               (long long)(WORLD_REST_NS / S / 3600), (ull)w->steps);
    }
    TELL(w, "the world is at rest");
    finish(w);
    bring_down(w);
    return w->trace;
}

struct world *world_create(void)
{
    memory_stays();
    struct world *w = calloc(1, sizeof(*w));
    CHECK(w != NULL);
    return w;
}

void world_destroy(struct world *w)
{
    agenda_free(&w->agenda);
    auditor_free(&w->auditor);
    free(w->frame_ns);
    free(w->digests);
    free(w);
}
