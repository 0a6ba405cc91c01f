/*
 * gateway_front_c2b.c - C2B's registerurl at Daraja's own path (R6.12). The provider keeps sending
 * to the gateway's URLs; a confirmation is durable here first and then goes on to the application's
 * ConfirmationURL as it came, at least once. Validations are answered by the account's rule
 * (docs/merchant.md), not by the application's ValidationURL.
 *
 * Repeating is harmless: the latest URL counts, and a registration that stands is not asked for
 * again (production registers once). Tests: tests/e2e/347-front-money.sh.
 */
#include <string.h>

#include "base/ids.h"
#include "face/daraja.h"
#include "face/gateway.h"
#include "wire/daraja_c2b.h"

void gateway_front_register(struct request *q)
{
    struct surface *s = q->s;
    struct daraja_c2b_register in;
    struct daraja_error error;
    struct daraja_url_rule rule = daraja_url_rule(s);
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    char originator[ID_TEXT_SIZE];
    if (!daraja_preamble(q, DARAJA_ERROR_INVALID_TOKEN_C2B)) {
        return;
    }
    if (!daraja_c2b_register_parse(http_body(q->x), &rule, false, s->json, &in, &error)) {
        daraja_answer_error(q, 0, &error);
        return;
    }
    uint32_t account = gateway_front_account(q, in.short_code);
    if (account == SLAB_NONE) {
        daraja_refuse(q, engine_read_position(s->engine), DARAJA_ERROR_NO_SHORT_CODE, "",
                      "no provider account of this app has the short code: POST /v1/providers");
        return;
    }
    const struct c2b_registration_command c = {
        .merchant = gateway_provider(surface_gateway(s), account)->merchant,
        .provider = account,
        .cancels = in.cancelled,
        .forward_url = in.confirmation_url,
        .forward_target = surface_url_target(in.confirmation_url),
    };
    struct engine_result result =
        engine_execute(s->engine, ENGINE_CONTINUATION, COMMAND_C2B_URLS, &c, &reply);
    if (result.status != ENGINE_APPLIED) {
        daraja_refuse_busy(q, result.status);
        return;
    }
    struct writer w = surface_writer(s);
    id_request_format((uint64_t)engine_now(s->engine), result.wait_position, originator);
    daraja_c2b_accepted_render(&w, originator, "Success");
    daraja_explain(q, "kept: the gateway registers URLs of its own with the provider, and sends "
                      "confirmations on");
    surface_json(q, result.wait_position, 200, &w);
}

bool gateway_front_confirmation(struct surface *s, uint64_t notice, struct writer *w,
                                struct gateway_job *job)
{
    const struct gateway *g = surface_gateway(s);
    const struct gateway_notice *n = gateway_reach_notice(s, notice);
    char room[GATEWAY_BODY_MAX];
    if (n == NULL || gateway_provider(g, n->provider)->c2b_forward == TEXT_NONE) {
        return false;
    }
    struct span body = gateway_notice_body(g, n, room);
    memset(job, 0, sizeof(*job));
    size_t start = w->size;
    put_raw(w, body.data, body.size);
    CHECK(!w->overflow);
    job->body = (struct span){(const char *)w->data + start, w->size - start};
    job->url = gateway_text(g, gateway_provider(g, n->provider)->c2b_forward);
    return true;
}
