/*
 * http_rig.h - a server of face/http.h with a handler that shows every kind of reply, and clients
 * over real loopback sockets, all driven by one thread.
 *
 * A client's bytes are in the server's socket before its next turn, so nothing here waits for
 * anything but the server's own limits. Failures are cmocka assertions.
 *
 * What the handler does goes by the path: /hold holds, /open holds without a reply, /stream
 * starts a stream, /headers adds headers, /echo sends the body back, everything else says "ok".
 */
#ifndef HAKIKA_TESTS_HTTP_RIG_H
#define HAKIKA_TESTS_HTTP_RIG_H

#include "face/http.h"

#define HOST "Host: localhost:8254\r\n"

enum {
    HELD_MAX = 4096,
    PATIENCE_MS = 5000, /* before a test gives up; never reached when all is well */
    TEXT_MAX = 4096,
};

struct rig {
    struct http_server *server;
    unsigned calls, admits, gone;
    struct http_ticket held[HELD_MAX]; /* of /hold, /open and /stream, in order */
    unsigned held_count;
    struct http_ticket last_gone;
    bool admit_refuses;
    /* the last request that reached the handler */
    char method[64], path[TEXT_MAX], query[TEXT_MAX], body[TEXT_MAX], peer[64];
    char header[256];      /* X-Test */
    char header_list[256]; /* all lines of it */
    char value[TEXT_MAX];  /* the query's parameter "name" */
    bool header_present, value_present;
    size_t body_size;
};

struct client {
    int fd;
    char *data; /* received and not taken yet, ends in NUL */
    size_t size, capacity;
    bool closed; /* by the server */
};

struct reply {
    int status;
    char head[TEXT_MAX];
    char body[TEXT_MAX];
};

void rig_start(struct rig *rig, struct http_limits limits);
void rig_stop(struct rig *rig);
void rig_handle(void *rig, struct http_exchange *x);
/* The exchange of the index-th remembered ticket; NULL when it is over. */
struct http_exchange *rig_held(struct rig *rig, unsigned index);

int64_t now_ms(void);
/* One turn of the loop as a program would make it, waiting at most wait_ms. */
void turn(struct rig *rig, int wait_ms);
void turns(struct rig *rig, int count);
void wait_until_quiet(struct rig *rig); /* until no connection is left */

struct client client_open(const struct rig *rig);
bool client_can_connect(const struct rig *rig);
void client_close(struct client *client);
void client_reset(struct client *client); /* closes with a reset instead of a goodbye */
/* Sends all, turning the server meanwhile; false when the server has closed. */
bool client_try_send(struct rig *rig, struct client *client, const char *data, size_t size);
void client_send(struct rig *rig, struct client *client, const char *text);
void client_receive(struct client *client); /* what is there */
/* The size of the first whole reply received; 0 when there is none yet. */
size_t client_reply_size(const struct client *client, bool without_body);
struct reply client_reply(struct rig *rig, struct client *client);
struct reply client_reply_of(struct rig *rig, struct client *client, bool without_body);
void client_wait_closed(struct rig *rig, struct client *client);
/* Nothing comes, and the connection stays. */
void assert_silent(struct rig *rig, struct client *client);

/* One request on a connection of its own. */
struct reply ask(struct rig *rig, const char *request);
void assert_works(struct rig *rig);

#endif
