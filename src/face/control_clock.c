/*
 * control_clock.c - the control API's calls about time: reading and moving the clock, running until
 * nothing is left to do.
 *
 * A moving clock takes several turns (deliveries must come back before time goes on), so the caller
 * waits: one at a time, others get 409.
 */
#include <stdio.h>
#include <string.h>

#include "base/caltime.h"
#include "face/daraja.h"
#include "face/internal.h"

#define ADVANCE_DAYS_MAX 36600

static void render_clock(struct surface *s, struct writer *w)
{
    struct book_clock *clock = engine_clock(s->engine);
    char now[RFC3339_SIZE];
    (void)rfc3339_format(engine_now(s->engine), now);
    json_open(w, '{');
    json_field_text(w, "object", "clock");
    json_field_text(w, "mode", clock->is_virtual ? "virtual" : "real");
    json_field_text(w, "now", now);
    json_field_i64(w, "offset_ms", book_clock_offset(clock) / NS_PER_MS);
    json_close(w, '}');
}

static void answer_clock(struct request *q, uint64_t wait_position)
{
    struct writer w = surface_writer(q->s);
    render_clock(q->s, &w);
    surface_json(q, wait_position, 200, &w);
}

void control_clock_get(struct request *q)
{
    answer_clock(q, engine_read_position(q->s->engine));
}

/* Makes the clock's mode and time durable. */
static struct engine_result keep_clock(struct surface *s)
{
    struct book_clock *clock = engine_clock(s->engine);
    struct clock_command c = {
        .mode = clock->is_virtual ? CLOCK_VIRTUAL : CLOCK_REAL,
        .offset_ns = book_clock_offset(clock),
    };
    return engine_execute(s->engine, ENGINE_CONTINUATION, COMMAND_CLOCK, &c, NULL);
}

static void start_moving(struct request *q, int64_t by_ns, bool until_idle)
{
    struct surface *s = q->s;
    if (!engine_clock(s->engine)->is_virtual) {
        surface_problem(q, 0, 409, "clock_is_real",
                        "only a virtual clock can be moved: POST {\"mode\":\"virtual\"} first");
        return;
    }
    int64_t now_ns = engine_now(s->engine);
    if (!until_idle && (now_ns > CLOCK_END_NS || by_ns > CLOCK_END_NS - now_ns)) {
        surface_problem(q, 0, 400, "past_the_calendar",
                        "the clock cannot be moved past 2041: receipts tell no later year");
        return;
    }
    enum engine_status status = engine_admits(s->engine, ENGINE_CONTINUATION);
    if (status != ENGINE_APPLIED && status != ENGINE_BUSY) { /* busy passes: the caller waits */
        surface_not_decided(q, status);
        return;
    }
    if (!engine_advance(s->engine, by_ns, until_idle)) {
        surface_problem(q, 0, 409, "clock_is_moving", "the clock is being moved already; wait");
        return;
    }
    s->clock_ticket = http_ticket(q->x);
    s->clock_waits = true;
    s->clock_until_idle = until_idle;
    http_hold_open(q->x);
}

static void set_mode(struct request *q, struct span mode)
{
    struct surface *s = q->s;
    bool is_virtual = span_is(mode, "virtual");
    if (!is_virtual && !span_is(mode, "real")) {
        surface_problem(q, 0, 400, "invalid_mode", "mode must be real or virtual");
        return;
    }
    if (engine_advancing(s->engine)) {
        surface_problem(q, 0, 409, "clock_is_moving", "the clock is being moved; wait");
        return;
    }
    enum engine_status status = engine_admits(s->engine, ENGINE_CONTINUATION);
    if (status != ENGINE_APPLIED) {
        surface_not_decided(q, status);
        return;
    }
    bool was_virtual = engine_clock(s->engine)->is_virtual;
    book_clock_set_virtual(engine_clock(s->engine), is_virtual);
    struct engine_result result = keep_clock(s);
    if (result.status != ENGINE_APPLIED) {
        book_clock_set_virtual(engine_clock(s->engine), was_virtual); /* what was not kept is not */
        surface_not_decided(q, result.status);
        return;
    }
    answer_clock(q, result.wait_position);
}

