/*
 * sim_disk.c - see sim_disk.h.
 *
 * Invariants (file_check)
 *  D1  a sector is dirty if and only if it has an entry in its file's list of writes; `latest`
 *      finds the newest, `older` leads to the ones before it.
 *  D2  a sector that is not dirty and not a phantom reads as it is durable.
 *  D3  a name change is in the list of changes until its directory is synced.
 */
#include "sim/sim_disk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/hash.h"

enum {
    FILES_MAX = 128,
    NAMES_MAX = 96,
    CHANGES_MAX = 512,
    PATH_MAX_SIM = 160,
    NONE = -1,
    DIRECTORY = -2, /* in place of a file's index */
};

struct bytes {
    uint8_t *data;
    uint64_t size;
    uint64_t capacity; /* what is behind size is zero */
};

struct write {
    uint64_t sector;
    int32_t older;   /* the entry of the same sector before this one, or NONE */
    int32_t content; /* its place among the file's contents; NONE: zeros, as most are */
};

struct file {
    bool used;
    uint32_t handles;
    bool locked;
    struct bytes durable;
    struct bytes shown;
    struct write *writes;
    int32_t write_count;
    int32_t write_capacity;
    struct bytes contents; /* of `writes`, sector after sector */
    int32_t *latest;       /* per sector of `shown`: its newest entry, or NONE */
    uint64_t latest_capacity;
};

struct name {
    char path[PATH_MAX_SIM];
    int32_t file; /* index, or DIRECTORY */
};

struct names {
    struct name entry[NAMES_MAX];
    size_t count;
};

/* A change of names that is not durable: `from` goes (when not empty), `to` becomes `file`. */
struct change {
    char from[PATH_MAX_SIM];
    char to[PATH_MAX_SIM];
    int32_t file;
};

struct disk_file {
    struct sim_disk *sim;
    int32_t file;
    bool writable;
    bool holds_lock;
};

struct sim_disk {
    struct disk interface;
    struct file files[FILES_MAX];
    struct names durable;
    struct names shown;
    struct change changes[CHANGES_MAX];
    size_t change_count;
    uint64_t limit;
    bool lie;
    unsigned fail_operations;
    uint64_t fail_countdown;
    int fail_error;
    bool fail_repeat;
    uint64_t failures;
    unsigned watch_operations;
    sim_watch_fn watch;
    void *watch_context;
};

/* --- bytes ------------------------------------------------------------------------------------ */

static void *must(void *memory)
{
    CHECK(memory != NULL);
    return memory;
}

static void bytes_reserve(struct bytes *bytes, uint64_t capacity)
{
    if (capacity <= bytes->capacity) {
        return;
    }
    uint64_t larger = bytes->capacity == 0 ? 4096 : bytes->capacity;
    while (larger < capacity) {
        larger *= 2;
    }
    bytes->data = must(realloc(bytes->data, larger));
    memset(bytes->data + bytes->capacity, 0, larger - bytes->capacity);
    bytes->capacity = larger;
}

static void bytes_resize(struct bytes *bytes, uint64_t size)
{
    bytes_reserve(bytes, (size + SIM_SECTOR_BYTES - 1) / SIM_SECTOR_BYTES * SIM_SECTOR_BYTES);
    if (size < bytes->size) {
        memset(bytes->data + size, 0, bytes->size - size);
    }
    bytes->size = size;
}

/* Whatever `to` held; a byte is written once, for this is most of what a simulated disk does. */
static void bytes_copy(struct bytes *to, const struct bytes *from)
{
    uint64_t held = to->size;
    if (to->capacity < from->capacity) {
        free(to->data);
        to->data = must(malloc(from->capacity));
        to->capacity = from->capacity;
        held = to->capacity;
    }
    if (held > from->size) {
        memset(to->data + from->size, 0, held - from->size);
    }
    if (from->size > 0) {
        memcpy(to->data, from->data, from->size);
    }
    to->size = from->size;
}

/* The sector of a content; NULL when it is entirely behind what was ever reserved. */
static uint8_t *bytes_sector(struct bytes *bytes, uint64_t sector)
{
    bytes_reserve(bytes, (sector + 1) * SIM_SECTOR_BYTES);
    return bytes->data + sector * SIM_SECTOR_BYTES;
}

/* --- files ------------------------------------------------------------------------------------ */

