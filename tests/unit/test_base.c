/*
 * test_base.c - the vocabulary (base): tables against naive models, codecs at their edges, exact
 * texts of money, digests that must never change.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/codec.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/money.h"
#include "base/slab.h"
#include "base/span.h"
#include "base/texts.h"
#include "base/timers.h"
#include "support/random.h"

/* A false CHECK ends the test, and is what some tests expect. */
_Noreturn void hakika_panic(const char *file, int line, const char *what)
{
    mock_assert(0, what, file, line);
    abort();
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- map ---- */

enum { MAP_KEYS = 3000 };

/* The naive model: one cell per key of a small world of keys. */
struct map_model {
    uint64_t keys[MAP_KEYS];
    uint32_t values[MAP_KEYS]; /* MAP_NONE: absent */
    uint32_t count;
};

static void model_keys(struct map_model *model, struct test_random *r, bool in_sequence)
{
    model->count = 0;
    for (uint32_t i = 0; i < MAP_KEYS; i++) {
        model->keys[i] = in_sequence ? 1000000 + i : random_next(r);
        model->values[i] = MAP_NONE;
    }
}

static void compare_map(struct test_random *r, const struct map *m, const struct map_model *model)
{
    for (uint32_t i = 0; i < MAP_KEYS; i++) {
        REQUIRE(r, map_get(m, model->keys[i]) == model->values[i]);
    }
    REQUIRE(r, map_count(m) == model->count);
    map_check(m);
}

static void map_change(struct test_random *r, struct map *m, struct map_model *model, bool growing)
{
    uint32_t i = random_below(r, MAP_KEYS);
    bool present = model->values[i] != MAP_NONE;
    REQUIRE(r, map_get(m, model->keys[i]) == model->values[i]);
    if (!present && (growing || random_percent(r, 40))) {
        REQUIRE(r, map_reserve(m, 1));
        model->values[i] = random_below(r, MAP_NONE);
        map_put(m, model->keys[i], model->values[i]);
        model->count++;
    } else {
        REQUIRE(r, map_remove(m, model->keys[i]) == present);
        model->values[i] = MAP_NONE;
        model->count -= present;
    }
}

/* Grows and shrinks through several doublings; entries are moved from table to table meanwhile. */
static void map_story(uint64_t seed, enum map_keys keys)
{
    struct test_random r = random_from(seed);
    struct map_model *model = malloc(sizeof(*model));
    assert_non_null(model);
    model_keys(model, &r, keys == MAP_SEQUENTIAL);
    struct map m;
    map_init(&m, random_next(&r), keys);
    assert_int_equal(map_get(&m, 1), MAP_NONE);
    assert_false(map_remove(&m, 1));
    uint32_t seen_growing = 0;
    for (r.step = 0; r.step < 12000; r.step++) {
        map_change(&r, &m, model, r.step / 3000 % 2 == 0);
        seen_growing += m.old.entries != NULL;
        if (r.step % 1000 == 0) {
            compare_map(&r, &m, model);
        }
    }
    REQUIRE(&r, seen_growing > 100);
    compare_map(&r, &m, model);
    map_fini(&m);
    REQUIRE(&r, map_count(&m) == 0 && map_get(&m, model->keys[0]) == MAP_NONE);
    free(model);
}

static void test_map_against_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        map_story(seed, seed % 2 == 0 ? MAP_HASHED : MAP_SEQUENTIAL);
    }
}

/* A removal of what still lies in the older table, and a second growth before the first is over. */
static void test_map_while_growing(void **state)
{
    (void)state;
    struct map m;
    map_init(&m, 7, MAP_HASHED);
    for (uint64_t key = 0; key < 4000; key++) {
        assert_true(map_reserve(&m, 1));
        map_put(&m, key, (uint32_t)key);
    }
    assert_true(map_reserve(&m, 4000));
    assert_true(m.old.count > 3000); /* nothing has been moved yet */
    for (uint64_t key = 0; key < 100; key++) {
        assert_true(map_remove(&m, key));
        assert_false(map_remove(&m, key));
        assert_int_equal(map_get(&m, key), MAP_NONE);
    }
    map_check(&m);
    assert_true(m.old.count > 0);
    assert_true(map_reserve(&m, 100000));
    for (uint64_t key = 0; key < 50; key++) {
        map_put(&m, key, 5);
    }
    map_check(&m);
    assert_int_equal(map_count(&m), 3950);
    assert_int_equal(map_get(&m, 3999), 3999);
    map_fini(&m);
}

