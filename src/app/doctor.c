/*
 * doctor.c - see doctor.h. Looks at everything outside the program that a gateway needs, one line
 * each: what was tried, on what, what was wrong, what to do. It goes on after something is wrong.
 *
 * It changes nothing but a file of its own in the data folder, which it removes, and never prints a
 * secret. It asks the provider for an access token and nothing else.
 * Tests: tests/e2e/345-production.sh.
 */
#include "app/doctor.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#include "app/command.h"
#include "app/config.h"
#include "app/monotonic.h"
#include "app/secret_file.h"
#include "wire/base64.h"
#include "delivery/delivery.h"

enum {
    ANSWER_MAX = 4096,
    HOST_MAX = 256,
    TIMEOUT_S = 10,
    CLOCK_OFF_S_MAX = 30,
    SYNC_MS_MAX = 100,
    CREDENTIAL_SIZE_MIN = 4,
};
#define FREE_BYTES_MIN (UINT64_C(1) << 30)

static const char DOCTOR_HELP[] =
    "hakika doctor [FLAGS] [PROVIDER]: looks at everything that a gateway in production needs and\n"
    "says what is wrong and what to do. FLAGS are those of hakika serve, as you mean to start it.\n"
    "\n"
    "  --provider-url URL           where Daraja is: https://api.safaricom.co.ke\n"
    "  --consumer-key-file FILE     credentials of your app there; a token is asked for\n"
    "  --consumer-secret-file FILE\n"
    "\n"
    "Looked at: settings, API key, key file, disk, callback URL with its DNS and TLS, provider,\n"
    "clock. Exit status: 0 all is well, 1 something is wrong, 2 wrong arguments.\n";

struct doctor {
    struct config config;
    const char *provider_url;
    const char *key_file;
    const char *secret_file;
    uint32_t wrong;
    int64_t date_s; /* what somebody else's clock says; 0: nobody was heard */
    const char *date_from;
};