static void file_check(const struct file *file)
{
    CHECK(file->used);
    CHECK(file->write_count >= 0 && file->write_count <= file->write_capacity);
    CHECK(IMPLIES(file->locked, file->handles > 0));
}

static void file_forget_writes(struct file *file)
{
    for (int32_t i = 0; i < file->write_count; i++) {
        file->latest[file->writes[i].sector] = NONE;
    }
    file->write_count = 0;
    file->contents.size = 0; /* behind it lies what it lies: contents_keep writes whole sectors */
}

/* Nobody's, but for the contents. */
static void file_release(struct file *file)
{
    file_forget_writes(file);
    file->handles = 0;
    file->locked = false;
    file->used = false;
}

static void file_reset(struct file *file)
{
    if (file->durable.size > 0) {
        bytes_resize(&file->durable, 0);
    }
    if (file->shown.size > 0) {
        bytes_resize(&file->shown, 0);
    }
    file_release(file);
}

static void file_reserve_latest(struct file *file, uint64_t sectors)
{
    if (sectors <= file->latest_capacity) {
        return;
    }
    uint64_t larger = file->latest_capacity == 0 ? 64 : file->latest_capacity;
    while (larger < sectors) {
        larger *= 2;
    }
    file->latest = must(realloc(file->latest, larger * sizeof(*file->latest)));
    for (uint64_t i = file->latest_capacity; i < larger; i++) {
        file->latest[i] = NONE;
    }
    file->latest_capacity = larger;
}

/* What a write made of its sector. */
static const uint8_t *write_data(const struct file *file, const struct write *write)
{
    static const uint8_t zeros[SIM_SECTOR_BYTES];
    size_t place = write->content == NONE ? 0 : (size_t)write->content * SIM_SECTOR_BYTES;
    CHECK(write->content == NONE || place < file->contents.size);
    return write->content == NONE ? zeros : file->contents.data + place;
}

/* Keeps the content of a sector; its place, or NONE. */
static int32_t contents_keep(struct bytes *contents, const uint8_t *sector)
{
    if (sector[0] == 0 && memcmp(sector, sector + 1, SIM_SECTOR_BYTES - 1) == 0) {
        return NONE;
    }
    uint64_t place = contents->size / SIM_SECTOR_BYTES;
    memcpy(bytes_sector(contents, place), sector, SIM_SECTOR_BYTES);
    contents->size += SIM_SECTOR_BYTES;
    return (int32_t)place;
}

/* Notes that a sector, as it is shown now, is dirty. */
static void file_note(struct file *file, uint64_t sector)
{
    file_reserve_latest(file, sector + 1);
    if (file->write_count == file->write_capacity) {
        file->write_capacity = file->write_capacity == 0 ? 64 : 2 * file->write_capacity;
        file->writes =
            must(realloc(file->writes, (size_t)file->write_capacity * sizeof(*file->writes)));
    }
    struct write *write = &file->writes[file->write_count];
    write->sector = sector;
    write->older = file->latest[sector];
    write->content = contents_keep(&file->contents, bytes_sector(&file->shown, sector));
    file->latest[sector] = file->write_count++;
}

static void file_write(struct file *file, const uint8_t *data, size_t size, uint64_t offset)
{
    if (size == 0) {
        return;
    }
    if (offset + size > file->shown.size) {
        bytes_resize(&file->shown, offset + size);
    }
    memcpy(file->shown.data + offset, data, size);
    for (uint64_t s = offset / SIM_SECTOR_BYTES; s <= (offset + size - 1) / SIM_SECTOR_BYTES; s++) {
        file_note(file, s);
    }
}

static void file_sync(struct file *file)
{
    for (int32_t i = 0; i < file->write_count; i++) {
        const struct write *write = &file->writes[i];
        bool fresh = write->sector * SIM_SECTOR_BYTES >= file->durable.size; /* zero already */
        if (file->latest[write->sector] == i && !(fresh && write->content == NONE)) {
            memcpy(bytes_sector(&file->durable, write->sector), write_data(file, write),
                   SIM_SECTOR_BYTES);
        }
    }
    file_forget_writes(file);
    bytes_resize(&file->durable, file->shown.size);
}