static void move_to(struct request *q, struct span text)
{
    int64_t to_ns;
    int64_t now_ns = engine_now(q->s->engine);
    if (!rfc3339_parse(text, &to_ns) || to_ns < now_ns ||
        to_ns - now_ns > ADVANCE_DAYS_MAX * (int64_t)SECONDS_PER_DAY * NS_PER_S) {
        surface_problem(q, 0, 400, "invalid_now",
                        "now must be a time like 2026-01-31T09:30:00Z, not before the clock's");
        return;
    }
    start_moving(q, to_ns - now_ns, false);
}

void control_clock_set(struct request *q)
{
    struct json_object *body = control_body(q);
    struct span text;
    int64_t ms;
    if (body == NULL) {
        return;
    }
    struct json_object *advance = json_member(body, "advance_ms");
    struct json_object *mode = json_member(body, "mode");
    struct json_object *now = json_member(body, "now");
    if (advance != NULL) {
        if (!json_integer(advance, &ms) || ms < 0 ||
            ms > (int64_t)ADVANCE_DAYS_MAX * SECONDS_PER_DAY * 1000) {
            surface_problem(q, 0, 400, "invalid_advance",
                            "advance_ms must be milliseconds, 0 or more");
            return;
        }
        start_moving(q, ms * NS_PER_MS, false);
    } else if (mode != NULL && json_string(mode, &text)) {
        set_mode(q, text);
    } else if (now != NULL && json_string(now, &text)) {
        move_to(q, text);
    } else {
        surface_problem(q, 0, 400, "nothing_to_do",
                        "give advance_ms, now, or mode (real or virtual)");
    }
}

void control_clock_idle(struct request *q)
{
    int64_t ms = (int64_t)ADVANCE_DAYS_MAX * SECONDS_PER_DAY * 1000;
    if (http_body(q->x).size > 0) {
        struct json_object *body = control_body(q);
        if (body == NULL) {
            return;
        }
        struct json_object *max = json_member(body, "max_advance_ms");
        if (max != NULL && (!json_integer(max, &ms) || ms < 0 ||
                            ms > (int64_t)ADVANCE_DAYS_MAX * SECONDS_PER_DAY * 1000)) {
            surface_problem(q, 0, 400, "invalid_max_advance",
                            "max_advance_ms must be milliseconds, 0 or more");
            return;
        }
    }
    start_moving(q, ms * NS_PER_MS, true);
}

static void answer_idle(struct request *q, uint64_t wait_position, int64_t advanced_ns,
                        enum engine_advance_end end)
{
    struct surface *s = q->s;
    struct writer w = surface_writer(s);
    int64_t next_ns = engine_next_due_of_all(s->engine);
    char next[RFC3339_SIZE];
    json_open(&w, '{');
    json_field_i64(&w, "advanced_ms", advanced_ns / NS_PER_MS);
    json_field_text(&w, "stopped_because", end == ADVANCE_IDLE ? "idle" : "max_advance");
    json_field_u64(&w, "in_flight", s->options.in_flight(s->options.context));
    if (next_ns == INT64_MAX) {
        json_field_null(&w, "next_timer_at");
    } else {
        (void)rfc3339_format(next_ns, next);
        json_field_text(&w, "next_timer_at", next);
    }
    json_close(&w, '}');
    surface_json(q, wait_position, 200, &w);
}

void control_clock_turn(struct surface *s)
{
    int64_t advanced_ns = 0;
    if (!engine_advancing(s->engine)) {
        return;
    }
    uint32_t in_flight = s->options.in_flight(s->options.context);
    enum engine_advance_end end = engine_advance_step(s->engine, in_flight, &advanced_ns);
    if (end == ADVANCE_RUNNING) {
        return;
    }
    struct engine_result kept = keep_clock(s);
    struct http_exchange *x = s->clock_waits ? http_find(s->server, s->clock_ticket) : NULL;
    s->clock_waits = false;
    if (x == NULL) {
        return;
    }
    struct request q = {.s = s, .x = x};
    if (kept.status != ENGINE_APPLIED) {
        surface_not_decided(&q, kept.status);
    } else if (s->clock_until_idle) {
        answer_idle(&q, kept.wait_position, advanced_ns, end);
    } else {
        answer_clock(&q, kept.wait_position);
    }
}