static void line(struct doctor *d, bool good, const char *what, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void line(struct doctor *d, bool good, const char *what, const char *format, ...)
{
    va_list arguments;
    (void)printf("%-5s %-12s ", good ? "ok" : "WRONG", what);
    va_start(arguments, format);
    (void)vprintf(format, arguments);
    va_end(arguments);
    (void)printf("\n");
    d->wrong += !good;
}

/* ---- on this machine ---- */

static void look_at_api_key(struct doctor *d)
{
    char key[SECRET_FILE_MAX + 1];
    char error[256];
    const char *path = d->config.api_key_file;
    if (path[0] == '\0') {
        line(d, true, "API key",
             "none given (--api-key-file): needed at the first start in "
             "production only");
        return;
    }
    bool good = secret_file_read(path, API_KEY_SIZE_MIN, key, error);
    explicit_bzero(key, sizeof(key));
    line(d, good, "API key", "%s", good ? path : error);
}

static void look_at_key_file(struct doctor *d)
{
    char path[640];
    char error[256];
    (void)snprintf(path, sizeof(path), "%s/secret.key", d->config.data);
    if (access(path, F_OK) != 0) {
        line(d, true, "key file",
             "%s is not there yet: the first start makes it; back it up then, "
             "nothing sealed can be read without it",
             path);
        return;
    }
    struct secrets *s = secrets_open(path, error);
    line(d, s != NULL, "key file", "%s", s != NULL ? path : error);
    secrets_close(s);
}

/* How long a block takes to the disk; -1 with errno. */
static int64_t measure_sync(const char *folder)
{
    char path[640];
    char block[4096] = "";
    (void)snprintf(path, sizeof(path), "%s/doctor.XXXXXX", folder);
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    int64_t begun_ms = monotonic_ms();
    bool good = write(fd, block, sizeof(block)) == (ssize_t)sizeof(block) && fdatasync(fd) == 0;
    int saved = errno;
    int64_t took_ms = monotonic_ms() - begun_ms;
    (void)unlink(path);
    (void)close(fd);
    errno = saved;
    return good ? took_ms : -1;
}

static void look_at_disk(struct doctor *d)
{
    const char *folder = d->config.data;
    struct statvfs disk;
    if (access(folder, F_OK) != 0) {
        folder = ".";
    }
    if (statvfs(folder, &disk) != 0) {
        line(d, false, "disk", "cannot ask how full the disk of %s is: %s", folder,
             strerror(errno));
        return;
    }
    uint64_t free_bytes = (uint64_t)disk.f_bavail * disk.f_frsize;
    line(d, free_bytes >= FREE_BYTES_MIN, "disk", "%s has %" PRIu64 " MiB free%s", folder,
         free_bytes >> 20,
         free_bytes >= FREE_BYTES_MIN ? ""
                                      : ": make room, at least 1 GiB, or payments are refused");
    int64_t took_ms = measure_sync(folder);
    if (took_ms < 0) {
        line(d, false, "disk",
             "cannot write to %s: %s; make it the folder of the user that runs "
             "hakika",
             folder, strerror(errno));
        return;
    }
    line(d, took_ms <= SYNC_MS_MAX, "disk", "a synced block takes %" PRId64 " ms in %s%s", took_ms,
         folder, took_ms <= SYNC_MS_MAX ? "" : ": payments would wait; use a disk of its own");
}

/* ---- over the network ---- */

struct answer {
    char text[ANSWER_MAX + 1];
    size_t size;
    long status;
    int64_t date_s;
    char error[CURL_ERROR_SIZE];
};

static size_t take_body(char *data, size_t size, size_t count, void *context)
{
    struct answer *a = context;
    size_t bytes = size * count;
    size_t room = ANSWER_MAX - a->size;
    size_t kept = bytes < room ? bytes : room;
    memcpy(a->text + a->size, data, kept);
    a->size += kept;
    return bytes;
}

static size_t take_header(char *data, size_t size, size_t count, void *context)
{
    struct answer *a = context;
    char text[64] = "";
    size_t bytes = size * count;
    if (bytes > 6 && bytes < sizeof(text) && strncasecmp(data, "date: ", 6) == 0) {
        memcpy(text, data + 6, bytes - 6);
        time_t date = curl_getdate(text, NULL);
        a->date_s = date > 0 ? (int64_t)date : 0;
    }
    return bytes;
}

/* False: no answer at all; the reason is in a->error. */
static bool fetch(struct doctor *d, const char *url, const char *authorization, struct answer *a)
{
    CURL *curl = curl_easy_init();
    struct curl_slist *headers = NULL;
    memset(a, 0, sizeof(*a));
    if (curl == NULL) {
        (void)snprintf(a->error, sizeof(a->error), "out of memory");
        return false;
    }
    if (authorization != NULL) {
        headers = curl_slist_append(NULL, authorization);
    }
    (void)curl_easy_setopt(curl, CURLOPT_URL, url);
    (void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)TIMEOUT_S);
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_PROXY, "");
    (void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, a->error);
    (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, a);
    (void)curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    (void)curl_easy_setopt(curl, CURLOPT_HEADERDATA, a);
    CURLcode code = curl_easy_perform(curl);
    (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &a->status);
    if (code != CURLE_OK && a->error[0] == '\0') {
        (void)snprintf(a->error, sizeof(a->error), "%s", curl_easy_strerror(code));
    }
    curl_easy_cleanup(curl);
    curl_slist_free_all(headers);
    if (code == CURLE_OK && a->date_s > 0) {
        d->date_s = a->date_s;
        d->date_from = url;
    }
    return code == CURLE_OK;
}