static void file_copy(struct file *to, const struct file *from)
{
    file_release(to);
    to->used = true;
    bytes_copy(&to->durable, &from->durable);
    bytes_copy(&to->shown, &from->shown);
    if (from->write_count > 0) {
        file_reserve_latest(to, from->latest_capacity);
        memcpy(to->latest, from->latest, from->latest_capacity * sizeof(*to->latest));
        if (to->write_capacity < from->write_count) {
            to->write_capacity = from->write_count;
            to->writes =
                must(realloc(to->writes, (size_t)to->write_capacity * sizeof(*to->writes)));
        }
        memcpy(to->writes, from->writes, (size_t)from->write_count * sizeof(*to->writes));
        to->write_count = from->write_count;
        bytes_copy(&to->contents, &from->contents);
    }
    file_check(to);
}

/* --- names ------------------------------------------------------------------------------------ */

static void parent_of(const char *path, char out[PATH_MAX_SIM])
{
    const char *slash = strrchr(path, '/');
    CHECK(strlen(path) < PATH_MAX_SIM);
    if (slash == NULL) {
        memcpy(out, ".", 2);
    } else {
        size_t length = slash == path ? 1 : (size_t)(slash - path);
        memcpy(out, path, length);
        out[length] = '\0';
    }
}

static struct name *names_find(struct names *names, const char *path)
{
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->entry[i].path, path) == 0) {
            return &names->entry[i];
        }
    }
    return NULL;
}

static const struct name *names_get(const struct names *names, const char *path)
{
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->entry[i].path, path) == 0) {
            return &names->entry[i];
        }
    }
    return NULL;
}

static bool names_is_directory(const struct names *names, const char *path)
{
    const struct name *name = names_get(names, path);
    return strcmp(path, ".") == 0 || strcmp(path, "/") == 0 ||
           (name != NULL && name->file == DIRECTORY);
}

static void names_remove(struct names *names, const char *path)
{
    struct name *name = names_find(names, path);
    if (name != NULL) {
        names->count--;
        size_t behind = (size_t)(&names->entry[names->count] - name);
        memmove(name, name + 1, behind * sizeof(*name));
    }
}

static void names_set(struct names *names, const char *path, int32_t file)
{
    struct name *name = names_find(names, path);
    if (name == NULL) {
        CHECK(names->count < NAMES_MAX);
        CHECK(strlen(path) < PATH_MAX_SIM);
        name = &names->entry[names->count++];
        memcpy(name->path, path, strlen(path) + 1);
    }
    name->file = file;
}

static void names_copy(struct names *to, const struct names *from)
{
    memcpy(to->entry, from->entry, from->count * sizeof(from->entry[0]));
    to->count = from->count;
}

static void names_apply(struct names *names, const struct change *change)
{
    if (change->from[0] != '\0') {
        names_remove(names, change->from);
    }
    if (change->to[0] != '\0') {
        names_set(names, change->to, change->file);
    }
}

/* Names in directories that are not there are not there either. */
static void names_drop_orphans(struct names *names)
{
    for (bool again = true; again;) {
        again = false;
        for (size_t i = 0; i < names->count && !again; i++) {
            char parent[PATH_MAX_SIM];
            parent_of(names->entry[i].path, parent);
            if (!names_is_directory(names, parent)) {
                names_remove(names, names->entry[i].path);
                again = true;
            }
        }
    }
}

/* Changes what is shown, and remembers that it is not durable. */
static void change_names(struct sim_disk *sim, const char *from, const char *to, int32_t file)
{
    CHECK(sim->change_count < CHANGES_MAX);
    struct change *change = &sim->changes[sim->change_count++];
    change->from[0] = '\0';
    change->to[0] = '\0';
    if (from != NULL) {
        memcpy(change->from, from, strlen(from) + 1);
    }
    if (to != NULL) {
        memcpy(change->to, to, strlen(to) + 1);
    }
    change->file = file;
    names_apply(&sim->shown, change);
}

static bool names_hold(const struct names *names, int32_t index)
{
    for (size_t i = 0; i < names->count; i++) {
        if (names->entry[i].file == index) {
            return true;
        }
    }
    return false;
}

static bool file_is_named(const struct sim_disk *sim, int32_t index)
{
    if (names_hold(&sim->durable, index) || names_hold(&sim->shown, index)) {
        return true;
    }
    for (size_t i = 0; i < sim->change_count; i++) {
        if (sim->changes[i].file == index) {
            return true;
        }
    }
    return false;
}

