/*
 * wire.h - the face's HTTP server as a function call: a request goes in, the handler runs, and the
 * reply lies here when the face has let it go. No sockets, no threads: everything of face/http.h
 * that the face uses is defined in wire.c, for programs that are linked without face/http*.c.
 *
 * One exchange at a time. One that was not answered (a rule delays it) may be given up: the face
 * then finds that its peer has gone.
 */
#ifndef HAKIKA_TESTS_AGREE_WIRE_H
#define HAKIKA_TESTS_AGREE_WIRE_H

#include "face/http.h"

enum { WIRE_HEADERS_MAX = 4, WIRE_REPLY_MAX = 256 * 1024 };

struct wire_header {
    const char *name, *value;
};

struct wire_request {
    const char *method;
    const char *path;                             /* decoded */
    const char *query;                            /* raw; NULL: none */
    const char *body;                             /* NULL: none */
    struct wire_header headers[WIRE_HEADERS_MAX]; /* name NULL: no more */
};

struct http_server *wire_create(void);
void wire_destroy(struct http_server *w);
/* Runs the handler; the exchange before it, if any, is gone. */
void wire_begin(struct http_server *w, const struct wire_request *request, http_handler_fn handle,
                void *context);
/* True when the reply has been let go. */
bool wire_answered(const struct http_server *w);

/* What came over the wire: nothing when it was reset. */
struct wire_reply {
    unsigned status; /* 0: the connection was reset */
    struct span body;
    bool cut; /* half of it */
};
struct wire_reply wire_reply(const struct http_server *w);
/* The beginning of Hakika-Explain, of a rule's if there are more than one; "": there was none. */
const char *wire_explained(const struct http_server *w);

#endif