/* What was reserved is there: no allocation moves the tables while the room is used up. */
static void test_map_reserve_is_enough(void **state)
{
    (void)state;
    struct map m;
    map_init(&m, 3, MAP_SEQUENTIAL);
    assert_true(map_reserve(&m, 5000));
    const struct map_entry *entries = m.young.entries;
    for (uint64_t key = 0; key < 5000; key++) {
        map_put(&m, key * 8, 1);
    }
    assert_ptr_equal(m.young.entries, entries);
    expect_assert_failure(map_put(&m, 8, 1));        /* it is there already */
    expect_assert_failure(map_put(&m, 1, MAP_NONE)); /* not a value */
    map_check(&m);
    map_fini(&m);
}

/* ---- slab ---- */

enum { SLAB_CELLS = 700 };

struct slab_model {
    uint32_t free_list[SLAB_CELLS]; /* last freed is last here */
    uint32_t free_count;
    uint32_t high_water;
    uint64_t stamps[SLAB_CELLS]; /* 0: free */
};

static void slab_change(struct test_random *r, struct slab *s, struct slab_model *model, bool grow)
{
    uint32_t used = model->high_water - model->free_count;
    if (used < SLAB_CELLS && (used == 0 || random_percent(r, grow ? 70 : 30))) {
        REQUIRE(r, slab_reserve(s, 1));
        uint32_t index = slab_take(s);
        uint32_t expected =
            model->free_count > 0 ? model->free_list[--model->free_count] : model->high_water++;
        REQUIRE(r, index == expected);
        uint64_t *slot = slab_at(s, index);
        REQUIRE(r, slot[0] == 0 && slot[1] == 0 && slot[2] == 0);
        model->stamps[index] = random_next(r) | 1;
        slot[0] = model->stamps[index];
        slot[2] = model->stamps[index];
        return;
    }
    uint32_t index = random_below(r, model->high_water);
    REQUIRE(r, slab_is_used(s, index) == (model->stamps[index] != 0));
    if (model->stamps[index] != 0) {
        slab_release(s, index);
        model->stamps[index] = 0;
        model->free_list[model->free_count++] = index;
    }
}

static void compare_slab(struct test_random *r, const struct slab *s,
                         const struct slab_model *model)
{
    uint32_t next = slab_next(s, 0);
    for (uint32_t i = 0; i < model->high_water; i++) {
        bool used = model->stamps[i] != 0;
        REQUIRE(r, slab_is_used(s, i) == used);
        if (used) {
            REQUIRE(r, next == i);
            REQUIRE(r, *(uint64_t *)slab_at(s, i) == model->stamps[i]);
            next = slab_next(s, i + 1);
        }
    }
    REQUIRE(r, next == SLAB_NONE);
    REQUIRE(r, !slab_is_used(s, model->high_water) && !slab_is_used(s, SLAB_NONE));
    slab_check(s);
}

static void slab_save_all(const struct slab *s, struct writer *w)
{
    slab_shape_save(s, w);
    for (uint32_t i = slab_next(s, 0); i != SLAB_NONE; i = slab_next(s, i + 1)) {
        put_raw(w, slab_at(s, i), s->slot_size);
    }
}

/* The copy has the same slots used and hands out the same indexes from then on. */
static void slab_restore_and_go_on(struct test_random *r, struct slab *s)
{
    static uint8_t bytes[64 * 1024];
    struct writer w = writer_init(bytes, sizeof(bytes));
    slab_save_all(s, &w);
    REQUIRE(r, writer_finish(&w));
    struct slab copy;
    slab_init(&copy, 24, SLAB_CELLS);
    struct reader reader = reader_init(bytes, w.size);
    REQUIRE(r, slab_shape_load(&copy, &reader));
    for (uint32_t i = slab_next(&copy, 0); i != SLAB_NONE; i = slab_next(&copy, i + 1)) {
        get_raw(&reader, slab_at(&copy, i), copy.slot_size);
    }
    REQUIRE(r, reader_done(&reader));
    slab_check(&copy);
    while (copy.used < SLAB_CELLS) {
        REQUIRE(r, slab_reserve(&copy, 1) && slab_reserve(s, 1));
        REQUIRE(r, slab_take(&copy) == slab_take(s));
    }
    REQUIRE(r, !slab_reserve(&copy, 1));
    slab_fini(&copy);
}

