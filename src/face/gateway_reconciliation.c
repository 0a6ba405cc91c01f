/*
 * gateway_reconciliation.c - /v1/reconciliations: ask about everything that has been open for long,
 * and how many successes of a day had to be repaired (R2.7, R5.4). A report is named after its day
 * in Kenya: rec_20260131. What is a repair: merchant/reconciliation.c.
 * Tests: tests/e2e/stories/330-gateway-scenarios.mjs.
 */
#include <stdio.h>
#include <string.h>

#include "base/caltime.h"
#include "face/gateway.h"

enum {
    ASKED_MAX = 500,          /* by one run: the next one asks about the others */
    OPEN_FOR_S = 10 * 60,     /* R2.7 */
    ALERT_SETTLE_S = 15 * 60, /* as in merchant/sweep.c */
    REPORT_ID_SIZE = 32,
};

static void render_repairs(struct writer *w, const struct gateway_repairs *r)
{
    json_field_u64(w, "checked", r->checked);
    json_field_u64(w, "repaired", r->repaired);
    json_field_u64(w, "late_callbacks", r->late);
    json_field_u64(w, "repair_rate_ppm", r->checked > 0 ? r->repaired * 1000000 / r->checked : 0);
    json_field_bool(w, "alert", r->alert);
    json_key(w, "causes");
    json_open(w, '{');
    if (r->repaired_by[0] > 0) { /* what nobody could find out: see gateway_decide.c */
        json_field_u64(w, "person", r->repaired_by[0]);
    }
    for (uint32_t i = OBSERVED_BY_SUBMISSION; i <= OBSERVED_BY_STATEMENT; i++) {
        if (r->repaired_by[i] > 0) {
            json_field_u64(w, observation_source_name((enum observation_source)i),
                           r->repaired_by[i]);
        }
    }
    json_close(w, '}');
    json_field_u64(w, "open", r->open);
    json_field_u64(w, "unconfirmed", r->unknown);
    json_field_u64(w, "needs_attention", r->attention);
}

static void report_id(uint32_t day, char out[REPORT_ID_SIZE])
{
    struct civil c;
    civil_from_day(day, &c);
    (void)snprintf(out, REPORT_ID_SIZE, "rec_%04d%02d%02d", (int)c.year, (int)c.month, (int)c.day);
}

/* Only what will never change: the figures are in the report, which goes on. */
void gateway_alert_render(struct surface *s, struct writer *w, const struct gateway_feed *f)
{
    char id[REPORT_ID_SIZE];
    const struct gateway_provider *p =
        gateway_provider(surface_gateway(s), (uint32_t)(f->object - 1));
    report_id(eat_day_number(f->at_ns - ALERT_SETTLE_S * NS_PER_S), id);
    json_open(w, '{');
    json_field_text(w, "object", "alert");
    json_field_u64(w, "short_code", p->short_code);
    json_field_text(w, "reconciliation", id);
    json_field_text(w, "explanation",
                    "more than 0.1 % of the payments that succeeded on this day were not told by "
                    "their own callback");
    json_close(w, '}');
}

static void render_report(struct request *q, struct writer *w, uint32_t day, const uint64_t *asked)
{
    const struct gateway *g = surface_gateway(q->s);
    struct civil c;
    char id[REPORT_ID_SIZE];
    bool alert = false;
    civil_from_day(day, &c);
    int64_t from_ns = civil_to_ns(&c, EAT_OFFSET_S);
    report_id(day, id);
    json_open(w, '{');
    json_field_text(w, "id", id);
    json_field_text(w, "object", "reconciliation");
    if (asked != NULL) {
        json_field_u64(w, "asked", *asked);
    }
    json_key(w, "accounts");
    json_open(w, '[');
    for (uint32_t i = slab_next(&g->providers, 0); i != SLAB_NONE && w->size < SURFACE_BODY_MAX / 2;
         i = slab_next(&g->providers, i + 1)) {
        const struct gateway_provider *p = gateway_provider(g, i);
        struct gateway_repairs repairs;
        if (p->merchant == q->merchant) {
            gateway_repairs(g, i, from_ns, from_ns + GATEWAY_DAY_NS, &repairs);
            json_open(w, '{');
            json_field_u64(w, "short_code", p->short_code);
            render_repairs(w, &repairs);
            json_close(w, '}');
            alert = alert || repairs.alert;
        }
    }
    json_close(w, ']');
    json_field_bool(w, "alert", alert);
    json_close(w, '}');
}

static bool parse_day(struct span id, uint32_t *day)
{
    char stamp[32];
    int64_t at_ns;
    struct span prefix = SPAN_LITERAL("rec_");
    if (id.size != prefix.size + 8 || !span_starts_with(id, prefix)) {
        return false;
    }
    (void)snprintf(stamp, sizeof(stamp), "%.8s000000", id.data + prefix.size);
    if (!eat_stamp_parse(span_from(stamp), &at_ns)) {
        return false;
    }
    *day = eat_day_number(at_ns);
    return true;
}

void gateway_reconciliation_get(struct request *q)
{
    uint32_t day;
    if (!parse_day(q->parts[0], &day) || day > eat_day_number(engine_now(q->s->engine))) {
        surface_problem(q, engine_read_position(q->s->engine), 404, "not_found",
                        "there is no reconciliation with this id: rec_ and a day, 20260131");
        return;
    }
    struct writer w = surface_writer(q->s);
    render_report(q, &w, day, NULL);
    surface_json(q, engine_read_position(q->s->engine), 200, &w);
}

/* Is it the caller's, has it been open for long, and is nobody asking about it? A mismatch is for a
 * person: a query knows no amount. */
static bool wants_asking(struct request *q, const struct gateway_payment *p)
{
    int64_t open_ns = engine_now(q->s->engine) - p->entered_ns[GATEWAY_CREATED];
    return p->merchant == q->merchant && !gateway_state_ended(p->state) &&
           p->state != GATEWAY_MISMATCHED && p->question == 0 && open_ns >= OPEN_FOR_S * NS_PER_S;
}

void gateway_reconciliation_run(struct request *q)
{
    struct surface *s = q->s;
    const struct gateway *g = surface_gateway(s);
    uint64_t wait_position = engine_read_position(s->engine);
    uint64_t asked = 0;
    for (uint64_t number = g->last_payment; number > 0 && asked < ASKED_MAX; number--) {
        const struct gateway_payment *p = gateway_payment(g, number);
        struct payment_command c = {.number = number};
        struct gateway_reply reply = {.refusal = GATEWAY_DONE};
        if (p == NULL || !wants_asking(q, p)) {
            continue;
        }
        struct engine_result result =
            engine_execute(s->engine, ENGINE_CONTINUATION, COMMAND_PAYMENT_RESOLVE, &c, &reply);
        if (result.status == ENGINE_APPLIED) {
            asked += reply.refusal == GATEWAY_DONE;
            wait_position = result.wait_position;
        } else if (result.status != ENGINE_REFUSED) {
            break; /* no room now; what was asked so far is said */
        }
    }
    struct writer w = surface_writer(s);
    render_report(q, &w, eat_day_number(engine_now(s->engine)), &asked);
    surface_json(q, wait_position, 200, &w);
}
