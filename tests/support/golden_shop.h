/*
 * golden_shop.h - the story that golden journals of the merchant book tell
 * (tests/golden/README.md): everything that a merchant's book of this version can write, at least
 * once, decided by the real book from the same commands, times and random numbers each time.
 * Failures are cmocka assertions.
 */
#ifndef HAKIKA_TESTS_SUPPORT_GOLDEN_SHOP_H
#define HAKIKA_TESTS_SUPPORT_GOLDEN_SHOP_H

#include "support/shop.h"

/* Tells the story in a new shop; end it with shop_end. Returns the position before its reset. */
uint64_t golden_shop(struct shop *s);
/* The same up to its reset. */
void golden_shop_first(struct shop *s);

/* Secrets, hashes and tokens that the story puts into the book: none of them may be shown. */
extern const char *const GOLDEN_SHOP_SECRETS[];
enum { GOLDEN_SHOP_SECRETS_COUNT = 8 };

/* Writes a shop's frames as a journal, as golden_story_write does. */
void golden_shop_write(const struct shop *s, const char *directory);

#endif
