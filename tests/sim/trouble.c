/*
 * trouble.c - what goes wrong, and when: each seed switches a random part of the faults on (so that
 * rare combinations get room), spreads them over the payments, and at the end repairs everything.
 */
#include <errno.h>
#include <string.h>

#include "sim/memory.h"
#include "sim/world.h"

#define MS ((int64_t)1000000)
#define S  ((int64_t)1000000000)

enum { STRIKES_LEAST = 12 };

const char *sim_fault_name(enum sim_fault fault)
{
    static const char *const names[] = {
#define X(name, option, text) option,
        SIM_FAULTS(X)
#undef X
    };
    CHECK(fault < FAULT_COUNT);
    return names[fault];
}

const char *sim_fault_text(enum sim_fault fault)
{
    static const char *const texts[] = {
#define X(name, option, text) text,
        SIM_FAULTS(X)
#undef X
    };
    CHECK(fault < FAULT_COUNT);
    return texts[fault];
}

/* ---- striking ---- */

/* Ends the process in some way, so that the next start can show something. */
static void restart(struct world *w)
{
    uint64_t roll = dice_below(&w->dice_faults, 3);
    if (roll == 0) {
        w->tally.faults[FAULT_POWER_CUT]++;
        node_end(w, END_POWER_CUT);
    } else if (roll == 1) {
        w->tally.faults[FAULT_KILL]++;
        node_end(w, END_KILLED);
    } else {
        engine_hold(w->node.engine);
        w->node.stop_wanted = true;
        node_turn_soon(w);
    }
}

static void strike_disk(struct world *w, enum sim_fault fault)
{
    struct dice *d = &w->dice_faults;
    bool sync = fault == FAULT_SYNC_ERROR;
    unsigned operations = sync ? SIM_SYNC : SIM_WRITE;
    if (dice_chance(d, 250)) {
        operations |= SIM_OPEN | SIM_RENAME | SIM_SYNC_DIRECTORY;
    }
    w->error_armed = fault;
    sim_disk_fail(w->disk, operations, (uint64_t)dice_between(d, 1, 3), EIO, false);
}

static void strike_full(struct world *w, enum sim_fault fault)
{
    (void)fault;
    sim_disk_limit(w->disk, 1);
    world_plan(w, dice_span_ns(&w->dice_faults, 200 * MS, 20 * S), MOMENT_SPACE, 0, 0);
    TELL(w, "the disk is full");
    if (!w->node.room_planned) {
        w->node.room_planned = true;
        world_plan_here(w, MS, MOMENT_ROOM, 0, 0); /* somebody makes a spare in the background */
    }
}

static void strike_reset(struct world *w, enum sim_fault fault)
{
    struct ask seed = {.kind = ASK_SEED};
    struct reply reply = world_ask(w, ENGINE_CONTINUATION, &seed);
    TELL(w, "the operator resets the book -> %d", reply.status);
    w->tally.faults[fault] += reply.status == ENGINE_APPLIED;
    w->wallets_open = false;
}

static void strike_site(struct world *w, enum sim_fault fault)
{
    struct site *site = &w->sites[dice_below(&w->dice_faults, w->cast.site_count)];
    site->mood = fault == FAULT_SITE_DEAD   ? SITE_DEAD
                 : fault == FAULT_SITE_SLOW ? SITE_SLOW
                                            : SITE_ERRORS;
    site->until_ns = w->now_ns + dice_span_ns(&w->dice_faults, S, 120 * S);
}

static void strike_clock(struct world *w, enum sim_fault fault)
{
    struct dice *d = &w->dice_faults;
    int64_t jump_ns = dice_span_ns(d, S, fault == FAULT_CLOCK_BACK ? 3600 * S : 172800 * S);
    w->clock_jump_ns += fault == FAULT_CLOCK_BACK ? -jump_ns : jump_ns;
    w->tally.faults[fault]++;
    restart(w);
}

static void strike_end(struct world *w, enum sim_fault fault)
{
    w->tally.faults[fault]++;
    node_end(w, fault == FAULT_KILL ? END_KILLED : END_POWER_CUT);
}

