/*
 * targets.h - who may use a connection next (private to delivery/; pure).
 *
 * A target is a scheme, host and port. Jobs wait in one queue per target; the targets take turns.
 * Guarantees
 *  T1  a target has at most per_target_max attempts under way, and never more than as many
 *      connections as it leaves free. So k targets that never answer keep at most k/(k+1) of the
 *      connections, and a well target always finds some.
 *  T2  within a target jobs go in the order in which they came.
 *  T3  nothing is allocated after targets_create; a target without jobs is forgotten.
 * Jobs are known by their slot number, below jobs_max.
 */
#ifndef HAKIKA_DELIVERY_TARGETS_H
#define HAKIKA_DELIVERY_TARGETS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/span.h"

struct targets;

struct targets *delivery__targets_create(uint32_t jobs_max, uint32_t connections_max,
                                         uint32_t per_target_max);
void delivery__targets_destroy(struct targets *targets);

/* The identity of the target of a URL: the same for http://HOST/a and http://host/b. */
uint64_t delivery__target_key(struct span url);

/* The job waits for its turn. */
void delivery__targets_wait(struct targets *targets, uint64_t key, uint32_t slot);
/* The job whose turn it is; it has a connection until targets_done. False: none may start now. */
bool delivery__targets_next(struct targets *targets, uint32_t *slot_out) MUST_USE;
/* The attempt is over. */
void delivery__targets_done(struct targets *targets, uint32_t slot);
/* Takes a job that waits out of the queues, whoever's turn it is. False: none waits. */
bool delivery__targets_abandon(struct targets *targets, uint32_t *slot_out) MUST_USE;

uint32_t delivery__targets_active(const struct targets *targets);

#endif