static void test_slab_against_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct test_random r = random_from(seed);
        struct slab_model model = {.free_count = 0};
        struct slab s;
        slab_init(&s, 20, SLAB_CELLS); /* rounded up to 24 */
        assert_int_equal(s.slot_size, 24);
        for (r.step = 0; r.step < 1500; r.step++) {
            slab_change(&r, &s, &model, r.step < 900);
            if (r.step % 100 == 0) {
                compare_slab(&r, &s, &model);
            }
        }
        compare_slab(&r, &s, &model);
        slab_restore_and_go_on(&r, &s);
        slab_fini(&s);
    }
}

static void test_slab_pointers_stay(void **state)
{
    (void)state;
    struct slab s;
    slab_init(&s, 4096, 100000);
    assert_true(slab_reserve(&s, 1));
    uint32_t first = slab_take(&s);
    void *pointer = slab_at(&s, first);
    for (uint32_t i = 0; i < 3000; i++) { /* 47 chunks: the directory grows too */
        assert_true(slab_reserve(&s, 1));
        (void)slab_take(&s);
    }
    assert_ptr_equal(slab_at(&s, first), pointer);
    expect_assert_failure(slab_release(&s, 3001)); /* was never taken */
    expect_assert_failure((void)slab_at(&s, 3001));
    assert_false(slab_reserve(&s, 100000)); /* beyond the limit, and nothing changed */
    assert_int_equal(s.used, 3001);
    slab_check(&s);
    slab_fini(&s);
}

/* Shapes that cannot be: each is refused. */
static void test_slab_shape_refused(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        uint32_t words[6];
        uint32_t count;
    } cases[] = {
        {"nothing", {0}, 0},
        {"half a head", {5}, 1},
        {"more free than there are", {2, 3, 0, 1, 0, 0}, 5},
        {"a free slot beyond the end", {3, 1, 3, 0, 0, 0}, 6},
        {"a slot free twice", {3, 2, 1, 1, 0, 0}, 6},
        {"the free list is cut off", {3, 2, 1}, 3},
        {"above the limit", {101, 0, 0, 0, 0, 0}, 6},
        {"more slots than bytes follow", {17, 0, 0, 0, 0, 0}, 6},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct slab s;
        slab_init(&s, 8, 100);
        struct reader r = reader_init(cases[i].words, cases[i].count * sizeof(uint32_t));
        if (slab_shape_load(&s, &r)) {
            fail_msg("%s: was loaded", cases[i].what);
        }
        slab_fini(&s);
    }
}

/* ---- texts ---- */

static void fill_text(char *out, size_t size, uint64_t stamp)
{
    for (size_t i = 0; i < size; i++) {
        out[i] = (char)(stamp * 31 + i * 7);
    }
}

static void test_texts_every_size(void **state)
{
    (void)state;
    struct texts t;
    texts_init(&t);
    static uint32_t handles[TEXT_BYTES_MAX + 1];
    char text[TEXT_BYTES_MAX];
    for (uint32_t size = 0; size <= TEXT_BYTES_MAX; size++) {
        fill_text(text, size, size);
        assert_true(texts_reserve(&t, 1));
        struct span s = {text, size};
        handles[size] = texts_keep(&t, s);
        assert_int_equal(handles[size] == TEXT_NONE, size == 0);
    }
    for (uint32_t size = 0; size <= TEXT_BYTES_MAX; size++) {
        fill_text(text, size, size);
        struct span s = {text, size};
        assert_true(span_equal(texts_at(&t, handles[size]), s));
    }
    texts_check(&t);
    for (uint32_t size = 0; size <= TEXT_BYTES_MAX; size++) {
        texts_drop(&t, handles[size]);
    }
    texts_check(&t);
    for (uint32_t c = 0; c < TEXT_CLASSES; c++) {
        assert_int_equal(t.classes[c].used, 0);
    }
    texts_fini(&t);
}

enum { TEXTS_BYTES = 2 * 1024 * 1024, TEXTS_LIVE = 200 };

/* Saves t into bytes and loads it into a second one, which must save to the same bytes. */
static void texts_round_trip(struct test_random *r, const struct texts *t, uint8_t *bytes)
{
    struct writer w = writer_init(bytes, TEXTS_BYTES / 2);
    texts_save(t, &w);
    REQUIRE(r, writer_finish(&w));
    struct texts copy;
    texts_init(&copy);
    struct reader reader = reader_init(bytes, w.size);
    REQUIRE(r, texts_load(&copy, &reader) && reader_done(&reader));
    struct writer again = writer_init(bytes + TEXTS_BYTES / 2, TEXTS_BYTES / 2);
    texts_save(&copy, &again);
    REQUIRE(r, again.size == w.size && memcmp(bytes, bytes + TEXTS_BYTES / 2, w.size) == 0);
    REQUIRE(r, texts_reserve(&copy, 1));
    struct span s = SPAN_LITERAL("next");
    uint32_t next = texts_keep(&copy, s);
    REQUIRE(r, span_is(texts_at(&copy, next), "next"));
    texts_check(&copy);
    texts_fini(&copy);
    for (size_t cut = 0; cut < w.size; cut += 97) {
        texts_init(&copy);
        reader = reader_init(bytes, cut);
        REQUIRE(r, !texts_load(&copy, &reader));
        texts_fini(&copy);
    }
}