static void strike_append(struct world *w, enum sim_fault fault)
{
    node_arm(w, fault, fault == FAULT_KILL_APPEND ? END_KILLED : END_POWER_CUT,
             (uint32_t)dice_between(&w->dice_faults, 1, 4));
}

static void strike_start(struct world *w, enum sim_fault fault)
{
    if (fault == FAULT_CUT_START) {
        w->cut_start_in = (uint32_t)dice_between(&w->dice_faults, 1, 12);
    } else if (fault == FAULT_START_ERROR) {
        w->start_error_in = (uint32_t)dice_between(&w->dice_faults, 1, 30);
    } else {
        w->settings_next = true;
    }
    restart(w);
}

static void strike_snapshot(struct world *w, enum sim_fault fault)
{
    w->node.snapshot_wanted = true;
    if (dice_chance(&w->dice_faults, 500)) {
        engine_hold(w->node.engine); /* until it is taken */
        node_turn_soon(w);
    }
    w->node.snapshot_cut = fault == FAULT_CUT_SNAPSHOT;
    if (fault == FAULT_SNAPSHOT_ERROR) {
        w->node.snapshot_error_in = (uint32_t)dice_between(&w->dice_faults, 1, 6);
    }
}

static void strike_shutdown(struct world *w, enum sim_fault fault)
{
    (void)fault;
    engine_hold(w->node.engine);
    w->node.stop_wanted = true;
    node_turn_soon(w);
}

static void strike_slow(struct world *w, enum sim_fault fault)
{
    (void)fault;
    w->slow_next = true;
}

static void strike_memory(struct world *w, enum sim_fault fault)
{
    (void)fault;
    memory_fail_in((uint32_t)dice_between(&w->dice_faults, 1, 3));
}

/* How each fault strikes, and whether it needs a process that runs. Those without an entry happen
 * to messages on their way. */
static const struct {
    void (*strike)(struct world *w, enum sim_fault fault);
    bool needs_process;
} trouble[FAULT_COUNT] = {
    [FAULT_POWER_CUT] = {strike_end, true},     [FAULT_CUT_APPEND] = {strike_append, true},
    [FAULT_CUT_START] = {strike_start, true},   [FAULT_CUT_SNAPSHOT] = {strike_snapshot, true},
    [FAULT_KILL] = {strike_end, true},          [FAULT_KILL_APPEND] = {strike_append, true},
    [FAULT_WRITE_ERROR] = {strike_disk, true},  [FAULT_SYNC_ERROR] = {strike_disk, true},
    [FAULT_START_ERROR] = {strike_start, true}, [FAULT_SNAPSHOT_ERROR] = {strike_snapshot, true},
    [FAULT_DISK_FULL] = {strike_full, true},    [FAULT_SLOW_SYNC] = {strike_slow, false},
    [FAULT_NO_MEMORY] = {strike_memory, false}, [FAULT_CLOCK_FORWARD] = {strike_clock, true},
    [FAULT_CLOCK_BACK] = {strike_clock, true},  [FAULT_SETTINGS] = {strike_start, true},
    [FAULT_SHUTDOWN] = {strike_shutdown, true}, [FAULT_SNAPSHOT] = {strike_snapshot, true},
    [FAULT_RESET] = {strike_reset, true},       [FAULT_SITE_DEAD] = {strike_site, false},
    [FAULT_SITE_SLOW] = {strike_site, false},   [FAULT_SITE_ERRORS] = {strike_site, false},
};

void trouble_strike(struct world *w, enum sim_fault fault)
{
    const struct node *n = &w->node;
    CHECK(trouble[fault].strike != NULL);
    if (w->repaired) {
        return;
    }
    bool ready = n->running && n->strike_in == 0 && !n->stop_wanted;
    if (trouble[fault].needs_process && !ready) {
        world_plan(w, dice_span_ns(&w->dice_faults, 100 * MS, 2 * S), MOMENT_FAULT, fault, 0);
        return;
    }
    TELL(w, "trouble: %s", sim_fault_text(fault));
    trouble[fault].strike(w, fault);
}