static int32_t file_allocate(struct sim_disk *sim)
{
    for (int32_t i = 0; i < FILES_MAX; i++) {
        struct file *file = &sim->files[i];
        if (file->used && file->handles == 0 && !file_is_named(sim, i)) {
            file_reset(file);
        }
        if (!file->used) {
            file->used = true;
            return i;
        }
    }
    UNREACHABLE("too many files on the simulated disk");
}

/* --- faults and watching ---------------------------------------------------------------------- */

/* The error that this operation fails with, or 0. */
static int fault(struct sim_disk *sim, enum sim_operation operation)
{
    if ((sim->fail_operations & (unsigned)operation) == 0 || sim->fail_countdown == 0) {
        return 0;
    }
    sim->fail_countdown--;
    if (sim->fail_countdown > 0) {
        return 0;
    }
    sim->fail_countdown = sim->fail_repeat ? 1 : 0;
    sim->failures++;
    return -sim->fail_error;
}

static int done(struct sim_disk *sim, enum sim_operation operation, int result)
{
    if (sim->watch != NULL && (sim->watch_operations & (unsigned)operation) != 0) {
        sim->watch(sim->watch_context, operation);
    }
    return result;
}

uint64_t sim_disk_used(const struct sim_disk *sim)
{
    uint64_t total = 0;
    for (int32_t i = 0; i < FILES_MAX; i++) {
        const struct file *file = &sim->files[i];
        bool there = file->used && (file->handles > 0 || names_hold(&sim->shown, i));
        total += there ? file->shown.size : 0;
    }
    return total;
}

/* --- the interface ---------------------------------------------------------------------------- */

static int sim_open(void *context, const char *path, bool writable, bool create, bool exclusive,
                    struct disk_file **out)
{
    struct sim_disk *sim = context;
    *out = NULL;
    int error = fault(sim, SIM_OPEN);
    if (error != 0) {
        return error;
    }
    char parent[PATH_MAX_SIM];
    parent_of(path, parent);
    const struct name *name = names_get(&sim->shown, path);
    if (!names_is_directory(&sim->shown, parent) || (name == NULL && !create)) {
        return -ENOENT;
    }
    if (name != NULL && (exclusive || name->file == DIRECTORY)) {
        return exclusive ? -EEXIST : -EISDIR;
    }
    bool created = name == NULL;
    int32_t index = created ? file_allocate(sim) : name->file;
    if (created) {
        change_names(sim, NULL, path, index);
    }
    struct disk_file *file = must(calloc(1, sizeof(*file)));
    *file = (struct disk_file){.sim = sim, .file = index, .writable = writable};
    sim->files[index].handles++;
    *out = file;
    return created ? done(sim, SIM_OPEN, 0) : 0;
}

static void sim_close(void *context, struct disk_file *handle)
{
    struct sim_disk *sim = context;
    CHECK(handle->sim == sim);
    struct file *file = &sim->files[handle->file];
    file_check(file);
    CHECK(file->handles > 0);
    file->handles--;
    if (handle->holds_lock) {
        file->locked = false;
    }
    free(handle);
}

static int sim_write_at(void *context, struct disk_file *handle, const void *data, size_t size,
                        uint64_t offset)
{
    struct sim_disk *sim = context;
    struct file *file = &sim->files[handle->file];
    CHECK(handle->sim == sim && handle->writable);
    file_check(file);
    int error = fault(sim, SIM_WRITE);
    uint64_t grows = offset + size > file->shown.size ? offset + size - file->shown.size : 0;
    if (error == 0 && sim->limit != 0 && grows > 0 && sim_disk_used(sim) + grows > sim->limit) {
        error = -ENOSPC;
        sim->failures++;
    }
    if (error != 0) {
        size = (size_t)(hash_u64(offset, size) % (size + 1)); /* a part of it */
        if (error == -ENOSPC && offset + size > file->shown.size) {
            size = offset < file->shown.size ? (size_t)(file->shown.size - offset) : 0;
        }
    }
    file_write(file, data, size, offset);
    return done(sim, SIM_WRITE, error);
}

static int sim_read_at(void *context, struct disk_file *handle, void *data, size_t size,
                       uint64_t offset, size_t *got)
{
    struct sim_disk *sim = context;
    CHECK(handle->sim == sim);
    const struct file *file = &sim->files[handle->file];
    file_check(file);
    *got = 0;
    int error = fault(sim, SIM_READ);
    if (error != 0) {
        return error;
    }
    if (offset < file->shown.size) {
        uint64_t left = file->shown.size - offset;
        *got = size < left ? size : (size_t)left;
        memcpy(data, file->shown.data + offset, *got);
    }
    return 0;
}

