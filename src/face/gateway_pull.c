/*
 * gateway_pull.c - /v1/pull: asking Daraja for the list of what arrived (C2B, the latest 48 h),
 * page by page. Each row goes through the door of notices, so that what was told already does
 * nothing and what was lost is repaired (docs/merchant.md, "Reconciliation").
 *
 * Tests: tests/e2e/360-gateway-reconcile.sh.
 */
#include <string.h>

#include "base/caltime.h"
#include "face/gateway.h"
#include "provider/provider.h"
#include "wire/daraja_c2b.h"

enum { HOURS_MAX = 48, PAGE_BYTES_MAX = 16 * 1024 };

void gateway_pull_field(struct surface *s, struct writer *w, const struct gateway_provider *p)
{
    json_key(w, "pull");
    json_open(w, '{');
    json_field_text(w, "status", gateway_pull_state_name(p->pull_state));
    surface_time_field(w, "from", p->pull_from_ns);
    surface_time_field(w, "until", p->pull_until_ns);
    surface_time_field(w, "next_at", p->pull_due_ns);
    json_field_u64(w, "rows", p->pull_offset);
    gateway_text_field(s, w, "answer", p->pull_words);
    json_close(w, '}');
}

/* ---- asking ---- */

/* The account that the body names by its short code, or the only one. False after answering. */
static bool parse_account(struct request *q, struct json_object *body, struct pull_command *c)
{
    struct json_object *member = json_member(body, "short_code");
    int64_t short_code = 0;
    bool number = member == NULL || json_integer(member, &short_code);
    c->provider = SLAB_NONE;
    if (number && short_code >= 0 && short_code <= UINT32_MAX) {
        c->provider = gateway_only_provider(surface_gateway(q->s), q->merchant, OBSERVED_AT_DARAJA,
                                            (uint32_t)short_code);
    }
    if (c->provider == SLAB_NONE) {
        surface_problem(q, engine_read_position(q->s->engine), 422, "unknown_short_code",
                        "no Daraja account of yours has this short code; of several, one must "
                        "be named in short_code");
        return false;
    }
    return true;
}

static void execute_pull(struct request *q, uint16_t command, const struct pull_command *c)
{
    struct surface *s = q->s;
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    struct engine_result result =
        engine_execute(s->engine, ENGINE_CONTINUATION, command, c, &reply);
    if (!surface_decided(q, result)) {
        return;
    }
    if (reply.refusal != GATEWAY_DONE) {
        surface_problem(q, result.wait_position, 409, "under_way",
                        "the provider is being asked at this moment");
        return;
    }
    struct writer w = surface_writer(s);
    gateway_provider_render(s, &w, c->provider);
    surface_json(q, result.wait_position, 202, &w);
}

/* {"short_code", "hours": 1 to 48} */
void gateway_pull_create(struct request *q)
{
    struct pull_command c = {.merchant = q->merchant};
    struct json_object *body = control_body(q);
    int64_t hours = HOURS_MAX;
    if (body == NULL) {
        return;
    }
    struct json_object *member = json_member(body, "hours");
    if (member != NULL && (!json_integer(member, &hours) || hours < 1 || hours > HOURS_MAX)) {
        surface_problem(q, 0, 422, "invalid_hours", "hours must be 1 to 48");
        return;
    }
    if (!parse_account(q, body, &c)) {
        return;
    }
    c.until_ns = engine_now(q->s->engine);
    c.from_ns = c.until_ns - hours * 3600 * NS_PER_S;
    execute_pull(q, COMMAND_PULL, &c);
}

/* {"short_code", "phone"}: once, before the first pull. */
void gateway_pull_register(struct request *q)
{
    struct pull_command c = {.merchant = q->merchant};
    struct json_object *body = control_body(q);
    if (body == NULL || !parse_account(q, body, &c)) {
        return;
    }
    if (!gateway_phone_parse(body, &c.phone)) {
        surface_problem(q, 0, 422, "invalid_phone",
                        "phone must be the nominated Kenyan mobile number of the short code");
        return;
    }
    execute_pull(q, COMMAND_PULL_NUMBER, &c);
}

/* ---- the answer ---- */

/* The first observation is about the call, the others are rows. */
static void take(void *context, const struct observation *seen)
{
    struct gateway_rows *rows = context;
    struct gateway_face *f = rows->s->gateway;
    if (f->observed.source == 0) {
        f->observed = *seen;
        return;
    }
    gateway_row_take(rows, seen);
}

void gateway_pull_read(struct surface *s, uint32_t provider, const struct provider_account *account,
                       struct delivery_result_command *c)
{
    static const char from[] = "pull\n";
    struct gateway_face *f = s->gateway;
    char room[PAGE_BYTES_MAX];
    /* A long list comes cut off: the next page begins where its whole rows end. */
    struct span body = daraja_pull_whole(c->answer, room, sizeof(room));
    struct gateway_rows rows = {
        .s = s, .provider = provider, .all = body, .headers = span_from(from)};
    struct provider_call call = {.kind = PROVIDER_CALL_PULL};
    struct provider_reply reply = {.http_status = c->status, .body = body};
    memset(&f->reading, 0, sizeof(f->reading));
    memset(&f->observed, 0, sizeof(f->observed));
    provider_read_reply(account, &call, &reply, s->json, take, &rows);
    if (rows.stopped) {
        c->error = DELIVERY_INTERRUPTED; /* no room to remember them all: asked again */
        return;
    }
    f->reading.answer = f->observed;
    f->reading.rows = (uint32_t)rows.rows;
    c->reading = &f->reading;
}
