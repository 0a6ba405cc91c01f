/*
 * delivery_error.h - why an attempt to deliver something got no HTTP answer: one list for the
 * sender that reports it, the journal that keeps its number and the surfaces that say it in words.
 */
#ifndef HAKIKA_BASE_DELIVERY_ERROR_H
#define HAKIKA_BASE_DELIVERY_ERROR_H

/* Why an attempt got no HTTP answer. Numbers are journaled: never reuse one. */
enum delivery_error {
    DELIVERY_ANSWERED = 0,     /* there is an HTTP status */
    DELIVERY_RESOLVE = 1,      /* the name did not resolve */
    DELIVERY_CONNECT = 2,      /* refused, unreachable or not made in time */
    DELIVERY_TIMEOUT = 3,      /* no complete answer in time */
    DELIVERY_RESET = 4,        /* the connection broke */
    DELIVERY_TLS = 5,          /* handshake or certificate */
    DELIVERY_BAD_URL = 6,      /* not something that can be fetched */
    DELIVERY_PROTOCOL = 7,     /* the answer was not HTTP, or too large */
    DELIVERY_FORBIDDEN = 8,    /* the address is not allowed as a target */
    DELIVERY_STOPPED = 9,      /* the process is stopping */
    DELIVERY_RULED = 10,       /* never sent: a scenario rule ordered the attempt to fail */
    DELIVERY_INTERRUPTED = 11, /* the process ended meanwhile: it may have been sent */
    DELIVERY_WITHDRAWN = 12,   /* never sent: what it asked for is over */
    DELIVERY_NO_TOKEN = 13,    /* never sent: the provider gave no access token */
    DELIVERY_UNWRITTEN = 14,   /* never sent: there is no message, or it is too long for us */
};

/* "connection refused or unreachable", for logs and the attempt list. */
const char *delivery_error_text(enum delivery_error error);

#endif