static void sector_decide(struct file *to, const struct file *from, int32_t entry, unsigned choice,
                          uint64_t salt);

static int sim_sync(void *context, struct disk_file *handle)
{
    struct sim_disk *sim = context;
    CHECK(handle->sim == sim);
    struct file *file = &sim->files[handle->file];
    file_check(file);
    int error = fault(sim, SIM_SYNC);
    if (error != 0) { /* clean from now on, wherever they got to */
        for (int32_t i = 0; i < file->write_count; i++) {
            if (file->latest[file->writes[i].sector] == i) {
                uint64_t salt = hash_u64(sim->failures, (uint64_t)i);
                sector_decide(file, file, i, (unsigned)(salt % 4), salt);
            }
        }
        file_forget_writes(file);
    } else if (!sim->lie) {
        file_sync(file);
    }
    return done(sim, SIM_SYNC, error);
}

static int sim_forget(void *context, struct disk_file *handle)
{
    struct sim_disk *sim = context;
    CHECK(handle->sim == sim);
    struct file *file = &sim->files[handle->file];
    file_check(file);
    int error = fault(sim, SIM_FORGET);
    if (error == 0 && file->write_count == 0) { /* dirty pages stay, as in life */
        bytes_copy(&file->shown, &file->durable);
    }
    return error;
}

static int sim_size(void *context, struct disk_file *handle, uint64_t *out)
{
    struct sim_disk *sim = context;
    CHECK(handle->sim == sim);
    const struct file *file = &sim->files[handle->file];
    file_check(file);
    *out = file->shown.size;
    return fault(sim, SIM_SIZE);
}

static int sim_rename(void *context, const char *from, const char *to)
{
    struct sim_disk *sim = context;
    int error = fault(sim, SIM_RENAME);
    if (error != 0) {
        return error;
    }
    const struct name *name = names_get(&sim->shown, from);
    if (name == NULL || name->file == DIRECTORY) {
        return name == NULL ? -ENOENT : -EISDIR;
    }
    change_names(sim, from, to, name->file);
    return done(sim, SIM_RENAME, 0);
}

static int sim_remove(void *context, const char *path)
{
    struct sim_disk *sim = context;
    int error = fault(sim, SIM_REMOVE);
    if (error != 0) {
        return error;
    }
    const struct name *name = names_get(&sim->shown, path);
    if (name == NULL || name->file == DIRECTORY) {
        return name == NULL ? -ENOENT : -EISDIR;
    }
    change_names(sim, path, NULL, NONE);
    return done(sim, SIM_REMOVE, 0);
}

static int sim_make_directory(void *context, const char *path)
{
    struct sim_disk *sim = context;
    int error = fault(sim, SIM_MAKE_DIRECTORY);
    if (error != 0) {
        return error;
    }
    if (names_is_directory(&sim->shown, path)) {
        return 0;
    }
    char parent[PATH_MAX_SIM];
    parent_of(path, parent);
    if (names_get(&sim->shown, path) != NULL) {
        return -ENOTDIR;
    }
    if (!names_is_directory(&sim->shown, parent)) {
        return -ENOENT;
    }
    change_names(sim, NULL, path, DIRECTORY);
    return done(sim, SIM_MAKE_DIRECTORY, 0);
}

static bool change_is_in(const struct change *change, const char *directory)
{
    char parent[PATH_MAX_SIM];
    parent_of(change->to[0] != '\0' ? change->to : change->from, parent);
    return strcmp(parent, directory) == 0;
}

static int sim_sync_directory(void *context, const char *path)
{
    struct sim_disk *sim = context;
    int error = fault(sim, SIM_SYNC_DIRECTORY);
    if (error != 0) {
        return done(sim, SIM_SYNC_DIRECTORY, error);
    }
    if (!names_is_directory(&sim->shown, path)) {
        return -ENOENT;
    }
    size_t kept = 0;
    for (size_t i = 0; i < sim->change_count && !sim->lie; i++) {
        if (change_is_in(&sim->changes[i], path)) {
            names_apply(&sim->durable, &sim->changes[i]);
        } else {
            sim->changes[kept++] = sim->changes[i];
        }
    }
    sim->change_count = sim->lie ? sim->change_count : kept;
    return done(sim, SIM_SYNC_DIRECTORY, 0);
}