/* The host of a URL that config has accepted. */
static bool host_of(const char *url, char out[HOST_MAX])
{
    CURLU *parts = curl_url();
    char *host = NULL;
    bool good = parts != NULL && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
                curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK;
    if (good) {
        int size = snprintf(out, HOST_MAX, "%s", host);
        good = size > 0 && size < HOST_MAX;
    }
    curl_free(host);
    curl_url_cleanup(parts);
    return good;
}

/* Does the name lead somewhere, and only where the world can reach? */
static bool look_at_name(struct doctor *d, const char *url)
{
    char host[HOST_MAX];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    if (!host_of(url, host)) {
        line(d, false, "DNS", "%s has no host that can be looked up", url);
        return false;
    }
    int code = getaddrinfo(host, NULL, &hints, &list);
    if (code != 0) {
        line(d, false, "DNS",
             "%s does not resolve: %s; give it an address where its domain is kept", host,
             gai_strerror(code));
        return false;
    }
    uint32_t private = 0;
    for (struct addrinfo *a = list; a != NULL; a = a->ai_next) {
        private += !delivery_address_public(a->ai_addr);
    }
    freeaddrinfo(list);
    bool must = d->config.profile == PROFILE_PRODUCTION;
    line(d, !must || private == 0, "DNS", "%s resolves%s", host,
         private == 0 ? ""
         : must       ? " to a private address, where no provider can reach it: use a public one"
                      : " to a private address: good enough for a test");
    return true;
}

static void look_at_callback_url(struct doctor *d)
{
    static struct answer answer;
    char url[260];
    const char *base = d->config.merchant_url;
    if (base[0] == '\0') {
        line(d, false, "callback URL",
             "none is set: give --merchant-url, the https address where "
             "providers reach the merchant's port");
        return;
    }
    if (!look_at_name(d, base)) {
        return;
    }
    (void)snprintf(url, sizeof(url), "%s/healthz", base);
    bool tls = strncmp(base, "https:", 6) == 0;
    if (!fetch(d, url, NULL, &answer)) {
        line(d, false, tls ? "TLS" : "callback URL",
             "asked %s: %s; start the proxy in front of the merchant's port, with a certificate of "
             "a public authority for this name",
             url, answer.error);
        return;
    }
    line(d, true, tls ? "TLS" : "callback URL", "%s answers (HTTP %ld)%s", url, answer.status,
         tls ? " with a valid certificate" : "");
}

static bool credential(struct doctor *d, const char *path, const char *flag,
                       char out[SECRET_FILE_MAX + 1])
{
    char error[256];
    if (path == NULL) {
        line(d, false, "provider", "%s is not given", flag);
        return false;
    }
    bool good = secret_file_read(path, CREDENTIAL_SIZE_MIN, out, error);
    line(d, good, "provider", "%s", good ? path : error);
    return good;
}

static void ask_for_token(struct doctor *d, const char *key, const char *secret)
{
    static struct answer answer;
    char url[320];
    char pair[2 * SECRET_FILE_MAX + 2];
    char header[2 * sizeof(pair)];
    struct writer w = writer_init(header, sizeof(header) - 1);
    int size = snprintf(pair, sizeof(pair), "%s:%s", key, secret);
    put_raw(&w, "Authorization: Basic ", 21);
    base64_encode(&w, (struct span){pair, (size_t)size});
    CHECK(!w.overflow);
    header[w.size] = '\0';
    (void)snprintf(url, sizeof(url), "%.200s/oauth/v1/generate?grant_type=client_credentials",
                   d->provider_url);
    bool reached = fetch(d, url, header, &answer);
    bool good = reached && answer.status == 200 && strstr(answer.text, "access_token") != NULL;
    if (good) {
        line(d, true, "provider", "%s gives a token for these credentials", d->provider_url);
    } else if (!reached) {
        line(d, false, "provider", "asked %s for a token: %s; check the URL, DNS and firewall",
             d->provider_url, answer.error);
    } else {
        line(d, false, "provider",
             "%s gives no token (HTTP %ld): copy consumer key and secret of this app again, and "
             "mind that sandbox and production have different ones",
             d->provider_url, answer.status);
    }
    explicit_bzero(&answer, sizeof(answer));
    explicit_bzero(pair, sizeof(pair));
    explicit_bzero(header, sizeof(header));
}

