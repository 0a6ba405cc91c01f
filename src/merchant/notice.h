/*
 * notice.h - a notice: any claim that came in from outside, with its raw bytes (R2.8), and what
 * became of it. One door for all of them (docs/merchant.md, "Notices").
 */
#ifndef HAKIKA_MERCHANT_NOTICE_H
#define HAKIKA_MERCHANT_NOTICE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/observation.h"
#include "merchant/fields.h"
#include "merchant/limits.h"

/* What it did. Numbers stand in the journal. X(NAME, number, "status in the API") */
#define NOTICE_EFFECTS(X)                                                       \
    X(MOVED, 1, "applied")            /* it moved what it is about */           \
    X(CONFIRMS, 2, "confirms")        /* it says what is known already */       \
    X(IN_FLIGHT, 3, "in_flight")      /* nothing new: still under way */        \
    X(CONTRADICTS, 4, "contradicts")  /* it says otherwise than what stands */  \
    X(MISMATCH, 5, "mismatch")        /* money, but not as we asked */          \
    X(ORPHAN, 6, "orphan")            /* it fits nothing (yet) */               \
    X(UNREADABLE, 7, "unreadable")    /* it is no message that we know */       \
    X(ENRICHES, 8, "enriches")        /* it adds what was missing: a receipt */ \
    X(UNPROVEN, 9, "to_be_confirmed") /* much money, unsigned: the provider is asked */

enum notice_effect {
#define X(name, number, text) NOTICE_##name = number,
    NOTICE_EFFECTS(X)
#undef X
        NOTICE_EFFECT_LAST = 9,
};
const char *notice_effect_name(uint8_t effect);

/* Texts are handles. */
#define GATEWAY_NOTICE_FIELDS(X)                                                       \
    X(u64, number)                                                                     \
    X(u64, payment)  /* number; 0: an orphan */                                        \
    X(u64, position) /* of the frame that took it */                                   \
    X(i64, taken_ns)                                                                   \
    X(i64, amount_minor) /* claimed; 0: none */                                        \
    X(u64, phone)        /* claimed, when it was whole; 0: none */                     \
    X(raw16, key)        /* digest of provider, reference and what it says (R5.2) */   \
    X(raw16, digest)     /* of the body */                                             \
    X(u32, provider)     /* slot */                                                    \
    X(u32, reference)                                                                  \
    X(u32, receipt)                                                                    \
    X(u32, code)                                                                       \
    X(u32, words)                                                                      \
    X(u32, peer)                                                                       \
    X(u32, headers)                                                                    \
    X(u32, next)    /* slot of the next notice of the payment, or among the orphans */ \
    X(u32, repeats) /* how often the same came again */                                \
    X(u8, source)   /* of observation.h: who said it, */                               \
    X(u8, about)    /* about what, */                                                  \
    X(u8, verdict)  /* what, */                                                        \
    X(u8, why)      /* and why */                                                      \
    X(u8, effect)   /* enum notice_effect */

struct gateway_notice {
    GATEWAY_NOTICE_FIELDS(FIELD_DECLARE)
    uint32_t body[GATEWAY_BODY_PARTS]; /* texts, one after the other. Saved, too */
};

#endif
