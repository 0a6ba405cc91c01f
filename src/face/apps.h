/*
 * apps.h - which application (consumer key) an organisation belongs to, and so whose access token
 * may act for it (R6.1). Derived from the book's sealed secrets, never stored.
 *
 * Guarantees
 *  A1  an organisation with a consumer key of its own is acted for only with a token that was
 *      given for that key and its secret.
 *  A2  two keys never share an application: an organisation whose key would is refused.
 *  A3  the public key of the sandbox ("hakika") owns nothing outside of daraja-strict; there,
 *      every organisation has exactly the owner that its key names, and none without a key.
 * An application is known by 24 bits of the digest of its key, so that tokens outlive restarts,
 * resets and restored worlds.
 */
#ifndef HAKIKA_FACE_APPS_H
#define HAKIKA_FACE_APPS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/map.h"
#include "face/secrets.h"
#include "operator/operator.h"

/* The public key and secret of organisations that nobody described. */
#define APPS_PUBLIC_KEY "hakika"

enum { APPS_ANY = 0 }; /* a token that is bound to no application; an organisation without owner */

struct apps {
    struct secrets *secrets;
    bool strict;
    uint32_t public_app; /* APPS_ANY when strict */
    uint64_t generation; /* of the book that was read */
    uint32_t read;       /* organisations looked at: slots below this */
    uint32_t capacity;
    uint32_t *owner;  /* by slot of the organisation: application, 0 without a key */
    struct map first; /* application -> the first organisation that names it */
};

void apps_init(struct apps *a, struct secrets *secrets, bool strict);
void apps_fini(struct apps *a);

/* Reads what came since the last time. False: no memory. */
bool apps_follow(struct apps *a, const struct operator_state *o) MUST_USE;

/* What a consumer key and secret get. After apps_follow. */
enum apps_login {
    APPS_KNOWN,   /* the key of an organisation, with its secret: *app_out */
    APPS_WRONG,   /* the key of an organisation with another secret */
    APPS_UNKNOWN, /* no organisation has this key */
};
enum apps_login apps_login(const struct apps *a, const struct operator_state *o, struct span key,
                           struct span secret, uint32_t *app_out);

/* May a token of this application act for the organisation in that slot? After apps_follow. */
bool apps_may_act(const struct apps *a, uint32_t app, uint32_t organisation);

/* May a new organisation have this key and secret (A2)? NULL, or what is wrong. */
const char *apps_objection(const struct apps *a, const struct operator_state *o, struct span key,
                           struct span secret);

#endif
