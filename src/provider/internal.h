/*
 * internal.h - what the adapters share. Not for other directories.
 */
#ifndef HAKIKA_PROVIDER_INTERNAL_H
#define HAKIKA_PROVIDER_INTERNAL_H

#include "provider/provider.h"

/* A request being written: one part after the other into one buffer. */
struct request_writer {
    struct writer w;
    size_t part; /* where the part under way begins */
};

/* Ends a part and hands it out. */
struct span provider__part(struct request_writer *r);

/* Everything of one call, while it is written. */
struct call_writer {
    const struct provider_account *account;
    const struct provider_call *call;
    struct request_writer *r;
    struct provider_request *out;
};

/* The body, begun anew: json_open would put a comma after what looks like the end of a value. */
struct writer provider__body(const struct call_writer *c);
/* Takes the body into the request, as its last part. NULL: nothing was refused. */
const char *provider__body_end(const struct call_writer *c, const struct writer *body);

/* A blank observation of an account. */
struct observation provider__observation(const struct provider_account *account,
                                         enum observation_kind kind,
                                         enum observation_source source);
/* Was the request surely never sent, by what the sender says? Then REFUSED, else UNKNOWN. */
enum observation_verdict provider__unanswered(enum delivery_error error);
/* What a call is about. */
enum observation_kind provider__kind_of(enum provider_call_kind kind);

struct reading {
    const struct provider_account *account;
    struct json_scratch *scratch;
    observation_fn take;
    void *context;
};

const char *provider__daraja_write(const struct provider_account *account,
                                   const struct provider_call *call, struct request_writer *r,
                                   struct provider_request *out) MUST_USE;
void provider__daraja_reply(const struct reading *in, const struct provider_call *call,
                            const struct provider_reply *reply);
void provider__daraja_message(const struct reading *in, const struct provider_message *message);

const char *provider__paystack_write(const struct provider_account *account,
                                     const struct provider_call *call, struct request_writer *r,
                                     struct provider_request *out) MUST_USE;
void provider__paystack_reply(const struct reading *in, const struct provider_call *call,
                              const struct provider_reply *reply);
void provider__paystack_message(const struct reading *in, const struct provider_message *message);

#endif
