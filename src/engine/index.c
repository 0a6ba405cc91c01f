/*
 * index.c - see index.h. One LMDB table:
 *
 *   name (space, bytes) -> 0, record          of the primary name
 *   name (space, bytes) -> 1, primary name    of the others
 *   "."                 -> struct header      in the same transaction as every batch (X1)
 *
 * Names sort as things were made, so that what is written together lies together.
 * Tests: tests/unit/test_index.c.
 */
#include "engine/index.h"

#include <errno.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUILDING        ".building"
#define INDEX_MAP_BYTES ((size_t)256 << 30) /* of address space; the file grows as needed */

enum {
    INDEX_FORMAT = 2, /* and which names there are: an index of another one is built anew */
    VALUE_RECORD = 0,
    VALUE_ALIAS = 1,
    INDEX_PATH_MAX = 700,
    NAME_BYTES_MAX = 1 + OLD_NAME_BYTES,
    BATCH_ENTRY_MAX = 1 + OLD_NAMES_MAX * (2 + OLD_NAME_BYTES) + 4 + CLOSING_RECORD_MAX,
};

struct header {
    uint32_t format;
    uint32_t reserved;
    uint8_t identity[16];
    uint64_t generation;
    uint64_t position;
    uint8_t hash[JOURNAL_HASH_BYTES];
};

struct old_index {
    MDB_env *env;
    MDB_dbi table;
    MDB_txn *reader;                    /* the looking thread's; reset but during a look-up (X4) */
    uint8_t record[CLOSING_RECORD_MAX]; /* that was found last */
    bool foreign;
    struct header header; /* as it was committed last; the putting thread's */
    char path[INDEX_PATH_MAX];
    bool building; /* the file is path with BUILDING behind it */
};

/* ---- batches ---- */

void index_batch_init(struct index_batch *b, void *buffer, size_t size)
{
    memset(b, 0, sizeof(*b));
    CHECK(size >= BATCH_ENTRY_MAX);
    b->data = writer_init(buffer, size);
}

bool index_batch_has_room(const struct index_batch *b)
{
    return b->count < INDEX_BATCH_RECORDS && b->data.capacity - b->data.size >= BATCH_ENTRY_MAX;
}

void index_batch_add(struct index_batch *b, const struct old_names *names, struct span record)
{
    struct writer *w = &b->data;
    CHECK(index_batch_has_room(b));
    CHECK(names->count > 0 && record.size > 0 && record.size <= CLOSING_RECORD_MAX);
    put_u8(w, (uint8_t)names->count);
    for (uint32_t i = 0; i < names->count; i++) {
        const struct old_name *n = &names->name[i];
        put_u8(w, n->space);
        put_u8(w, n->size);
        put_raw(w, n->bytes, n->size);
    }
    put_u32(w, (uint32_t)record.size);
    put_raw(w, record.data, record.size);
    CHECK(!w->overflow);
    b->count++;
}

void index_batch_thing(struct index_batch *b, const struct book *book, uint8_t space,
                       uint64_t number)
{
    uint8_t bytes[CLOSING_RECORD_MAX];
    struct writer w = writer_init(bytes, sizeof(bytes));
    struct old_names names = {.count = 0};
    struct old_name primary = old_name_of(space, number);
    const struct domain_closing *closing = book_closing(book, space);
    CHECK(closing != NULL);
    old_names_add(&names, &primary);
    closing->record(book->domain_state, number, &w, &names);
    CHECK(!w.overflow);
    index_batch_add(b, &names, (struct span){(const char *)bytes, w.size});
}

void index_batch_key(struct index_batch *b, const struct idempotency_entry *key)
{
    uint8_t bytes[64];
    struct writer w = writer_init(bytes, sizeof(bytes));
    struct old_names names = {.count = 1};
    names.name[0].space = OLD_SPACE_KEY;
    names.name[0].size = sizeof(key->key);
    memcpy(names.name[0].bytes, key->key, sizeof(key->key));
    book_key_record(key, &w);
    CHECK(!w.overflow);
    index_batch_add(b, &names, (struct span){(const char *)bytes, w.size});
}

/* ---- opening ---- */

static bool failed(char *message, const char *what, int status)
{
    (void)snprintf(message, INDEX_MESSAGE_MAX,
                   "the index of old ids: %s failed: %s. The journal is not affected; if this "
                   "stays so, stop, remove the index and start: it is built anew",
                   what, status == MDB_MAP_FULL ? "it is full" : mdb_strerror(status));
    return false;
}

static const MDB_val header_key = {1, (void *)(uintptr_t) "."};

