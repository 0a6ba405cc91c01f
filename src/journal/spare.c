/*
 * spare.c - the next segment, made ahead of need so that rolling over costs the commit nothing.
 *
 *             want                make: ok
 *   NONE ------------> WANTED -----------------> READY --take--> NONE
 *    ^                  |   ^                      | (too small for the batch: want again)
 *    |     disk is full |   | a while later        |
 *    |                  v   |                      |
 *    +--take fails-- NO_ROOM <---------------------+
 *                       |
 *   WANTED --any other error--> FAILED (final: the journal poisons itself)
 *
 * Invariants (spare_check)
 *  P1  READY if and only if there is a file; and `room` is not zero only when READY.
 *  P2  `error` is not zero if and only if FAILED; `full` if and only if NO_ROOM.
 *  P3  what is READY is durable under its final name (segment.c, S1 and S2).
 */
#include <errno.h>
#include <time.h>

#include "journal/internal.h"

enum { RETRY_MS = 250 };

static void spare_check(const struct journal__spare *spare)
{
    CHECK((spare->state == SPARE_READY) == (spare->file != NULL));
    CHECK(IMPLIES(spare->state != SPARE_READY, atomic_load(&spare->room) == 0));
    CHECK((spare->state == SPARE_FAILED) == (atomic_load(&spare->error) != 0));
    CHECK((spare->state == SPARE_NO_ROOM) == atomic_load(&spare->full));
}

static void spare_lock(struct journal__spare *spare)
{
    if (spare->threaded) {
        CHECK(pthread_mutex_lock(&spare->mutex) == 0);
    }
    spare_check(spare);
}

static void spare_unlock(struct journal__spare *spare)
{
    spare_check(spare);
    if (spare->threaded) {
        CHECK(pthread_mutex_unlock(&spare->mutex) == 0);
    }
}

/* The only function that moves the state. */
static void spare_move(struct journal__spare *spare, enum spare_state state, struct disk_file *file,
                       int error)
{
    CHECK(spare->state != SPARE_FAILED);
    CHECK((state == SPARE_READY) == (file != NULL));
    spare->state = state;
    spare->file = file;
    atomic_store(&spare->error, state == SPARE_FAILED ? error : 0);
    atomic_store(&spare->full, state == SPARE_NO_ROOM);
    atomic_store(&spare->room,
                 state == SPARE_READY ? spare->order.header.size - SEGMENT_HEADER_BYTES : 0);
    if (spare->threaded) {
        CHECK(pthread_cond_broadcast(&spare->changed) == 0);
    }
}

/* Records what making the wanted segment came to. */
static void spare_made(struct journal__spare *spare, int result, struct disk_file *file)
{
    CHECK((result == 0) == (file != NULL));
    CHECK(spare->state == SPARE_WANTED || spare->state == SPARE_NO_ROOM);
    if (result == -ECANCELED) {
        spare_move(spare, SPARE_NONE, NULL, 0);
    } else if (result == 0) {
        spare_move(spare, SPARE_READY, file, 0);
    } else if (journal__is_full(result)) {
        spare_move(spare, SPARE_NO_ROOM, NULL, 0);
    } else {
        spare_move(spare, SPARE_FAILED, NULL, result);
    }
}

/* Waits until something changes, at most RETRY_MS when the disk was full. */
static void spare_wait(struct journal__spare *spare, bool for_retry)
{
    CHECK(spare->threaded);
    if (!for_retry) {
        CHECK(pthread_cond_wait(&spare->changed, &spare->mutex) == 0);
        return;
    }
    struct timespec until;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &until) == 0);
    until.tv_nsec += (long)RETRY_MS * 1000 * 1000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    int result = pthread_cond_timedwait(&spare->changed, &spare->mutex, &until);
    CHECK(result == 0 || result == ETIMEDOUT);
    if (result == ETIMEDOUT && spare->state == SPARE_NO_ROOM) {
        spare_move(spare, SPARE_WANTED, NULL, 0);
    }
}

static void *spare_thread(void *argument)
{
    struct journal__spare *spare = argument;
    CHECK(spare->threaded);
    spare_lock(spare);
    CHECK(spare->state != SPARE_FAILED);
    while (!atomic_load(&spare->pace.cancel)) {
        if (spare->state != SPARE_WANTED) {
            spare_wait(spare, spare->state == SPARE_NO_ROOM);
            continue;
        }
        const struct segment_order order = spare->order;
        struct disk_file *file = NULL;
        spare_unlock(spare);
        int result = journal__segment_make(&order, &file);
        spare_lock(spare);
        spare_made(spare, result, file);
    }
    spare_unlock(spare);
    return NULL;
}