/* ---- planning ---- */

static void plan_strike(struct world *w, struct dice *d, enum sim_fault fault)
{
    if (w->plan_count < WORLD_PLANS_MAX) {
        struct plan plan = {fault, dice_below(d, w->options.payments)};
        w->plans[w->plan_count++] = plan;
    }
}

static void sort_plans(struct world *w)
{
    for (uint32_t i = 1; i < w->plan_count; i++) {
        struct plan plan = w->plans[i];
        uint32_t at = i;
        for (; at > 0 && w->plans[at - 1].after_pushes > plan.after_pushes; at--) {
            w->plans[at] = w->plans[at - 1];
        }
        w->plans[at] = plan;
    }
}

static uint64_t struck(const struct world *w)
{
    uint64_t sum = 0;
    for (uint32_t k = 0; k < FAULT_COUNT; k++) {
        sum += w->tally.faults[k];
    }
    return sum - w->faults_before;
}

void trouble_plan(struct world *w)
{
    w->faults_before = 0;
    w->faults_before = struck(w);
    uint32_t kinds = 0;
    struct dice dice[FAULT_COUNT];
    for (uint32_t k = 0; k < FAULT_COUNT; k++) {
        dice[k] = dice_init(w->options.seed, 500 + k);
        bool on = dice_chance(&dice[k], k == FAULT_RESET ? 150 : 400);
        if (!on || (w->options.faults >> k & 1) == 0) {
            continue;
        }
        w->faults |= (uint64_t)1 << k;
        uint32_t count = trouble[k].strike != NULL ? (uint32_t)dice_between(&dice[k], 1, 3) : 0;
        kinds += trouble[k].strike != NULL;
        for (uint32_t i = 0; i < count; i++) {
            plan_strike(w, &dice[k], k);
        }
    }
    for (uint32_t k = 0; kinds > 0 && w->plan_count < STRIKES_LEAST; k = (k + 1) % FAULT_COUNT) {
        if ((w->faults >> k & 1) != 0 && trouble[k].strike != NULL && k != FAULT_RESET) {
            plan_strike(w, &dice[k], k);
        } else if (kinds == 1 && (w->faults >> FAULT_RESET & 1) != 0) {
            break;
        }
    }
    sort_plans(w);
}

/* Some strikes hit nothing (no allocation to fail, no room needed): these always do. */
static void fill_up(struct world *w)
{
    static const enum sim_fault sure[] = {FAULT_KILL, FAULT_POWER_CUT, FAULT_SNAPSHOT,
                                          FAULT_KILL_APPEND, FAULT_CUT_APPEND};
    uint64_t missing = struck(w) < STRIKES_LEAST ? STRIKES_LEAST - struck(w) : 0;
    for (uint64_t i = 0; i < missing; i++) {
        enum sim_fault fault = sure[dice_below(&w->dice_faults, sizeof(sure) / sizeof(sure[0]))];
        if ((w->options.faults >> fault & 1) != 0) {
            world_plan(w, dice_span_ns(&w->dice_faults, MS, S), MOMENT_FAULT, fault, 0);
        }
    }
}

void trouble_look(struct world *w)
{
    if (!w->filled_up && w->auditor.pushes * 4 >= (uint64_t)w->options.payments * 3) {
        w->filled_up = true;
        fill_up(w);
    }
    while (w->plan_next < w->plan_count &&
           w->plans[w->plan_next].after_pushes <= w->auditor.pushes) {
        world_plan(w, dice_span_ns(&w->dice_faults, MS, 2 * S), MOMENT_FAULT,
                   w->plans[w->plan_next].fault, 0);
        w->plan_next++;
    }
}

void trouble_end(struct world *w)
{
    w->repaired = true;
    sim_disk_limit(w->disk, 0);
    sim_disk_fail(w->disk, 0, 0, 0, false);
    node_disarm(w);
    memory_fail_in(0);
    w->slow_next = false;
    w->cut_start_in = 0;
    w->start_error_in = 0;
    w->node.snapshot_cut = false;
    w->node.snapshot_error_in = 0;
}