/* The header as it is on disk; zero when the table is empty. */
static int header_read(MDB_txn *txn, MDB_dbi table, struct header *out, bool *foreign)
{
    MDB_val key = header_key;
    MDB_val value;
    memset(out, 0, sizeof(*out));
    *foreign = false;
    int status = mdb_get(txn, table, &key, &value);
    if (status == MDB_NOTFOUND) {
        return MDB_SUCCESS;
    }
    if (status == MDB_SUCCESS && value.mv_size == sizeof(*out)) {
        memcpy(out, value.mv_data, sizeof(*out));
    }
    *foreign = status == MDB_SUCCESS && out->format != INDEX_FORMAT;
    return status;
}

static int header_write(struct old_index *index, MDB_txn *txn, const struct header *header)
{
    MDB_val key = header_key;
    MDB_val value = {sizeof(*header), (void *)(uintptr_t)header};
    return mdb_put(txn, index->table, &key, &value, 0);
}

static void file_of(const struct old_index *index, const char *end, char out[INDEX_PATH_MAX + 32])
{
    (void)snprintf(out, INDEX_PATH_MAX + 32, "%s%s%s", index->path, index->building ? BUILDING : "",
                   end);
}

static int environment_open(struct old_index *index)
{
    char path[INDEX_PATH_MAX + 32];
    file_of(index, "", path);
    int status = mdb_env_create(&index->env);
    if (status == MDB_SUCCESS) {
        status = mdb_env_set_mapsize(index->env, INDEX_MAP_BYTES);
    }
    if (status == MDB_SUCCESS) {
        /* No read-ahead: a look-up touches a few pages of gigabytes. One that is being built is
         * nobody's index before it is synced and renamed. */
        unsigned flags = MDB_NOSUBDIR | MDB_NOTLS | MDB_NORDAHEAD;
        status = mdb_env_open(index->env, path, flags | (index->building ? MDB_NOSYNC : 0), 0600);
    }
    return status;
}

/* Environment, table, header, and the transaction of look-ups. */
static int index_start(struct old_index *index)
{
    MDB_txn *txn = NULL;
    int status = environment_open(index);
    if (status == MDB_SUCCESS) {
        status = mdb_txn_begin(index->env, NULL, 0, &txn);
    }
    if (status == MDB_SUCCESS) {
        status = mdb_dbi_open(txn, NULL, 0, &index->table);
    }
    if (status == MDB_SUCCESS) {
        status = header_read(txn, index->table, &index->header, &index->foreign);
    }
    if (status == MDB_SUCCESS) {
        status = mdb_txn_commit(txn);
        txn = NULL;
    }
    if (status == MDB_SUCCESS) {
        status = mdb_txn_begin(index->env, NULL, MDB_RDONLY, &index->reader);
    }
    if (txn != NULL) {
        mdb_txn_abort(txn);
    }
    if (status == MDB_SUCCESS) {
        mdb_txn_reset(index->reader);
    }
    return status;
}

static struct old_index *index_of(const char *path, const uint8_t identity[16], bool building,
                                  int *status)
{
    struct old_index *index = calloc(1, sizeof(*index));
    *status = index == NULL ? ENOMEM : MDB_SUCCESS;
    if (index == NULL) {
        return NULL;
    }
    (void)snprintf(index->path, sizeof(index->path), "%s", path);
    index->building = building;
    if (building) {
        char file[INDEX_PATH_MAX + 32];
        file_of(index, "", file);
        (void)unlink(file);
    }
    *status = index_start(index);
    if (*status != MDB_SUCCESS) {
        index_close(index);
        return NULL;
    }
    const uint8_t *known = index->header.identity;
    bool empty = index->header.format == 0;
    index->foreign = index->foreign || (!empty && memcmp(known, identity, 16) != 0);
    memcpy(index->header.identity, identity, sizeof(index->header.identity));
    return index;
}

struct old_index *index_open(const char *path, const uint8_t identity[16], bool *damaged,
                             char *message)
{
    int status;
    struct old_index *index = index_of(path, identity, false, &status);
    *damaged = status == MDB_INVALID || status == MDB_VERSION_MISMATCH || status == MDB_CORRUPTED ||
               status == MDB_PANIC || status == MDB_PAGE_NOTFOUND || status == MDB_INCOMPATIBLE;
    if (index == NULL) {
        (void)failed(message, "opening it", status);
    }
    return index;
}

struct old_index *index_create(const char *path, const uint8_t identity[16], char *message)
{
    int status;
    struct old_index *index = index_of(path, identity, true, &status);
    if (index == NULL) {
        (void)failed(message, "making a new one", status);
    }
    return index;
}

void index_close(struct old_index *index)
{
    if (index == NULL) {
        return;
    }
    if (index->reader != NULL) {
        mdb_txn_abort(index->reader);
    }
    if (index->env != NULL) {
        mdb_env_close(index->env);
    }
    free(index);
}

