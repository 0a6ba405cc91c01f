/*
 * shim.c - a library to preload: counts calls of one kind and makes the n-th one fail, as a broken
 * disk, a full one or an exhausted machine would.
 *
 *   FAULT_CALL    write | sync | open | rename | mmap | malloc
 *   FAULT_N       which one, from 1
 *   FAULT_MODE    once | from (that one and all later ones) | short (a write takes half of it)
 *                 | lie (every sync says that it did and does nothing; no counting)
 *                 | kill (only syncs: SIGKILL right after that one, which succeeded)
 *   FAULT_ERROR   errno to fail with (a number)
 *   FAULT_FOLDER  opens and renames, and syncs that kill, count only for paths that start so
 *   FAULT_REPORT  a file that is made when the fault strikes
 *
 * Allocations count only where the program itself makes them: what libraries do without memory is
 * theirs (OpenSSL 3.0 dies of it). Writes count on regular files only. Counting starts with the
 * first setrlimit, which the program calls before anything else. Calls go to the kernel directly
 * (allocations to the C library's own names), so nothing has to be looked up.
 */
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

enum kind { KIND_NONE, KIND_WRITE, KIND_SYNC, KIND_OPEN, KIND_RENAME, KIND_MMAP, KIND_MALLOC };
enum mode { MODE_ONCE, MODE_FROM, MODE_SHORT, MODE_LIE, MODE_KILL };

static struct {
    enum kind kind;
    enum mode mode;
    uint64_t n;
    int error;
    const char *folder;
    const char *report;
} plan;
static atomic_bool armed;
static uintptr_t program_start, program_end; /* its code */
static _Atomic uint64_t calls;

static enum kind kind_of(const char *name)
{
    static const char *const names[] = {"", "write", "sync", "open", "rename", "mmap", "malloc"};
    for (int i = KIND_WRITE; name != NULL && i <= KIND_MALLOC; i++) {
        if (strcmp(name, names[i]) == 0) {
            return (enum kind)i;
        }
    }
    return KIND_NONE;
}

static void read_plan(void)
{
    const char *mode = getenv("FAULT_MODE");
    const char *n = getenv("FAULT_N");
    const char *error = getenv("FAULT_ERROR");
    mode = mode != NULL ? mode : "once";
    plan.mode = strcmp(mode, "from") == 0    ? MODE_FROM
                : strcmp(mode, "short") == 0 ? MODE_SHORT
                : strcmp(mode, "lie") == 0   ? MODE_LIE
                : strcmp(mode, "kill") == 0  ? MODE_KILL
                                             : MODE_ONCE;
    plan.n = n != NULL ? strtoull(n, NULL, 10) : 0;
    plan.error = error != NULL ? (int)strtol(error, NULL, 10) : EIO;
    plan.folder = getenv("FAULT_FOLDER");
    plan.report = getenv("FAULT_REPORT");
    plan.kind = kind_of(getenv("FAULT_CALL"));
}

static void report(void)
{
    if (plan.report != NULL) {
        long fd = syscall(SYS_openat, AT_FDCWD, plan.report, O_CREAT | O_WRONLY, 0600);
        if (fd >= 0) {
            (void)syscall(SYS_close, fd);
        }
    }
}

/* The first object is the program. */
static int note_program(struct dl_phdr_info *info, size_t size, void *context)
{
    (void)size;
    (void)context;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type == PT_LOAD && (part->p_flags & PF_X) != 0) {
            program_start = info->dlpi_addr + part->p_vaddr;
            program_end = program_start + part->p_memsz;
        }
    }
    return 1;
}

static bool from_program(const void *caller)
{
    uintptr_t at = (uintptr_t)caller;
    return at >= program_start && at < program_end;
}

/* Is this call the one? */
static bool strikes(enum kind kind)
{
    if (!atomic_load(&armed) || plan.kind != kind || plan.mode == MODE_LIE) {
        return false;
    }
    uint64_t now = atomic_fetch_add(&calls, 1) + 1;
    if (now != plan.n && !(plan.mode == MODE_FROM && now > plan.n)) {
        return false;
    }
    if (now == plan.n) {
        report();
    }
    errno = plan.error;
    return true;
}

static bool is_ours(const char *path)
{
    return plan.folder == NULL || strncmp(path, plan.folder, strlen(plan.folder)) == 0;
}

static bool is_file(int fd)
{
    struct stat info;
    int before = errno;
    bool file = fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
    errno = before;
    return file;
}

/* Shadows the C library's; serve calls it first. */
int setrlimit64(__rlimit_resource_t what, const struct rlimit64 *limit)
{
    if (!atomic_load(&armed)) {
        read_plan();
        (void)dl_iterate_phdr(note_program, NULL);
        atomic_store(&armed, true);
    }
    return (int)syscall(SYS_prlimit64, 0, what, limit, NULL);
}

ssize_t write(int fd, const void *data, size_t size)
{
    if (plan.kind == KIND_WRITE && is_file(fd) && strikes(KIND_WRITE)) {
        return plan.mode == MODE_SHORT ? syscall(SYS_write, fd, data, size / 2) : -1;
    }
    return syscall(SYS_write, fd, data, size);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at)
{
    if (is_file(fd) && strikes(KIND_WRITE)) {
        return plan.mode == MODE_SHORT ? syscall(SYS_pwrite64, fd, data, size / 2, at) : -1;
    }
    return syscall(SYS_pwrite64, fd, data, size, at);
}

static bool lies(void)
{
    return atomic_load(&armed) && plan.mode == MODE_LIE;
}

static bool is_in_folder(int fd)
{
    char link[64];
    char path[1024];
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof(path) - 1);
    path[size > 0 ? size : 0] = '\0';
    return is_ours(path);
}

/* `call` is SYS_fdatasync or SYS_fsync. */
static int sync_file(int fd, long call)
{
    if (lies()) {
        return 0;
    }
    if (plan.mode != MODE_KILL) {
        return strikes(KIND_SYNC) ? -1 : (int)syscall(call, fd);
    }
    int status = (int)syscall(call, fd);
    if (is_in_folder(fd) && strikes(KIND_SYNC)) {
        (void)syscall(SYS_kill, (pid_t)syscall(SYS_getpid), SIGKILL);
    }
    return status;
}

int fdatasync(int fd)
{
    return sync_file(fd, SYS_fdatasync);
}

int fsync(int fd)
{
    return sync_file(fd, SYS_fsync);
}

int open64(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    if (plan.kind == KIND_OPEN && is_ours(path) && strikes(KIND_OPEN)) {
        return -1;
    }
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int rename(const char *from, const char *to)
{
    if (plan.kind == KIND_RENAME && is_ours(from) && strikes(KIND_RENAME)) {
        return -1;
    }
    return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

void *mmap64(void *at, size_t size, int protection, int flags, int fd, off64_t offset)
{
    if (strikes(KIND_MMAP)) {
        return MAP_FAILED;
    }
    long result = syscall(SYS_mmap, at, size, protection, flags, fd, offset);
    return (void *)result; /* -1 is MAP_FAILED */
}

static bool no_memory(const void *caller)
{
    return plan.kind == KIND_MALLOC && from_program(caller) && strikes(KIND_MALLOC);
}

void *malloc(size_t size)
{
    return no_memory(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return no_memory(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    return no_memory(__builtin_return_address(0)) ? NULL : __libc_realloc(old, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    if (no_memory(__builtin_return_address(0))) {
        return ENOMEM;
    }
    *out = __libc_memalign(alignment, size);
    return *out == NULL ? ENOMEM : 0;
}