static void look_at_provider(struct doctor *d)
{
    char key[SECRET_FILE_MAX + 1];
    char secret[SECRET_FILE_MAX + 1];
    if (d->provider_url == NULL) {
        line(d, true, "provider",
             "not asked: give --provider-url and the files of its credentials");
        return;
    }
    bool has_key = credential(d, d->key_file, "--consumer-key-file", key);
    bool has_secret = credential(d, d->secret_file, "--consumer-secret-file", secret);
    if (has_key && has_secret) {
        ask_for_token(d, key, secret);
    }
    explicit_bzero(key, sizeof(key));
    explicit_bzero(secret, sizeof(secret));
}

/* The clock of somebody else is asked first: what the kernel says of ours is only a promise. */
static void look_at_clock(struct doctor *d)
{
    struct timespec now;
    CHECK(clock_gettime(CLOCK_REALTIME, &now) == 0);
    if (d->date_s > 0) {
        int64_t off_s = (int64_t)now.tv_sec - d->date_s;
        int64_t size_s = off_s < 0 ? -off_s : off_s;
        line(d, size_s <= CLOCK_OFF_S_MAX, "clock", "%" PRId64 " s %s that of %s%s", size_s,
             off_s < 0 ? "behind" : "ahead of", d->date_from,
             size_s <= CLOCK_OFF_S_MAX ? "" : ": synchronise it (chrony or systemd-timesyncd)");
        return;
    }
    struct timex kernel = {.modes = 0};
    bool good = adjtimex(&kernel) != TIME_ERROR;
    line(d, good, "clock", "%s",
         good ? "the kernel says that it is synchronised"
              : "the kernel says that it is not synchronised: run chrony or "
                "systemd-timesyncd");
}

/* ---- the command ---- */

/* Takes our own flags out of the arguments; what is left is for config. */
static bool take_own_flags(struct doctor *d, int *argc, char **argv, char error[256])
{
    int kept = 0;
    for (int i = 0; i < *argc; i++) {
        const char **value = strcmp(argv[i], "--provider-url") == 0           ? &d->provider_url
                             : strcmp(argv[i], "--consumer-key-file") == 0    ? &d->key_file
                             : strcmp(argv[i], "--consumer-secret-file") == 0 ? &d->secret_file
                                                                              : NULL;
        if (value == NULL) {
            argv[kept++] = argv[i];
        } else if (i + 1 == *argc) {
            (void)snprintf(error, 256, "%.40s needs a value; see hakika doctor --help", argv[i]);
            return false;
        } else {
            *value = argv[++i];
        }
    }
    *argc = kept;
    return true;
}

int doctor_command(int argc, char **argv)
{
    static struct doctor d;
    char error[256];
    if (argc > 0 && (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0)) {
        (void)printf("%s", DOCTOR_HELP);
        return EXIT_GOOD;
    }
    if (!take_own_flags(&d, &argc, argv, error)) {
        (void)fprintf(stderr, "hakika: %s\n", error);
        return EXIT_USAGE;
    }
    if (!config_parse(argc, argv, &d.config, error)) {
        line(&d, false, "settings", "%s", error);
    } else {
        line(&d, true, "settings", "profile %s", profile_name(d.config.profile));
    }
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
    look_at_api_key(&d);
    look_at_key_file(&d);
    look_at_disk(&d);
    look_at_callback_url(&d);
    look_at_provider(&d);
    look_at_clock(&d);
    curl_global_cleanup();
    (void)printf("%u wrong\n", d.wrong);
    return d.wrong == 0 ? EXIT_GOOD : EXIT_FAILED;
}
