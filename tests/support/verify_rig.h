/*
 * verify_rig.h - verifies forged journals and says what was found: shared by the tests of
 * hakika verify. Failures are cmocka assertions.
 */
#ifndef HAKIKA_TESTS_SUPPORT_VERIFY_RIG_H
#define HAKIKA_TESTS_SUPPORT_VERIFY_RIG_H

#include "app/verify/run.h"
#include "support/forge.h"

enum { AMOUNT = 12300 }; /* of the stories' payments */

extern struct verify_report report; /* of the last verification */

void verify(const struct forge *f);
void assert_every_proof_holds(void);
/* The proof found something that says `what`, at that position (0: anywhere). */
void assert_breach(enum verify_proof proof, uint64_t position, const char *what);
/* Closes, verifies and removes a forged journal, and expects that breach at its last frame. */
void expect(struct forge *f, enum verify_proof proof, const char *what);
/* Seeded, and with one honest payment behind it. */
void open_story(struct forge *f);
/* A payment is on the phone; its end is the test's. */
uint64_t open_prompt(struct forge *f, uint32_t slot);

#endif