static void test_texts_random(void **state)
{
    (void)state;
    uint8_t *bytes = malloc(TEXTS_BYTES);
    assert_non_null(bytes);
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct test_random r = random_from(seed);
        struct texts t;
        texts_init(&t);
        uint32_t handles[TEXTS_LIVE] = {0};
        size_t sizes[TEXTS_LIVE] = {0};
        char text[TEXT_BYTES_MAX];
        for (r.step = 0; r.step < 3000; r.step++) {
            uint32_t i = random_below(&r, TEXTS_LIVE);
            fill_text(text, sizes[i], i);
            struct span before = {text, sizes[i]};
            REQUIRE(&r, span_equal(texts_at(&t, handles[i]), before));
            texts_drop(&t, handles[i]);
            sizes[i] = random_below(&r, random_percent(&r, 50) ? 40 : TEXT_BYTES_MAX + 1);
            fill_text(text, sizes[i], i);
            struct span kept = {text, sizes[i]};
            REQUIRE(&r, texts_reserve(&t, 1));
            handles[i] = texts_keep(&t, kept);
        }
        texts_check(&t);
        texts_round_trip(&r, &t, bytes);
        texts_fini(&t);
    }
    free(bytes);
}

/* Handles that no text has: a damaged snapshot may hold any number. */
static void test_texts_bad_handle(void **state)
{
    (void)state;
    struct texts t;
    texts_init(&t);
    assert_true(texts_reserve(&t, 1));
    uint32_t handle = texts_keep(&t, span_from("kept"));
    static const uint32_t strange[] = {2, 1u << 29, (6u << 29) + 1, (7u << 29) + 1, UINT32_MAX};
    for (size_t i = 0; i < COUNT(strange); i++) {
        expect_assert_failure((void)texts_at(&t, strange[i]));
        expect_assert_failure(texts_drop(&t, strange[i]));
    }
    assert_true(span_is(texts_at(&t, handle), "kept"));
    texts_drop(&t, handle);
    expect_assert_failure((void)texts_at(&t, handle));
    static const char large[TEXT_BYTES_MAX + 1];
    struct span too_long = {large, sizeof(large)};
    expect_assert_failure((void)texts_keep(&t, too_long));
    texts_fini(&t);
}

/* ---- timers ---- */

enum { TIMER_IDS = 400 };

struct timers_model {
    int64_t due_ns[TIMER_IDS];
    uint32_t position[TIMER_IDS]; /* what place() told */
    uint32_t count;
};

static void model_place(void *context, uint64_t id, uint32_t position)
{
    struct timers_model *model = context;
    model->position[id] = position;
}

/* The id that must come first: least due time, then least id. */
static uint32_t model_first(const struct timers_model *model)
{
    uint32_t first = TIMER_IDS;
    for (uint32_t id = 0; id < TIMER_IDS; id++) {
        bool here = model->position[id] != TIMERS_NOWHERE;
        if (here && (first == TIMER_IDS || model->due_ns[id] < model->due_ns[first])) {
            first = id;
        }
    }
    return first;
}

static void timers_change(struct test_random *r, struct timers *t, struct timers_model *model)
{
    uint32_t id = random_below(r, TIMER_IDS);
    if (model->position[id] == TIMERS_NOWHERE) {
        REQUIRE(r, timers_reserve(t, 1));
        model->due_ns[id] = (int64_t)random_below(r, 50) - 25; /* many fall on the same time */
        timers_add(t, model->due_ns[id], id);
        model->count++;
    } else {
        REQUIRE(r, t->entries[model->position[id]].id == id);
        timers_remove(t, model->position[id]);
        REQUIRE(r, model->position[id] == TIMERS_NOWHERE);
        model->count--;
    }
    REQUIRE(r, t->count == model->count);
    const struct timer_entry *first = timers_first(t);
    REQUIRE(r, first == NULL ? model->count == 0 : first->id == model_first(model));
    REQUIRE(r, first == NULL || first->due_ns == model->due_ns[first->id]);
}

