/*
 * control_delivery.c - the delivery inspector of the control API: sending a callback again, as it
 * was or edited, and the command line that sends the same request.
 */
#include <stdio.h>
#include <string.h>

#include "face/daraja.h"
#include "face/internal.h"

static void answer_nothing(struct request *q)
{
    surface_problem(q, engine_read_position(q->s->engine), 409, "nothing_to_send",
                    "this delivery has nothing to send any more");
}

static void replay_as_it_was(struct request *q, uint64_t number)
{
    struct surface *s = q->s;
    struct delivery_revive_command command = {number};
    enum book_outcome outcome = BOOK_DONE;
    struct engine_result result =
        engine_execute(s->engine, ENGINE_CONTINUATION, COMMAND_DELIVERY_REVIVE, &command, &outcome);
    if (!surface_decided(q, result)) {
        return;
    }
    if (outcome == BOOK_NOTHING) {
        surface_problem(q, result.wait_position, 409, "delivery_under_way",
                        "this callback is being sent at this moment; look again in a second");
        return;
    }
    control_answer_delivery(q, result.wait_position, 202,
                            outbox_item(&engine_book(s->engine)->outbox, number));
}

static void replay_edited(struct request *q, const struct delivery_edit_command *command)
{
    struct surface *s = q->s;
    struct delivery_edit_reply reply = {BOOK_NOTHING, 0};
    struct engine_result result =
        engine_execute(s->engine, ENGINE_CONTINUATION, COMMAND_DELIVERY_EDIT, command, &reply);
    if (!surface_decided(q, result)) {
        return;
    }
    if (reply.outcome == BOOK_TOO_MANY) {
        surface_problem(q, result.wait_position, 409, "too_many_edits",
                        "there are 10,000 edited callbacks already; reset, or restore a snapshot");
    } else if (reply.outcome == BOOK_NOT_FOUND) {
        surface_problem(q, result.wait_position, 409, "delivery_left",
                        "this delivery ended long ago and has left memory: send it again as it "
                        "was first, then edit it");
    } else {
        CHECK(reply.outcome == BOOK_DONE);
        control_answer_delivery(q, result.wait_position, 202,
                                outbox_item(&engine_book(s->engine)->outbox, reply.number));
    }
}

/* The new body: a JSON value as text, or a string as it is. False after answering. */
static bool read_body(struct request *q, struct json_object *value, struct writer *room,
                      struct span *out)
{
    if (json_is_object(value) || json_is_array(value)) {
        json_compact(value, room);
        *out = (struct span){(const char *)room->data, room->size};
    } else if (!json_string(value, out)) {
        out->size = 0;
    }
    if (room->overflow || out->size == 0 || out->size > OUTBOX_EDIT_BODY_MAX) {
        surface_problem(q, 0, 400, "invalid_body",
                        "body must be a JSON object or list, or a string that is sent as it is; 1 "
                        "to 2,046 bytes");
        return false;
    }
    return true;
}

static bool read_url(struct request *q, struct json_object *value, struct span *out)
{
    struct daraja_url_rule rule = daraja_url_rule(q->s);
    char words[160];
    const char *refusal =
        json_string(value, out) ? daraja_url_refusal(*out, &rule) : "must be a string";
    if (refusal != NULL) {
        (void)snprintf(words, sizeof(words), "url %s", refusal);
        surface_problem(q, 0, 400, "invalid_url", words);
    }
    return refusal == NULL;
}

void control_delivery_replay(struct request *q)
{
    const struct outbox_item *item = control_find_delivery(q, q->parts[0]);
    struct json_object *body = NULL;
    if (item == NULL) {
        surface_not_found(q, "no delivery has this id");
        return;
    }
    if (http_body(q->x).size > 0) {
        body = control_body(q);
        if (body == NULL) {
            return;
        }
    }
    struct json_object *new_body = body != NULL ? json_member(body, "body") : NULL;
    struct json_object *new_url = body != NULL ? json_member(body, "url") : NULL;
    if (new_body == NULL && new_url == NULL) {
        replay_as_it_was(q, item->number);
        return;
    }
    uint8_t old[SURFACE_OUTGOING_MAX];
    uint8_t compact[4096];
    struct writer message = writer_init(old, sizeof(old));
    struct writer room = writer_init(compact, sizeof(compact));
    struct delivery_edit_command c = {.number = item->number};
    if (!surface_outgoing(q->s, item, &message, &c.url)) {
        answer_nothing(q);
        return;
    }
    c.body = (struct span){(const char *)old, message.size};
    if ((new_url != NULL && !read_url(q, new_url, &c.url)) ||
        (new_body != NULL && !read_body(q, new_body, &room, &c.body))) {
        return;
    }
    if (c.body.size > OUTBOX_EDIT_BODY_MAX) {
        surface_problem(
            q, 0, 400, "invalid_body",
            "this callback's body has more than the 2,046 bytes that an edited copy may "
            "have: send it again as it was, or give a shorter body together with the "
            "url");
        return;
    }
    c.target = surface_url_target(c.url);
    replay_edited(q, &c);
}

/* 'text' for a POSIX shell: nothing in it means anything to the shell. */
static void put_quoted(struct writer *w, struct span text)
{
    put_u8(w, '\'');
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '\'') {
            put_raw(w, "'\\''", 4);
        } else {
            put_u8(w, (uint8_t)text.data[i]);
        }
    }
    put_u8(w, '\'');
}

static void put_words(struct writer *w, const char *words)
{
    put_raw(w, words, strlen(words));
}

void control_delivery_curl(struct request *q)
{
    const struct outbox_item *item = control_find_delivery(q, q->parts[0]);
    uint8_t body[SURFACE_OUTGOING_MAX];
    char agent[80];
    char signature[SURFACE_SIGNATURE_SIZE];
    struct span url = SPAN_EMPTY;
    struct writer message = writer_init(body, sizeof(body));
    if (item == NULL) {
        surface_not_found(q, "no delivery has this id");
        return;
    }
    if (!surface_outgoing(q->s, item, &message, &url)) {
        answer_nothing(q);
        return;
    }
    (void)snprintf(agent, sizeof(agent), "hakika/%s", q->s->options.version);
    struct writer w = surface_writer(q->s);
    put_words(&w, "curl --silent --show-error --globoff --request POST ");
    put_quoted(&w, url);
    put_words(&w, " --header 'Content-Type: application/json' --user-agent ");
    put_quoted(&w, span_from(agent));
    if (surface_signature(q->s, item, (struct span){(const char *)body, message.size}, signature)) {
        put_words(&w, " --header ");
        put_quoted(&w, span_from(signature));
    }
    put_words(&w, " --data-raw ");
    put_quoted(&w, (struct span){(const char *)body, message.size});
    put_words(&w, "\n");
    surface_answer(q, engine_read_position(q->s->engine), 200, "text/plain; charset=utf-8", &w);
}
