/*
 * disk.h - the part of the operating system that durability rests on, as a table of functions, so
 * that a simulated disk can stand in (crash enumeration, deterministic simulation).
 *
 * Promises that the real disk makes and the simulated one breaks on purpose: a write is durable
 * only after sync on its file; a created, renamed or removed name only after sync_directory; and
 * after a failed sync nobody knows what is durable, although reads go on showing what was
 * written (only `forget` makes them tell the truth). Every function returns 0 or a negative errno.
 */
#ifndef HAKIKA_JOURNAL_DISK_H
#define HAKIKA_JOURNAL_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct disk_file; /* owned by the disk */

struct disk {
    void *context;
    /* Opens; with create makes the file when missing; with exclusive fails when it exists. */
    int (*open)(void *context, const char *path, bool writable, bool create, bool exclusive,
                struct disk_file **out);
    void (*close)(void *context, struct disk_file *file);
    /* Whole or nothing as far as the caller sees; short writes are finished inside. */
    int (*write_at)(void *context, struct disk_file *file, const void *data, size_t size,
                    uint64_t offset);
    /* Reads up to size bytes; *got is smaller only at the end of the file. */
    int (*read_at)(void *context, struct disk_file *file, void *data, size_t size, uint64_t offset,
                   size_t *got);
    int (*sync)(void *context, struct disk_file *file); /* fdatasync */
    /*
     * Drops what memory holds of a file that was just synced, so that reads come from the device:
     * after a failed sync of an earlier process the kernel may show pages that never got there.
     */
    int (*forget)(void *context, struct disk_file *file);
    int (*size)(void *context, struct disk_file *file, uint64_t *out);
    int (*rename)(void *context, const char *from, const char *to); /* replaces `to` */
    int (*remove)(void *context, const char *path);
    int (*make_directory)(void *context, const char *path); /* 0 also when it exists */
    int (*sync_directory)(void *context, const char *path);
    /* Calls back with each name in the directory (any order); false from the callback stops. */
    int (*list)(void *context, const char *path, bool (*callback)(void *, const char *name),
                void *callback_context);
    /*
     * Exclusive advisory lock on an open file until it is closed; -EWOULDBLOCK when somebody else
     * has it. A forked child does not keep it.
     */
    int (*lock)(void *context, struct disk_file *file);
};

/* The operating system's. Its functions may be called from any thread. */
struct disk *disk_real(void);

#endif
