/*
 * delivery_error.c - see delivery_error.h.
 */
#include "base/delivery_error.h"

const char *delivery_error_text(enum delivery_error error)
{
    switch (error) {
    case DELIVERY_ANSWERED: return "answered";
    case DELIVERY_RESOLVE: return "name did not resolve";
    case DELIVERY_CONNECT: return "connection refused or unreachable";
    case DELIVERY_TIMEOUT: return "no complete answer in time";
    case DELIVERY_RESET: return "connection broke";
    case DELIVERY_TLS: return "TLS handshake or certificate failed";
    case DELIVERY_BAD_URL: return "not a URL that can be fetched";
    case DELIVERY_PROTOCOL: return "answer was not HTTP or too large";
    case DELIVERY_FORBIDDEN: return "address not allowed as a target";
    case DELIVERY_STOPPED: return "process was stopping";
    case DELIVERY_RULED: return "not sent: a scenario rule ordered the attempt to fail";
    case DELIVERY_INTERRUPTED: return "the process ended meanwhile: it may have been sent";
    case DELIVERY_WITHDRAWN: return "not sent: what it asked for is over";
    case DELIVERY_NO_TOKEN: return "not sent: the provider gave no access token";
    case DELIVERY_UNWRITTEN: return "not sent: its message cannot be written, or is too long";
    }
    return "unknown";
}
