/*
 * kill_loop.c - kill -9 under load, again and again: within batches, snapshots, recoveries
 * and deliveries. The same book lives for a number of cycles, then a new one begins.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "faults/faults.h"

enum {
    CYCLES_PER_BOOK = 20,
    STOP_MS_MAX = 20000,
    STARTUP_KILLS_PERCENT = 20,
    STARTUP_KILL_US_MAX = 30000,
};

struct killer {
    struct world *w;
    int64_t delay_us;
};

/* Paces itself, then pulls the plug: wherever the program is at that moment. */
static void *killer_run(void *context)
{
    struct killer *k = context;
    struct timespec left = {k->delay_us / 1000000, k->delay_us % 1000000 * 1000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
    server_signal(&k->w->server, SIGKILL);
    k->w->stop = true;
    return NULL;
}

static void load_and_kill(struct world *w, uint32_t load_ms)
{
    pthread_t thread;
    struct killer k = {w, 1000 + (int64_t)random_below(&w->random, load_ms * 1000)};
    w->stop = false;
    CHECK(pthread_create(&thread, NULL, killer_run, &k) == 0);
    world_load(w, 0, 0);
    CHECK(pthread_join(thread, NULL) == 0);
    (void)server_wait(&w->server, -1);
}

static void kill_while_starting(struct world *w)
{
    struct killer k = {w, random_below(&w->random, STARTUP_KILL_US_MAX)};
    server_launch(&w->server);
    (void)killer_run(&k);
    (void)server_wait(&w->server, -1);
}

static void must_start(struct world *w)
{
    static const uint64_t snapshots[] = {128 * 1024, 1024 * 1024, 64 * 1024 * 1024};
    w->server.snapshot_bytes = snapshots[random_below(&w->random, 3)];
    if (!server_start(&w->server)) {
        world_fail(w, "it does not start again");
    }
}

static void must_verify(struct world *w)
{
    if (!server_verify(&w->server)) {
        world_fail(w, "hakika verify finds something (%s.verify)", w->server.data);
    }
}

static void one_cycle(struct world *w, uint32_t load_ms, bool is_new)
{
    while (!is_new && random_percent(&w->random, STARTUP_KILLS_PERCENT)) {
        kill_while_starting(w);
    }
    must_start(w);
    if (is_new && !world_prepare(w)) {
        world_fail(w, "the new book could not be prepared");
    }
    if (!is_new) {
        world_check(w, false);
    }
    load_and_kill(w, load_ms);
    must_verify(w);
}

/* Everything once more, then an orderly end. */
static void close_book(struct world *w)
{
    must_start(w);
    world_check(w, true);
    callbacks_await(w);
    callbacks_check(w);
    server_signal(&w->server, SIGTERM);
    int status = server_wait(&w->server, STOP_MS_MAX);
    if (status != 0) {
        world_fail(w, "told to stop, it ended with %d", status);
    }
    must_verify(w);
    must_start(w);
    sums_check(w, true);
    server_kill(&w->server);
    world_end(w);
    const char *const arguments[] = {"rm", "-rf", w->server.data, w->server.log, NULL};
    (void)run_program(arguments, NULL);
}

int kill_loop(const struct fault_options *options)
{
    char data[400];
    struct world *w = world_create("kill_loop", options->program, options->seed);
    int64_t began = clock_ms();
    for (w->cycle = 0; w->cycle < options->cycles; w->cycle++) {
        bool is_new = w->cycle % CYCLES_PER_BOOK == 0;
        if (is_new) {
            (void)snprintf(data, sizeof(data), "%s/kill-%llu-%u", options->folder,
                           (unsigned long long)options->seed, w->cycle);
            world_begin(w, data);
        }
        one_cycle(w, options->load_ms, is_new);
        if ((w->cycle + 1) % CYCLES_PER_BOOK == 0 || w->cycle + 1 == options->cycles) {
            close_book(w);
            (void)printf("kill_loop: %u of %u cycles, %lld s: %llu accepted, %llu ended, %llu "
                         "callbacks, %llu found although unanswered, %llu absent\n",
                         w->cycle + 1, options->cycles, (long long)(clock_ms() - began) / 1000,
                         (unsigned long long)w->total_accepted, (unsigned long long)w->total_ended,
                         (unsigned long long)w->total_callbacks,
                         (unsigned long long)w->total_adopted, (unsigned long long)w->total_absent);
            (void)fflush(stdout);
        }
    }
    return 0;
}