struct index_state index_state_of(const struct old_index *index)
{
    const struct header *h = &index->header;
    struct index_state state = {
        .generation = h->generation,
        .position = h->position,
        .foreign = index->foreign,
    };
    memcpy(state.hash, h->hash, sizeof(state.hash));
    return state;
}

/* ---- does it fit? (X2) ---- */

struct hash_look {
    uint64_t position;
    const uint8_t *hash;
    bool same;
};

static bool look_at_batch(void *context, const struct journal_read_batch *batch)
{
    struct hash_look *look = context;
    uint64_t last = batch->first_position + batch->frame_count - 1;
    look->same = last == look->position && memcmp(batch->hash, look->hash, JOURNAL_HASH_BYTES) == 0;
    return false;
}

bool index_fits(const struct old_index *index, struct journal *journal, const struct book *book,
                const char **why)
{
    struct index_state s = index_state_of(index);
    struct hash_look look = {s.position, s.hash, false};
    struct journal_error error;
    *why = NULL;
    if (s.foreign) {
        *why = "it belongs to another journal or program version";
    } else if (s.position > journal_head(journal).position) {
        *why = "it knows more than the journal has: acknowledged history was lost or an older copy "
               "of the journal was put in its place";
    } else if (book->left_as_of > 0 &&
               (s.position < book->left_as_of || s.generation != book->generation)) {
        *why = s.position == 0 ? "it is empty" : "it is older than the journal";
    } else if (s.generation > book->generation) {
        *why = "it is of another history";
    } else if (s.position > 0 &&
               (journal_read(journal, s.position, look_at_batch, &look, &error) != JOURNAL_OK ||
                !look.same)) {
        *why = "it is of another history";
    }
    return *why == NULL;
}

/* ---- putting ---- */

static size_t name_bytes(const struct old_name *n, uint8_t out[NAME_BYTES_MAX])
{
    CHECK(n->space != 0 && n->space != '.' && n->size <= OLD_NAME_BYTES);
    out[0] = n->space;
    memcpy(out + 1, n->bytes, n->size);
    return 1u + n->size;
}

static void name_read(struct reader *r, struct old_name *out)
{
    memset(out, 0, sizeof(*out));
    out->space = get_u8(r);
    out->size = get_u8(r);
    CHECK(out->size <= OLD_NAME_BYTES);
    get_raw(r, out->bytes, out->size);
}

static int put_value(struct old_index *index, MDB_txn *txn, const struct old_name *name,
                     uint8_t kind, struct span content)
{
    uint8_t key_bytes[NAME_BYTES_MAX];
    MDB_val key = {name_bytes(name, key_bytes), key_bytes};
    MDB_val value = {1 + content.size, NULL};
    int status = mdb_put(txn, index->table, &key, &value, MDB_RESERVE);
    if (status == MDB_SUCCESS) {
        uint8_t *at = value.mv_data;
        at[0] = kind;
        memcpy(at + 1, content.data, content.size);
    }
    return status;
}

/* One record of a batch under all its names. */
static int put_entry(struct old_index *index, MDB_txn *txn, struct reader *r)
{
    struct old_name names[OLD_NAMES_MAX];
    uint8_t primary[NAME_BYTES_MAX];
    uint32_t count = get_u8(r);
    CHECK(count > 0 && count <= OLD_NAMES_MAX);
    for (uint32_t i = 0; i < count; i++) {
        name_read(r, &names[i]);
    }
    uint32_t size = get_u32(r);
    struct span record = {(const char *)reader_claim(r, size), size};
    CHECK(!r->bad);
    int status = put_value(index, txn, &names[0], VALUE_RECORD, record);
    struct span to = {(const char *)primary, name_bytes(&names[0], primary)};
    for (uint32_t i = 1; i < count && status == MDB_SUCCESS; i++) {
        status = put_value(index, txn, &names[i], VALUE_ALIAS, to);
    }
    return status;
}

/* Ends a transaction with the header; X1. */
static bool commit(struct old_index *index, MDB_txn *txn, int status, const struct header *header,
                   char *message)
{
    if (status == MDB_SUCCESS) {
        status = header_write(index, txn, header);
    }
    if (status != MDB_SUCCESS) {
        mdb_txn_abort(txn);
        return failed(message, "writing", status);
    }
    status = mdb_txn_commit(txn);
    if (status != MDB_SUCCESS) {
        return failed(message, "writing", status);
    }
    index->header = *header;
    return true;
}

/* Begins one that leaves the index at that head. */
static int begin(struct old_index *index, uint64_t generation, const struct journal_head *head,
                 MDB_txn **txn, struct header *header)
{
    *header = index->header;
    header->format = INDEX_FORMAT;
    header->generation = generation;
    header->position = head->position;
    memcpy(header->hash, head->hash, sizeof(header->hash));
    int status = mdb_txn_begin(index->env, NULL, 0, txn);
    bool other_world = index->header.generation != generation && index->header.generation != 0;
    if (status == MDB_SUCCESS && other_world) {
        status = mdb_drop(*txn, index->table, 0);
        if (status != MDB_SUCCESS) {
            mdb_txn_abort(*txn);
        }
    }
    return status;
}