static void test_timers_against_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct test_random r = random_from(seed);
        struct timers_model model = {.count = 0};
        memset(model.position, 0xff, sizeof(model.position));
        struct timers t;
        timers_init(&t, model_place, &model);
        for (r.step = 0; r.step < 4000; r.step++) {
            timers_change(&r, &t, &model);
            timers_check(&t);
        }
        while (t.count > 0) { /* what is left comes out in order */
            uint32_t id = model_first(&model);
            REQUIRE(&r, timers_first(&t)->id == id);
            timers_remove(&t, 0);
            REQUIRE(&r, model.position[id] == TIMERS_NOWHERE);
        }
        timers_fini(&t);
        REQUIRE(&r, timers_first(&t) == NULL);
    }
}

static void test_timers_limits(void **state)
{
    (void)state;
    struct timers_model model = {.count = 0};
    struct timers t;
    timers_init(&t, model_place, &model);
    assert_null(timers_first(&t));
    assert_false(timers_reserve(&t, UINT32_MAX));
    assert_true(timers_reserve(&t, 2));
    timers_add(&t, INT64_MAX, 1);
    timers_add(&t, INT64_MIN, 2);
    assert_int_equal(timers_first(&t)->id, 2);
    timers_remove(&t, 0);
    assert_int_equal(timers_first(&t)->id, 1);
    timers_fini(&t);
}

/* ---- codec ---- */

static void test_codec_layout(void **state)
{
    (void)state;
    uint8_t bytes[64];
    struct writer w = writer_init(bytes, sizeof(bytes));
    put_u8(&w, 0x01);
    put_u16(&w, 0x0302);
    put_u32(&w, 0x07060504);
    put_u64(&w, 0x0f0e0d0c0b0a0908);
    put_i64(&w, -2);
    put_raw(&w, "xyz", 3);
    put_text(&w, span_from("hi"));
    put_text(&w, SPAN_EMPTY);
    static const uint8_t expected[] = {
        1,    2,    3,    4,    5,    6,    7,    8,   9,   10,  11, 12, 13,  14,  15, 0xfe,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 'x', 'y', 'z', 2,  0,  'h', 'i', 0,  0,
    };
    assert_int_equal(w.size, sizeof(expected));
    assert_memory_equal(bytes, expected, sizeof(expected));
    struct reader r = reader_init(bytes, w.size);
    assert_int_equal(get_u8(&r), 1);
    assert_int_equal(get_u16(&r), 0x0302);
    assert_int_equal(get_u32(&r), 0x07060504);
    assert_true(get_u64(&r) == 0x0f0e0d0c0b0a0908);
    assert_int_equal(get_i64(&r), -2);
    char raw[3];
    get_raw(&r, raw, 3);
    assert_memory_equal(raw, "xyz", 3);
    assert_true(span_is(get_text(&r), "hi"));
    assert_false(reader_done(&r));
    assert_int_equal(get_text(&r).size, 0);
    assert_true(reader_done(&r));
}

/* A field that does not fit is not begun, and nothing after it is written either. */
static void test_codec_overflow(void **state)
{
    (void)state;
    for (size_t room = 0; room < 15; room++) {
        uint8_t bytes[16];
        memset(bytes, 0xee, sizeof(bytes));
        struct writer w = writer_init(bytes, room);
        put_u64(&w, 0);
        put_text(&w, span_from("four"));
        put_u8(&w, 0);
        assert_true(w.overflow);
        assert_false(writer_finish(&w));
        assert_true(w.size <= room);
        for (size_t i = room; i < sizeof(bytes); i++) {
            assert_int_equal(bytes[i], 0xee);
        }
    }
    static char large[UINT16_MAX + 1];
    static uint8_t bytes[sizeof(large) + 16];
    struct writer w = writer_init(bytes, sizeof(bytes));
    struct span most = {large, UINT16_MAX};
    put_text(&w, most);
    assert_false(w.overflow);
    struct span too_long = {large, sizeof(large)};
    w = writer_init(bytes, sizeof(bytes));
    put_text(&w, too_long);
    assert_true(w.overflow);
}

