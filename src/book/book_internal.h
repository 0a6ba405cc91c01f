/*
 * book_internal.h - what the files of book/ share with each other and with nobody else.
 */
#ifndef HAKIKA_BOOK_BOOK_INTERNAL_H
#define HAKIKA_BOOK_BOOK_INTERNAL_H

#include "book/book.h"

enum {
    /* header, refused: result and kind, transfer with its longest tail */
    BOOK_TRANSFER_EVENT_MAX = BOOK_EVENT_HEADER_BYTES + 2 + 34 + 8,
};

/* In memory only. */
const struct idempotency_entry *book__key_find(const struct book *b, const uint8_t key[16]);
/* Puts a key into the table; false when it is there already. Room was reserved. */
bool book__key_add(struct book *b, uint32_t index);
bool book__state_init(struct book *b);
void book__state_fini(struct book *b);
bool book__reserve(struct book *b, uint32_t transfers);
/* An empty state beside the present one, with room for a seed; false: no memory. Then use puts it
 * in the place of the present one, which cannot fail; drop forgets one that was not used. */
bool book__fresh_prepare(struct book *b) MUST_USE;
bool book__fresh_make(struct book *b) MUST_USE; /* the same without room: to be loaded into */
void book__fresh_use(struct book *b);
void book__fresh_drop(struct book *b);
/* Applies the events of one frame. */
enum book_replay book__apply_events(struct book *b, const struct frame_info *info,
                                    struct reader *events);
/* Everything but generation, position, time and worlds, both directions. */
void book__contents_save(const struct book *b, struct writer *w);
bool book__contents_load(struct book *b, struct reader *r);
/* Worlds (worlds.c): gets what the command needs, before it is decided. False: no memory. */
bool book__prepare(struct book *b, const struct book_command *command);
void book__prepare_end(struct book *b);
enum book_outcome book__decide_world(struct decision *d);
enum book_replay book__apply_world(struct book *b, const struct frame_info *info, uint16_t kind,
                                   struct reader *r);
void book__worlds_save(const struct book *b, struct writer *w);
bool book__worlds_load(struct book *b, struct reader *r);
void book__worlds_fini(struct book *b);
/* Gives the contents of `from`, as bytes, to b->prepared. False: no memory; true without bytes:
 * more than `most`. */
bool book__contents_prepare(struct book *b, const struct book *from, size_t most);
enum book_outcome book__judge_new_world(const struct book *b, struct span name);
/* Keeps the prepared bytes under a name. */
struct book_world *book__keep_world(struct book *b, const struct frame_info *info,
                                    struct span name);
/* world_import.c */
bool book__import_prepare(struct book *b, const struct book_command *command);
enum book_outcome book__decide_import(struct decision *d);
enum book_replay book__apply_import(struct book *b, const struct frame_info *info, uint16_t kind,
                                    struct reader *r);
void book__worlds_check(const struct book *b);
/* closing.c */
uint64_t book__left(const struct book *b); /* how much is in the index only */
void book__key_remove(struct book *b, const struct idempotency_entry *gone);
bool book__apply_left(struct book *b, uint16_t kind, struct reader *r);
bool book__apply_recalled(struct book *b, struct reader *r);
enum book_outcome book__decide_closed_leave(struct decision *d);
enum book_outcome book__decide_keys_leave(struct decision *d);
enum book_outcome book__decide_recall(struct decision *d);
/* Decides and applies a batch of transfers, each group against the state after the one before. */
void book__transfers(struct book *b, struct decision *d, const struct transfers_command *c,
                     const struct frame_info *info);

#endif