static int sim_list(void *context, const char *path, bool (*callback)(void *, const char *name),
                    void *callback_context)
{
    struct sim_disk *sim = context;
    int error = fault(sim, SIM_LIST);
    if (error != 0) {
        return error;
    }
    if (!names_is_directory(&sim->shown, path)) {
        return -ENOENT;
    }
    for (size_t i = 0; i < sim->shown.count; i++) {
        char parent[PATH_MAX_SIM];
        const char *name = sim->shown.entry[i].path;
        parent_of(name, parent);
        const char *slash = strrchr(name, '/');
        if (strcmp(parent, path) == 0 &&
            !callback(callback_context, slash == NULL ? name : slash + 1)) {
            break;
        }
    }
    return 0;
}

static int sim_lock(void *context, struct disk_file *handle)
{
    struct sim_disk *sim = context;
    CHECK(handle->sim == sim);
    struct file *file = &sim->files[handle->file];
    int error = fault(sim, SIM_LOCK);
    if (error != 0) {
        return error;
    }
    if (file->locked && !handle->holds_lock) {
        return -EWOULDBLOCK;
    }
    file->locked = true;
    handle->holds_lock = true;
    return 0;
}

/* --- power cuts ------------------------------------------------------------------------------- */

enum sector_choice { SECTOR_OLD, SECTOR_NEW, SECTOR_TORN, SECTOR_GARBAGE, SECTOR_BETWEEN };

/* How many versions of a dirty sector lie between what is durable and the newest. */
static unsigned sector_between(const struct file *file, int32_t entry)
{
    unsigned count = 0;
    for (int32_t i = file->writes[entry].older; i != NONE; i = file->writes[i].older) {
        count++;
    }
    return count;
}

static void sector_garbage(uint8_t *sector, uint64_t salt)
{
    for (size_t i = 0; i < SIM_SECTOR_BYTES; i += sizeof(uint64_t)) {
        uint64_t word = hash_u64(salt, i);
        memcpy(sector + i, &word, sizeof(word));
    }
}

/* What the device has of one dirty sector after the cut. */
static void sector_decide(struct file *to, const struct file *from, int32_t entry, unsigned choice,
                          uint64_t salt)
{
    const struct write *write = &from->writes[entry];
    uint8_t *sector = bytes_sector(&to->durable, write->sector);
    uint64_t end = (write->sector + 1) * SIM_SECTOR_BYTES;
    if (choice == SECTOR_OLD) {
        return;
    }
    if (choice == SECTOR_NEW) {
        memcpy(sector, write_data(from, write), SIM_SECTOR_BYTES);
    } else if (choice == SECTOR_TORN) {
        size_t part = (size_t)(salt % (SIM_SECTOR_BYTES / 8 - 1) + 1) * 8;
        memcpy(sector, write_data(from, write), part);
    } else if (choice == SECTOR_GARBAGE) {
        sector_garbage(sector, salt);
    } else {
        int32_t version = entry;
        for (unsigned i = SECTOR_BETWEEN; i <= choice; i++) {
            version = from->writes[version].older;
            CHECK(version != NONE);
        }
        memcpy(sector, write_data(from, &from->writes[version]), SIM_SECTOR_BYTES);
    }
    uint64_t used = end < from->shown.size ? end : from->shown.size;
    if (used > to->durable.size) {
        bytes_resize(&to->durable, used);
    }
    if (end > to->durable.size) { /* zeros behind the end */
        memset(sector + SIM_SECTOR_BYTES - (end - to->durable.size), 0, end - to->durable.size);
    }
}

/* Where decisions come from: the digits of a number, or a random generator in some mood. */
struct chooser {
    bool random;
    uint64_t number; /* what is left of it, or the generator's state */
    unsigned mood;
    uint64_t salt;
};

static uint64_t chooser_random(struct chooser *chooser)
{
    chooser->number += 0x9e3779b97f4a7c15u;
    return hash_u64(chooser->number, 0x5eed);
}

