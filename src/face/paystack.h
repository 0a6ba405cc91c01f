/*
 * paystack.h - Paystack's paths on the operator's port, its webhooks, and the control call that
 * makes an organisation a Paystack business.
 */
#ifndef HAKIKA_FACE_PAYSTACK_H
#define HAKIKA_FACE_PAYSTACK_H

#include "face/internal.h"

/* False: this is not one of Paystack's paths. */
/* The secret key that a business of an opened world file has here. */
enum { PAYSTACK_LOCAL_KEY_SIZE = 32 };
void paystack_local_key(uint32_t short_code, char out[PAYSTACK_LOCAL_KEY_SIZE]);
/* By which a business is found. */
void paystack_key_digest(struct secrets *secrets, struct span key, uint8_t out[16]);
bool paystack_route(struct request *q);
/* Answers in Paystack's form; false: this is not one of its paths. */
bool paystack_fail(struct request *q, const char *words);
/* The webhook about a charge or a refund. */
void paystack_message(struct surface *s, const struct operator_request *r, struct writer *body);
bool paystack_is_webhook(struct surface *s, const struct outbox_item *item);
void control_paystack_put(struct request *q);
/* The member of an organisation. */
void control_paystack_field(struct surface *s, struct writer *w, const struct organisation *g);

#endif
