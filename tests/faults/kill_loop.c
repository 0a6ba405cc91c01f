/*
 * kill_loop.c - kill -9 under load: within batches, snapshots, recoveries and deliveries.
 */
#include <signal.h>
#include <stdio.h>

#include "faults/cycles.h"

static void open_folder(struct world *w, const struct fault_options *options)
{
    char data[400];
    (void)snprintf(data, sizeof(data), "%s/kill-%llu-%u", options->folder,
                   (unsigned long long)options->seed, w->cycle);
    world_begin(w, data);
}

static void hit(struct world *w)
{
    server_signal(&w->server, SIGKILL);
}

static void recover(struct world *w)
{
    CHECK(w->server.pid == 0);
}

static void close_folder(struct world *w)
{
    char verdict[440];
    (void)snprintf(verdict, sizeof(verdict), "%s.verify", w->server.data);
    const char *const arguments[] = {"rm", "-rf", w->server.data, w->server.log, verdict, NULL};
    (void)run_program(arguments, NULL);
}

int kill_loop(const struct fault_options *options)
{
    static const struct strike strike = {20, open_folder, NULL, hit, recover, close_folder};
    return cycles_run(world_create("kill_loop", options->program, options->seed), &strike, options);
}