static unsigned choose(struct chooser *chooser, unsigned radix)
{
    CHECK(radix > 0);
    if (!chooser->random) {
        unsigned digit = (unsigned)(chooser->number % radix);
        chooser->number /= radix;
        return digit;
    }
    uint64_t random = chooser_random(chooser);
    switch (chooser->mood) {
    case 0: /* anything */ return (unsigned)(random % radix);
    case 1: /* mostly new, here and there something else */
        return random % 16 != 0 ? SECTOR_NEW % radix : (unsigned)(random / 16 % radix);
    case 2: /* mostly old */ return random % 16 != 0 ? SECTOR_OLD : (unsigned)(random / 16 % radix);
    default: /* old or new only */ return (unsigned)(random % 2) % radix;
    }
}

static void cut_file(struct file *to, const struct file *from, struct chooser *chooser)
{
    file_release(to);
    to->used = true;
    bytes_copy(&to->durable, &from->durable);
    for (int32_t i = 0; i < from->write_count; i++) {
        if (from->latest[from->writes[i].sector] != i) {
            continue;
        }
        unsigned choice = choose(chooser, SECTOR_BETWEEN + sector_between(from, i));
        uint64_t salt = hash_u64(chooser->salt, (uint64_t)i);
        sector_decide(to, from, i, choice, salt);
    }
    if (from->shown.size != from->durable.size && choose(chooser, 2) == 1) {
        bytes_resize(&to->durable, from->shown.size);
    }
    bytes_copy(&to->shown, &to->durable);
}

static void cut(struct sim_disk *to, const struct sim_disk *from, struct chooser *chooser)
{
    CHECK(to != from);
    for (int32_t i = 0; i < FILES_MAX; i++) {
        if (from->files[i].used && file_is_named(from, i)) {
            cut_file(&to->files[i], &from->files[i], chooser);
        } else if (to->files[i].used) {
            file_reset(&to->files[i]);
        }
    }
    names_copy(&to->durable, &from->durable);
    for (size_t i = 0; i < from->change_count; i++) {
        if (choose(chooser, 2) == 1) {
            names_apply(&to->durable, &from->changes[i]);
        }
    }
    names_drop_orphans(&to->durable);
    names_copy(&to->shown, &to->durable);
    to->change_count = 0;
    to->limit = from->limit;
}

uint64_t sim_disk_cut_count(const struct sim_disk *sim, uint64_t most)
{
    uint64_t count = 1;
    CHECK(most > 0 && most < UINT64_MAX / 64);
    for (int32_t f = 0; f < FILES_MAX && count < most; f++) {
        const struct file *file = &sim->files[f];
        if (!file->used || !file_is_named(sim, f)) {
            continue;
        }
        for (int32_t i = 0; i < file->write_count && count < most; i++) {
            if (file->latest[file->writes[i].sector] == i) {
                count *= SECTOR_BETWEEN + sector_between(file, i);
            }
        }
        count *= file->shown.size != file->durable.size ? 2 : 1;
    }
    for (size_t i = 0; i < sim->change_count && count < most; i++) {
        count *= 2;
    }
    return count < most ? count : most;
}

void sim_disk_cut(struct sim_disk *to, const struct sim_disk *from, uint64_t number)
{
    struct chooser chooser = {.number = number, .salt = hash_u64(number, 1)};
    cut(to, from, &chooser);
    CHECK(chooser.number == 0);
}

void sim_disk_cut_random(struct sim_disk *to, const struct sim_disk *from, uint64_t seed)
{
    struct chooser chooser = {.random = true,
                              .number = hash_u64(seed, 2),
                              .mood = (unsigned)(hash_u64(seed, 3) % 4),
                              .salt = hash_u64(seed, 4)};
    cut(to, from, &chooser);
}

void sim_disk_copy(struct sim_disk *to, const struct sim_disk *from)
{
    CHECK(to != from);
    for (int32_t i = 0; i < FILES_MAX; i++) {
        if (from->files[i].used && file_is_named(from, i)) {
            file_copy(&to->files[i], &from->files[i]);
        } else if (to->files[i].used) {
            file_reset(&to->files[i]);
        }
    }
    names_copy(&to->durable, &from->durable);
    names_copy(&to->shown, &from->shown);
    memcpy(to->changes, from->changes, from->change_count * sizeof(from->changes[0]));
    to->change_count = from->change_count;
    to->limit = from->limit;
}

/* --- life, faults, observing ------------------------------------------------------------------ */