static void test_codec_short_input(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {5, 0, 'h', 'e', 'l', 'l', 'o', 9};
    for (size_t size = 0; size < 7; size++) {
        struct reader r = reader_init(bytes, size);
        struct span text = get_text(&r);
        assert_true(r.bad);
        assert_int_equal(text.size, 0);
        assert_int_equal(get_u8(&r), 0); /* bad stays bad, even where a byte is left */
        uint8_t raw[2] = {7, 7};
        get_raw(&r, raw, sizeof(raw));
        assert_int_equal(raw[0] + raw[1], 0);
        assert_false(reader_done(&r));
    }
    struct reader r = reader_init(bytes, sizeof(bytes));
    assert_true(span_is(get_text(&r), "hello"));
    assert_int_equal(get_u8(&r), 9);
    assert_true(reader_done(&r));
}

struct sink {
    uint8_t data[4096];
    size_t size;
    size_t room;
    uint32_t flushes;
};

static bool sink_flush(void *context, const uint8_t *data, size_t size)
{
    struct sink *s = context;
    s->flushes++;
    if (s->size + size > s->room) {
        return false;
    }
    memcpy(s->data + s->size, data, size);
    s->size += size;
    return true;
}

static void put_many(struct writer *w, uint64_t seed)
{
    struct test_random r = random_from(seed);
    char text[30];
    for (uint32_t i = 0; i < 100; i++) {
        put_u8(w, (uint8_t)i);
        put_u64(w, random_next(&r));
        fill_text(text, sizeof(text), i);
        struct span s = {text, random_below(&r, sizeof(text))};
        put_text(w, s);
    }
}

/* Whatever the size of the buffer, the stream has the same bytes as one large buffer. */
static void test_codec_streaming(void **state)
{
    (void)state;
    static uint8_t whole[4096];
    struct writer w = writer_init(whole, sizeof(whole));
    put_many(&w, 3);
    assert_true(writer_finish(&w));
    for (size_t capacity = 30; capacity < 200; capacity += 7) {
        uint8_t buffer[200];
        struct sink sink = {.room = sizeof(sink.data)};
        struct writer s = writer_init(buffer, capacity);
        s.flush = sink_flush;
        s.context = &sink;
        put_many(&s, 3);
        assert_true(writer_finish(&s));
        assert_int_equal(s.size, 0);
        assert_int_equal(sink.size, w.size);
        assert_memory_equal(sink.data, whole, w.size);
        assert_true(sink.flushes > 1);
    }
}

static void test_codec_streaming_fails(void **state)
{
    (void)state;
    uint8_t buffer[32];
    struct sink sink = {.room = 100};
    struct writer w = writer_init(buffer, sizeof(buffer));
    w.flush = sink_flush;
    w.context = &sink;
    put_many(&w, 3);
    assert_true(w.overflow);
    assert_false(writer_finish(&w));
    uint32_t flushes = sink.flushes;
    put_many(&w, 3);
    assert_int_equal(sink.flushes, flushes); /* the destination is left alone after its failure */
    sink.room = sizeof(sink.data);
    w = writer_init(buffer, sizeof(buffer));
    w.flush = sink_flush;
    w.context = &sink;
    static const uint8_t large[33];
    put_raw(&w, large, sizeof(large)); /* larger than the buffer: cannot be streamed */
    assert_true(w.overflow);
}

/* ---- money ---- */

static void test_money_arithmetic(void **state)
{
    (void)state;
    int64_t out = 77;
    assert_true(money_add(INT64_MAX - 1, 1, &out));
    assert_true(out == INT64_MAX);
    out = 77;
    assert_false(money_add(INT64_MAX, 1, &out));
    assert_false(money_add(INT64_MIN, -1, &out));
    assert_false(money_sub(INT64_MIN, 1, &out));
    assert_false(money_sub(0, INT64_MIN, &out));
    assert_false(money_mul(INT64_MIN, -1, &out));
    assert_false(money_mul(INT64_MAX / 2 + 1, 2, &out));
    assert_int_equal(out, 77); /* a failure leaves the result alone */
    assert_true(money_sub(5, 7, &out));
    assert_int_equal(out, -2);
    assert_true(money_mul(-3, 7, &out));
    assert_int_equal(out, -21);
}