int journal__spare_start(struct journal__spare *spare, bool threaded)
{
    CHECK(spare->state == SPARE_NONE || spare->state == SPARE_READY);
    CHECK(!spare->threaded);
    if (!threaded) {
        return 0;
    }
    pthread_condattr_t attributes;
    CHECK(pthread_mutex_init(&spare->mutex, NULL) == 0);
    CHECK(pthread_condattr_init(&attributes) == 0);
    CHECK(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_cond_init(&spare->changed, &attributes) == 0);
    CHECK(pthread_condattr_destroy(&attributes) == 0);
    spare->threaded = true;
    int result = pthread_create(&spare->thread, NULL, spare_thread, spare);
    if (result != 0) {
        spare->threaded = false;
        CHECK(pthread_cond_destroy(&spare->changed) == 0);
        CHECK(pthread_mutex_destroy(&spare->mutex) == 0);
    }
    return -result;
}

void journal__spare_stop(struct journal__spare *spare, struct disk *disk)
{
    CHECK(disk != NULL);
    if (spare->threaded) {
        spare_lock(spare);
        atomic_store(&spare->pace.cancel, true);
        CHECK(pthread_cond_broadcast(&spare->changed) == 0);
        spare_unlock(spare);
        CHECK(pthread_join(spare->thread, NULL) == 0);
        spare->threaded = false;
        CHECK(pthread_cond_destroy(&spare->changed) == 0);
        CHECK(pthread_mutex_destroy(&spare->mutex) == 0);
    }
    spare_check(spare);
    if (spare->file != NULL) {
        struct disk_file *file = spare->file;
        spare_move(spare, SPARE_NONE, NULL, 0);
        disk->close(disk->context, file);
    }
}

void journal__spare_adopt(struct journal__spare *spare, const struct segment_order *order,
                          struct disk_file *file)
{
    CHECK(spare->state == SPARE_NONE);
    CHECK(file != NULL);
    spare->order = *order;
    spare_move(spare, SPARE_READY, file, 0);
}

void journal__spare_want(struct journal__spare *spare, const struct segment_order *order)
{
    CHECK(order->disk != NULL);
    CHECK(order->header.number > 0);
    spare_lock(spare);
    if (spare->state == SPARE_NONE) {
        spare->order = *order;
        spare->order.pace = spare->threaded ? &spare->pace : NULL;
        spare_move(spare, SPARE_WANTED, NULL, 0);
    }
    spare_unlock(spare);
}

void journal__spare_make(struct journal__spare *spare)
{
    CHECK(!spare->threaded);
    CHECK(IMPLIES(spare->state != SPARE_NONE, spare->order.disk != NULL));
    spare_check(spare);
    if (spare->state == SPARE_WANTED || spare->state == SPARE_NO_ROOM) {
        struct disk_file *file = NULL;
        int result = journal__segment_make(&spare->order, &file);
        spare_made(spare, result, file);
    }
}

/* Puts aside a spare that is too small; the larger one will take its name. */
static void take_discard(struct journal__spare *spare, const struct segment_order *order)
{
    CHECK(spare->state == SPARE_READY);
    CHECK(spare->order.header.number == order->header.number);
    struct disk_file *file = spare->file;
    spare_move(spare, SPARE_NONE, NULL, 0);
    order->disk->close(order->disk->context, file);
}

/* Waits until there is a spare that is large enough, or none can be had. */
static void take_wait(struct journal__spare *spare, const struct segment_order *order)
{
    CHECK(order->header.size > 0);
    CHECK(order->disk != NULL);
    if (spare->state == SPARE_NO_ROOM && !spare->threaded) {
        spare_move(spare, SPARE_NONE, NULL, 0); /* there may be room again */
    }
    for (;;) {
        if (spare->state == SPARE_READY && spare->order.header.size < order->header.size) {
            take_discard(spare, order);
        }
        if (spare->state == SPARE_NONE) {
            spare->order = *order;
            spare->order.pace = spare->threaded ? &spare->pace : NULL;
            spare_move(spare, SPARE_WANTED, NULL, 0);
        }
        if (spare->state != SPARE_WANTED) {
            return;
        }
        if (spare->threaded) {
            spare_wait(spare, false);
        } else {
            journal__spare_make(spare);
        }
    }
}

int journal__spare_take(struct journal__spare *spare, const struct segment_order *order,
                        struct segment_header *header_out, struct disk_file **file_out)
{
    CHECK(order->header.number > 0);
    CHECK(file_out != NULL);
    *file_out = NULL;
    spare_lock(spare);
    atomic_store(&spare->pace.hurry, true);
    take_wait(spare, order);
    atomic_store(&spare->pace.hurry, false);
    int result = 0;
    if (spare->state == SPARE_READY) {
        CHECK(spare->order.header.number == order->header.number);
        *header_out = spare->order.header;
        *file_out = spare->file;
        spare_move(spare, SPARE_NONE, NULL, 0);
    } else {
        result = spare->state == SPARE_NO_ROOM ? -ENOSPC : atomic_load(&spare->error);
    }
    spare_unlock(spare);
    return result;
}