struct sim_disk *sim_disk_create(void)
{
    struct sim_disk *sim = must(calloc(1, sizeof(*sim)));
    sim->interface = (struct disk){
        .context = sim,
        .open = sim_open,
        .close = sim_close,
        .write_at = sim_write_at,
        .read_at = sim_read_at,
        .sync = sim_sync,
        .forget = sim_forget,
        .size = sim_size,
        .rename = sim_rename,
        .remove = sim_remove,
        .make_directory = sim_make_directory,
        .sync_directory = sim_sync_directory,
        .list = sim_list,
        .lock = sim_lock,
    };
    return sim;
}

void sim_disk_destroy(struct sim_disk *sim)
{
    if (sim == NULL) {
        return;
    }
    for (int32_t i = 0; i < FILES_MAX; i++) {
        free(sim->files[i].durable.data);
        free(sim->files[i].shown.data);
        free(sim->files[i].writes);
        free(sim->files[i].contents.data);
        free(sim->files[i].latest);
    }
    free(sim);
}

struct disk *sim_disk_interface(struct sim_disk *sim)
{
    return &sim->interface;
}

void sim_disk_fail(struct sim_disk *sim, unsigned operations, uint64_t countdown, int error,
                   bool repeat)
{
    CHECK(error >= 0);
    sim->fail_operations = operations;
    sim->fail_countdown = countdown;
    sim->fail_error = error;
    sim->fail_repeat = repeat;
}

uint64_t sim_disk_failures(const struct sim_disk *sim)
{
    return sim->failures;
}

void sim_disk_limit(struct sim_disk *sim, uint64_t bytes)
{
    sim->limit = bytes;
}

void sim_disk_lie(struct sim_disk *sim, bool lie)
{
    sim->lie = lie;
}

void sim_disk_settle(struct sim_disk *sim)
{
    for (int32_t i = 0; i < FILES_MAX; i++) {
        if (sim->files[i].used) {
            file_sync(&sim->files[i]);
        }
    }
    names_copy(&sim->durable, &sim->shown);
    sim->change_count = 0;
}

void sim_disk_put(struct sim_disk *sim, const char *path, const uint8_t *data, uint64_t size)
{
    const struct name *name = names_get(&sim->shown, path);
    int32_t index = name != NULL ? name->file : file_allocate(sim);
    CHECK(index >= 0);
    struct file *file = &sim->files[index];
    CHECK(file->write_count == 0);
    bytes_resize(&file->durable, 0);
    bytes_resize(&file->durable, size);
    if (size > 0) {
        memcpy(file->durable.data, data, size);
    }
    bytes_copy(&file->shown, &file->durable);
    names_set(&sim->durable, path, index);
    names_set(&sim->shown, path, index);
}

void sim_disk_drop(struct sim_disk *sim, const char *path)
{
    names_remove(&sim->durable, path);
    names_remove(&sim->shown, path);
}

bool sim_disk_flip(struct sim_disk *sim, const char *path, uint64_t offset, uint8_t bits)
{
    const struct name *name = names_get(&sim->shown, path);
    if (name == NULL || name->file == DIRECTORY) {
        return false;
    }
    struct file *file = &sim->files[name->file];
    CHECK(file->write_count == 0);
    if (offset >= file->shown.size || offset >= file->durable.size) {
        return false;
    }
    file->shown.data[offset] ^= bits;
    file->durable.data[offset] ^= bits;
    return true;
}

void sim_disk_watch(struct sim_disk *sim, unsigned operations, sim_watch_fn watch, void *context)
{
    sim->watch_operations = operations;
    sim->watch = watch;
    sim->watch_context = context;
}

const uint8_t *sim_disk_content(const struct sim_disk *sim, const char *path, uint64_t *size_out)
{
    const struct name *name = names_get(&sim->shown, path);
    if (name == NULL || name->file == DIRECTORY) {
        return NULL;
    }
    const struct file *file = &sim->files[name->file];
    static const uint8_t nothing;
    *size_out = file->shown.size;
    return file->shown.size == 0 ? &nothing : file->shown.data;
}

uint64_t sim_disk_fingerprint(const struct sim_disk *sim)
{
    uint64_t sum = 0; /* of all names, so that their order does not matter */
    for (size_t i = 0; i < sim->shown.count; i++) {
        const struct name *name = &sim->shown.entry[i];
        uint64_t one = hash_bytes(name->path, strlen(name->path), 1);
        if (name->file != DIRECTORY) {
            const struct bytes *shown = &sim->files[name->file].shown;
            one = hash_bytes(shown->data, shown->size, one);
        }
        sum += one;
    }
    return sum;
}