static void test_money_parse(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t minor; /* -1: refused */
    } cases[] = {
        {"0", 0},
        {"1", 100},
        {"1.5", 150},
        {"1.05", 105},
        {"1200.00", 120000},
        {"007", 700},
        {"0.01", 1},
        {"92233720368547758.07", INT64_MAX},
        {"92233720368547758.08", -1},
        {"92233720368547759", -1},
        {"9223372036854775807", -1},
        {"99999999999999999999", -1},
        {"", -1},
        {".", -1},
        {".5", -1},
        {"1.", -1},
        {"1.234", -1},
        {"1.2.3", -1},
        {"1,000", -1},
        {"-1", -1},
        {"+1", -1},
        {" 1", -1},
        {"1 ", -1},
        {"1e3", -1},
        {"0x10", -1},
        {"1.a", -1},
        {"1.0a", -1},
        {"NaN", -1},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t minor = -7;
        bool parsed = money_parse(span_from(cases[i].text), &minor);
        if (parsed != (cases[i].minor >= 0) || minor != (parsed ? cases[i].minor : -7)) {
            fail_msg("\"%s\": %s, %lld", cases[i].text, parsed ? "parsed" : "refused",
                     (long long)minor);
        }
    }
    int64_t minor;
    struct span cut = {"12345", 3}; /* the span ends where it ends, not at a NUL */
    assert_true(money_parse(cut, &minor));
    assert_int_equal(minor, 12300);
}

static void test_money_format(void **state)
{
    (void)state;
    static const struct {
        int64_t minor;
        const char *text;
    } cases[] = {
        {0, "0.00"},
        {1, "0.01"},
        {10, "0.10"},
        {100, "1.00"},
        {120000, "1200.00"},
        {-1, "-0.01"},
        {-12345, "-123.45"},
        {INT64_MAX, "92233720368547758.07"},
        {INT64_MIN, "-92233720368547758.08"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[MONEY_TEXT_MAX];
        assert_int_equal(money_format(cases[i].minor, text), strlen(cases[i].text));
        assert_string_equal(text, cases[i].text);
    }
    struct test_random r = random_from(1);
    for (r.step = 0; r.step < 2000; r.step++) {
        uint32_t shift = 1 + random_below(&r, 63);
        int64_t minor = (int64_t)(random_next(&r) >> shift);
        int64_t back = -1;
        char text[MONEY_TEXT_MAX];
        struct span s = {text, money_format(minor, text)};
        REQUIRE(&r, money_parse(s, &back) && back == minor);
    }
}

/* ---- span ---- */

static void test_span(void **state)
{
    (void)state;
    assert_int_equal(span_from(NULL).size, 0);
    assert_true(span_equal(SPAN_EMPTY, span_from("")));
    assert_false(span_equal(span_from("a"), span_from("b")));
    assert_false(span_equal(span_from("a"), span_from("ab")));
    assert_true(span_is(SPAN_LITERAL("abc"), "abc"));
    assert_true(span_starts_with(span_from("abc"), span_from("ab")));
    assert_true(span_starts_with(span_from("abc"), span_from("abc")));
    assert_false(span_starts_with(span_from("abc"), span_from("abcd")));
    assert_false(span_starts_with(span_from("abc"), span_from("b")));
    assert_true(span_starts_with(span_from("abc"), SPAN_EMPTY));
    assert_true(span_starts_with(SPAN_EMPTY, SPAN_EMPTY));
    assert_true(span_is(span_trim(span_from(" \t\r\n a b \n")), "a b"));
    assert_int_equal(span_trim(span_from(" \t ")).size, 0);
    assert_int_equal(span_trim(SPAN_EMPTY).size, 0);
    assert_true(span_equal_secret(span_from("secret"), span_from("secret")));
    assert_false(span_equal_secret(span_from("secret"), span_from("Secret")));
    assert_false(span_equal_secret(span_from("secret"), span_from("secreT")));
    assert_false(span_equal_secret(span_from("secret"), span_from("secre")));
    assert_true(span_equal_secret(SPAN_EMPTY, SPAN_EMPTY));
    struct span letters =
        span_from("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z"); /* 1, 2, 3, 4 bytes, 1 */
    const size_t cuts[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11};
    for (size_t most = 0; most < sizeof(cuts) / sizeof(cuts[0]); most++) {
        assert_int_equal(span_cut(letters, most).size, cuts[most]);
    }
    assert_int_equal(span_cut(SPAN_EMPTY, 0).size, 0);
}

static void test_span_parse_u64(void **state)
{
    (void)state;
    uint64_t value = 7;
    static const char *const refused[] = {"",    " 1",
                                          "1 ",  "-1",
                                          "+1",  "a",
                                          "1a",  "18446744073709551616",
                                          "1.0", "99999999999999999999"};
    for (size_t i = 0; i < COUNT(refused); i++) {
        assert_false(span_parse_u64(span_from(refused[i]), &value));
        assert_int_equal(value, 7);
    }
    assert_true(span_parse_u64(span_from("18446744073709551615"), &value));
    assert_true(value == UINT64_MAX);
    assert_true(span_parse_u64(span_from("000"), &value));
    assert_int_equal(value, 0);
}

/* ---- hashes and digests ---- */

static struct digest_value digest_of(const void *data, size_t size, size_t step)
{
    struct digest d;
    digest_init(&d);
    for (size_t at = 0; at < size; at += step) {
        digest_update(&d, (const uint8_t *)data + at, size - at < step ? size - at : step);
    }
    return digest_finish(&d);
}

/* Digests are recorded in journals and golden files: a changed value breaks all of them. */
static void test_digest_fixed(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t high;
        uint64_t low;
    } cases[] = {
        {"", 0xf9192aebc956dae2u, 0x07f1681968ab0fe2u},
        {"a", 0xc0b5bcd91dc5d1ffu, 0x13197341bceb93f7u},
        {"0123456789abcde", 0x9e7288a61b07c61au, 0x5dec5f9917a2e683u},
        {"0123456789abcdef", 0x50bbdd894cb4748fu, 0xafa44287472135dcu},
        {"0123456789abcdef0", 0xaf1b4fee414d822cu, 0x1a69b8ad469014e7u},
        {"Hakika keeps its word, whatever happens.", 0xb4653b8acf622827u, 0x6c38ae1f99ae63deu},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct digest_value v = digest_of(cases[i].text, strlen(cases[i].text), 100);
        if (v.high != cases[i].high || v.low != cases[i].low) {
            fail_msg("\"%s\": 0x%016llx, 0x%016llx", cases[i].text, (unsigned long long)v.high,
                     (unsigned long long)v.low);
        }
    }
    assert_true(hash_bytes("0123456789abcdefghi", 19, 5) == 0x1e4b6f194d7ab99eu);
    assert_true(hash_u64(1, 2) == 0xbd6066e6b2aeea0cu);
}

