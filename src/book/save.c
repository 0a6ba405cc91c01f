/*
 * save.c - the whole book in canonical bytes: what a snapshot holds and what the digest is of.
 */
#include <string.h>

#include "base/mutant.h"
#include "book/book_internal.h"

void book_save(const struct book *b, struct writer *w)
{
    CHECK(b->time_ns >= 0);
    CHECK(b->position > 0 || b->generation == 0);
    put_u32(w, BOOK_STATE_VERSION);
    put_u64(w, b->generation);
    put_u64(w, b->position);
    put_i64(w, b->time_ns);
    put_u8(w, b->clock_mode);
    put_i64(w, b->clock_offset_ns);
    book__contents_save(b, w);
    book__worlds_save(b, w);
}

void book__contents_save(const struct book *b, struct writer *w)
{
    CHECK(map_count(&b->by_key) == b->keys.used);
    CHECK(b->domain_state != NULL);
    put_u64(w, b->left_as_of);
    put_u64(w, b->keys_left);
    texts_save(&b->texts, w);
    ledger_save(&b->ledger, w);
    outbox_save(&b->outbox, w);
    slab_shape_save(&b->keys, w);
    for (uint32_t i = slab_next(&b->keys, 0); i != SLAB_NONE; i = slab_next(&b->keys, i + 1)) {
        const struct idempotency_entry *e = slab_at(&b->keys, i);
        put_raw(w, e->key, sizeof(e->key));
        put_raw(w, e->request, sizeof(e->request));
        put_u64(w, e->subject);
        put_u64(w, e->position);
        put_i64(w, e->kept_ns);
    }
    b->domain->save(b->domain_state, w);
}

static bool load_keys(struct book *b, struct reader *r)
{
    if (!slab_shape_load(&b->keys, r) || !map_reserve(&b->by_key, b->keys.used)) {
        return false;
    }
    for (uint32_t i = slab_next(&b->keys, 0); i != SLAB_NONE; i = slab_next(&b->keys, i + 1)) {
        struct idempotency_entry *e = slab_at(&b->keys, i);
        get_raw(r, e->key, sizeof(e->key));
        get_raw(r, e->request, sizeof(e->request));
        e->subject = get_u64(r);
        e->position = get_u64(r);
        e->kept_ns = get_i64(r);
        if (MUTATED(KEY_LOST_ON_LOAD)) {
            e->key[0] ^= 1;
        }
        if (r->bad || !book__key_add(b, i)) {
            return false;
        }
    }
    CHECK(map_count(&b->by_key) == b->keys.used);
    return true;
}

bool book_load(struct book *b, struct reader *r)
{
    CHECK(b->position == 0);
    CHECK(b->ledger.accounts.high_water == 0);
    if (get_u32(r) != BOOK_STATE_VERSION) {
        return false;
    }
    b->generation = get_u64(r);
    b->position = get_u64(r);
    b->time_ns = get_i64(r);
    b->clock_mode = get_u8(r);
    b->clock_offset_ns = get_i64(r);
    if (r->bad || b->time_ns < 0 || b->clock_mode > CLOCK_VIRTUAL ||
        (b->position == 0 && b->generation != 0)) {
        return false;
    }
    return book__contents_load(b, r) && book__worlds_load(b, r) && reader_done(r);
}

bool book__contents_load(struct book *b, struct reader *r)
{
    CHECK(b->keys.used == 0);
    CHECK(b->outbox.items.used == 0);
    b->left_as_of = get_u64(r);
    b->keys_left = get_u64(r);
    return texts_load(&b->texts, r) && ledger_load(&b->ledger, r) && outbox_load(&b->outbox, r) &&
           load_keys(b, r) && b->domain->load(b->domain_state, r);
}

static bool digest_flush(void *context, const uint8_t *data, size_t size)
{
    digest_update(context, data, size);
    return true;
}

static struct digest_value digest_of(const struct book *b,
                                     void (*save)(const struct book *, struct writer *))
{
    uint8_t buffer[16 * 1024];
    struct digest d;
    digest_init(&d);
    struct writer w = writer_init(buffer, sizeof(buffer));
    w.flush = digest_flush;
    w.context = &d;
    save(b, &w);
    CHECK(writer_finish(&w));
    return digest_finish(&d);
}

struct digest_value book_digest(const struct book *b)
{
    return digest_of(b, book_save);
}

struct digest_value book_contents_digest(const struct book *b)
{
    return digest_of(b, book__contents_save);
}

void book_check(const struct book *b)
{
    ledger_check(&b->ledger);
    outbox_check(&b->outbox);
    texts_check(&b->texts);
    slab_check(&b->keys);
    map_check(&b->by_key);
    CHECK(map_count(&b->by_key) == b->keys.used);
    for (uint32_t i = slab_next(&b->keys, 0); i != SLAB_NONE; i = slab_next(&b->keys, i + 1)) {
        const struct idempotency_entry *e = slab_at(&b->keys, i);
        CHECK(book__key_find(b, e->key) == e); /* K5 */
    }
    CHECK(b->left_as_of <= b->position);
    CHECK(b->outbox.texts == &b->texts);
    CHECK(b->clock_mode <= CLOCK_VIRTUAL);
    book__worlds_check(b);
    b->domain->check(b->domain_state);
}
