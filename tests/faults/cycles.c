/*
 * cycles.c - load, strike, restart, check, again and again. The same book lives for a number of
 * cycles, then a new one begins. What strikes is given by a table of functions: kill -9
 * (kill_loop.c) or a power cut (power_cut.c).
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "faults/cycles.h"

enum {
    STOP_MS_MAX = 20000,
    STARTUP_KILLS_PERCENT = 20,
    STARTUP_KILL_US_MAX = 30000,
};

struct striker {
    struct world *w;
    const struct strike *strike;
    int64_t delay_us;
};

static void pace(int64_t delay_us)
{
    struct timespec left = {delay_us / 1000000, delay_us % 1000000 * 1000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

/* Paces itself, then strikes: wherever the program is at that moment. */
static void *striker_run(void *context)
{
    struct striker *k = context;
    pace(k->delay_us);
    k->strike->hit(k->w);
    k->w->stop = true;
    return NULL;
}

static void load_and_strike(struct world *w, const struct strike *strike, uint32_t load_ms)
{
    pthread_t thread;
    struct striker k = {w, strike, 1000 + (int64_t)random_below(&w->random, load_ms * 1000)};
    w->stop = false;
    CHECK(pthread_create(&thread, NULL, striker_run, &k) == 0);
    world_load(w, 0, 0);
    CHECK(pthread_join(thread, NULL) == 0);
    server_kill(&w->server);
}

static void kill_while_starting(struct world *w)
{
    server_launch(&w->server);
    pace(random_below(&w->random, STARTUP_KILL_US_MAX));
    server_kill(&w->server);
}

void cycle_must_start(struct world *w)
{
    static const uint64_t snapshots[] = {128 * 1024, 1024 * 1024, 64 * 1024 * 1024};
    w->server.snapshot_bytes = snapshots[random_below(&w->random, 3)];
    if (!server_start(&w->server)) {
        world_fail(w, "it does not start again");
    }
}

void cycle_must_verify(struct world *w)
{
    if (!server_verify(&w->server)) {
        world_fail(w, "hakika verify finds something (%s.verify)", w->server.data);
    }
}

static void one_cycle(struct world *w, const struct strike *strike, uint32_t load_ms, bool is_new)
{
    while (!is_new && random_percent(&w->random, STARTUP_KILLS_PERCENT)) {
        kill_while_starting(w);
    }
    cycle_must_start(w);
    if (is_new && !world_prepare(w)) {
        world_fail(w, "the new book could not be prepared");
    }
    if (!is_new) {
        world_check(w, false);
    }
    if (strike->arm != NULL) {
        strike->arm(w);
    }
    load_and_strike(w, strike, load_ms);
    strike->recover(w);
    cycle_must_verify(w);
}

/* Everything once more, then an orderly end. */
static void close_book(struct world *w, const struct strike *strike)
{
    cycle_must_start(w);
    world_check(w, true);
    callbacks_await(w);
    callbacks_check(w);
    server_signal(&w->server, SIGTERM);
    int status = server_wait(&w->server, STOP_MS_MAX);
    if (status != 0) {
        world_fail(w, "told to stop, it ended with %d", status);
    }
    cycle_must_verify(w);
    cycle_must_start(w);
    sums_check(w, true);
    server_kill(&w->server);
    world_end(w);
    strike->close(w);
}

static void report(const struct world *w, uint32_t cycles, int64_t began)
{
    (void)printf("%s: %u of %u cycles, %lld s: %llu accepted, %llu ended, %llu callbacks, %llu "
                 "found although unanswered, %llu absent\n",
                 w->name, w->cycle + 1, cycles, (long long)(clock_ms() - began) / 1000,
                 (unsigned long long)w->total_accepted, (unsigned long long)w->total_ended,
                 (unsigned long long)w->total_callbacks, (unsigned long long)w->total_adopted,
                 (unsigned long long)w->total_absent);
    (void)fflush(stdout);
}

int cycles_run(struct world *w, const struct strike *strike, const struct fault_options *options)
{
    int64_t began = clock_ms();
    for (w->cycle = 0; w->cycle < options->cycles; w->cycle++) {
        bool is_new = w->cycle % strike->cycles_per_book == 0;
        if (is_new) {
            strike->open(w, options);
        }
        one_cycle(w, strike, options->load_ms, is_new);
        if ((w->cycle + 1) % strike->cycles_per_book == 0 || w->cycle + 1 == options->cycles) {
            close_book(w, strike);
            report(w, options->cycles, began);
        }
    }
    return 0;
}