static void test_digest_pieces(void **state)
{
    (void)state;
    uint8_t data[300];
    fill_text((char *)data, sizeof(data), 9);
    for (size_t size = 0; size < sizeof(data); size += 13) {
        struct digest_value whole = digest_of(data, size, sizeof(data));
        for (size_t step = 1; step < 40; step++) {
            struct digest_value v = digest_of(data, size, step);
            assert_true(v.high == whole.high && v.low == whole.low);
        }
    }
    struct digest d;
    digest_init(&d);
    digest_update(&d, "ab", 2);
    digest_update(&d, NULL, 0);
    struct digest_value v = digest_finish(&d);
    assert_true(v.high == digest_of("ab", 2, 2).high);
}

/* Every bit, every appended zero and every length counts. */
static void test_digest_sees_everything(void **state)
{
    (void)state;
    uint8_t data[64] = {0};
    struct digest_value before = digest_of(data, sizeof(data), 64);
    for (size_t bit = 0; bit < sizeof(data) * 8; bit++) {
        data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        struct digest_value v = digest_of(data, sizeof(data), 64);
        assert_true(v.high != before.high && v.low != before.low);
        assert_true(hash_bytes(data, sizeof(data), 1) != hash_bytes(data, sizeof(data), 2));
        data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t size = 0; size < sizeof(data); size++) {
        struct digest_value a = digest_of(data, size, 64);
        struct digest_value b = digest_of(data, size + 1, 64);
        assert_true(a.high != b.high && a.low != b.low);
        assert_true(hash_bytes(data, size, 1) != hash_bytes(data, size + 1, 1));
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_map_against_model),     cmocka_unit_test(test_map_while_growing),
        cmocka_unit_test(test_map_reserve_is_enough), cmocka_unit_test(test_slab_against_model),
        cmocka_unit_test(test_slab_pointers_stay),    cmocka_unit_test(test_slab_shape_refused),
        cmocka_unit_test(test_texts_every_size),      cmocka_unit_test(test_texts_random),
        cmocka_unit_test(test_texts_bad_handle),      cmocka_unit_test(test_timers_against_model),
        cmocka_unit_test(test_timers_limits),         cmocka_unit_test(test_codec_layout),
        cmocka_unit_test(test_codec_overflow),        cmocka_unit_test(test_codec_short_input),
        cmocka_unit_test(test_codec_streaming),       cmocka_unit_test(test_codec_streaming_fails),
        cmocka_unit_test(test_money_arithmetic),      cmocka_unit_test(test_money_parse),
        cmocka_unit_test(test_money_format),          cmocka_unit_test(test_span),
        cmocka_unit_test(test_span_parse_u64),        cmocka_unit_test(test_digest_fixed),
        cmocka_unit_test(test_digest_pieces),         cmocka_unit_test(test_digest_sees_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