bool index_put(struct old_index *index, const struct index_batch *batch, char *message)
{
    MDB_txn *txn = NULL;
    struct header header;
    CHECK(!index->foreign);
    int status = begin(index, batch->generation, &batch->head, &txn, &header);
    if (status != MDB_SUCCESS) {
        return failed(message, "writing", status);
    }
    struct reader r = reader_init(batch->data.data, batch->data.size);
    for (uint32_t i = 0; i < batch->count && status == MDB_SUCCESS; i++) {
        status = put_entry(index, txn, &r);
    }
    return commit(index, txn, status, &header, message);
}

static bool put_in_place(struct old_index *index, char *message)
{
    char from[INDEX_PATH_MAX + 32];
    char lock[INDEX_PATH_MAX + 32];
    file_of(index, "", from);
    file_of(index, "-lock", lock);
    (void)unlink(lock);
    if (rename(from, index->path) != 0) {
        return failed(message, "putting the new one in its place", errno);
    }
    return true;
}

bool index_finish(struct old_index *index, uint64_t generation, const struct journal_head *head,
                  char *message)
{
    MDB_txn *txn = NULL;
    struct header header;
    CHECK(index->building);
    int status = begin(index, generation, head, &txn, &header);
    bool good = status == MDB_SUCCESS ? commit(index, txn, status, &header, message)
                                      : failed(message, "writing", status);
    if (good) {
        status = mdb_env_sync(index->env, 1);
        good = status == MDB_SUCCESS || failed(message, "writing", status);
    }
    good = good && put_in_place(index, message);
    index_close(index);
    return good;
}

/* ---- looking up ---- */

static int find_value(struct old_index *index, const struct old_name *name, MDB_val *value)
{
    uint8_t bytes[NAME_BYTES_MAX];
    MDB_val key = {name_bytes(name, bytes), bytes};
    return mdb_get(index->reader, index->table, &key, value);
}

static enum index_answer find_record(struct old_index *index, const struct old_name *name,
                                     struct old_name *primary, struct span *record)
{
    MDB_val value;
    *primary = *name;
    int status = find_value(index, name, &value);
    const uint8_t *bytes = value.mv_data;
    if (status == MDB_SUCCESS && value.mv_size > 1 && bytes[0] == VALUE_ALIAS &&
        value.mv_size <= 1 + NAME_BYTES_MAX) {
        memset(primary, 0, sizeof(*primary));
        primary->space = bytes[1];
        primary->size = (uint8_t)(value.mv_size - 2);
        memcpy(primary->bytes, bytes + 2, primary->size);
        status = find_value(index, primary, &value);
        bytes = value.mv_data;
    }
    if (status == MDB_NOTFOUND) {
        return INDEX_NOTHING;
    }
    if (status != MDB_SUCCESS || value.mv_size < 2 || bytes[0] != VALUE_RECORD ||
        value.mv_size - 1 > sizeof(index->record)) {
        return INDEX_FAILED;
    }
    memcpy(index->record, bytes + 1, value.mv_size - 1);
    *record = (struct span){(const char *)index->record, value.mv_size - 1};
    return INDEX_FOUND;
}

static enum index_answer find_in(struct old_index *index, uint64_t generation,
                                 const struct old_name *name, struct old_name *primary,
                                 struct span *record)
{
    struct header header;
    bool foreign;
    if (header_read(index->reader, index->table, &header, &foreign) != MDB_SUCCESS || foreign) {
        return INDEX_FAILED;
    }
    if (header.generation != generation) {
        return INDEX_NOTHING; /* nothing of this world has left */
    }
    return find_record(index, name, primary, record);
}

enum index_answer index_find(struct old_index *index, uint64_t generation,
                             const struct old_name *name, struct old_name *primary,
                             struct span *record)
{
    if (mdb_txn_renew(index->reader) != MDB_SUCCESS) {
        return INDEX_FAILED;
    }
    enum index_answer answer = find_in(index, generation, name, primary, record);
    mdb_txn_reset(index->reader);
    return answer;
}

uint64_t index_bytes(const struct old_index *index)
{
    MDB_envinfo info;
    MDB_stat stat;
    if (mdb_env_info(index->env, &info) != MDB_SUCCESS ||
        mdb_env_stat(index->env, &stat) != MDB_SUCCESS) {
        return 0;
    }
    return (uint64_t)(info.me_last_pgno + 1) * stat.ms_psize;
}
