/*
 * golden_story.h - the story that golden journals tell (tests/golden/README.md): everything that a
 * book of this version can write, at least once, decided by the real book from the same commands,
 * times and random numbers each time. Failures are cmocka assertions.
 */
#ifndef HAKIKA_TESTS_SUPPORT_GOLDEN_STORY_H
#define HAKIKA_TESTS_SUPPORT_GOLDEN_STORY_H

#include "support/world.h"

/* Tells the story in a new world; end it with world_end. */
void golden_story(struct world *w);

/* Writes frames from position 1 on as a journal of that book; the position of its head. */
uint64_t golden_frames_write(struct reader *frames, const char *book, const char *directory);

/*
 * Writes a world's frames as a journal into a directory: batches of one to four frames, in
 * segments of 1 MiB, opened twice.
 */
void golden_story_write(const struct world *w, const char *directory);

#endif
