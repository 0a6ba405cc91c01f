/*
 * daraja_error.h - Daraja's error envelope and the table of its errors (one list: number, HTTP
 * status, wording).
 */
#ifndef HAKIKA_WIRE_DARAJA_ERROR_H
#define HAKIKA_WIRE_DARAJA_ERROR_H

#include <stdint.h>

#include "base/codec.h"
#include "base/span.h"

/* X(NAME, http status, errorCode, errorMessage; %s is the field, token or method) */
#define DARAJA_ERRORS(X)                                                                           \
    X(INVALID_FIELD, 400, "400.002.02", "Bad Request - Invalid %s")                                \
    X(INVALID_PAYLOAD, 400, "400.002.05", "Invalid Request Payload")                               \
    X(INVALID_TOKEN_STK, 404, "404.001.03", "Invalid Access Token")                                \
    X(NO_PRODUCT, 401, "401.003.01",                                                               \
      "Error Occurred - Invalid Access Token - Invalid API call as no apiproduct match found")     \
    X(INVALID_TOKEN_B2C, 401, "401.002.01", "Error Occurred - Invalid Access Token - %s")          \
    X(INVALID_TOKEN_C2B, 400, "400.003.01", "Invalid Access Token")                                \
    X(INVALID_AUTH_HEADER, 404, "404.001.04", "Invalid Authentication Header")                     \
    X(INVALID_AUTH_HEADER_C2B, 404, "404.001.04", "Invalid Authenticator Header")                  \
    X(BAD_REQUEST, 400, "400.003.02", "Bad Request")                                               \
    X(NOT_FOUND, 404, "404.001.01", "Resource not found")                                          \
    X(NOT_FOUND_B2C, 404, "404.002.01", "Resource not found")                                      \
    X(NOT_FOUND_C2B, 404, "404.003.01", "Resource not found")                                      \
    X(METHOD, 405, "405.001", "%s Method Not Allowed")                                             \
    X(AUTH_TYPE, 400, "400.008.01", "Invalid authentication type passed")                          \
    X(GRANT_TYPE, 400, "400.008.02", "Invalid grant type passed")                                  \
    X(IN_FLIGHT, 500, "500.001.1001", "The transaction is being processed")                        \
    X(WRONG_CREDENTIALS, 500, "500.001.1001", "Wrong credentials")                                 \
    X(NO_MERCHANT, 500, "500.001.1001", "Merchant does not exist")                                 \
    X(SUBSCRIBER_LOCKED, 500, "500.001.1001",                                                      \
      "Unable to lock subscriber, a transaction is already in process for the current subscriber") \
    X(BUSY, 500, "500.003.02", "System is busy. Please try again in few minutes.")                 \
    X(SPIKE_ARREST, 500, "500.003.02", "Error Occurred: Spike Arrest Violation")                   \
    X(QUOTA, 500, "500.003.03", "Error Occurred: Quota Violation")                                 \
    X(MAINTENANCE, 503, "00.002.1001",                                                             \
      "Service is currently under maintenance. Please try again later")                            \
    X(DUPLICATE, 409, "409.001.01",                                                                \
      "Duplicate request: the same payment was asked for less than 60 seconds ago")                \
    X(NO_CHECKOUT, 400, "400.002.02", "Bad Request - Invalid CheckoutRequestID")                   \
    X(DUPLICATE_CONVERSATION, 500, "500.002.1001", "Duplicate OriginatorConversationID.")          \
    X(NO_FUNDS, 500, "500.002.1001", "The balance is insufficient for the transaction.")           \
    X(NO_INITIATOR, 500, "500.002.1001", "The initiator information is invalid.")                  \
    X(NO_ORIGINAL, 500, "500.002.1001", "The OriginalTransactionID is invalid.")                   \
    X(REVERSED, 500, "500.002.1001", "The transaction has already been reversed")                  \
    X(NO_SHORT_CODE, 400, "400.002.02", "Bad Request - Invalid ShortCode")                         \
    X(INTERNAL_C2B, 500, "500.003.1001", "Internal Server Error")                                  \
    X(URLS_REGISTERED, 500, "500.003.1001", "Urls are already registered.")                        \
    X(INTERNAL, 500, "500.001.1001", "Internal Server Error")

enum daraja_error_kind {
    DARAJA_ERROR_NONE = 0,
#define X(name, status, code, message) DARAJA_ERROR_##name,
    DARAJA_ERRORS(X)
#undef X
        DARAJA_ERROR_COUNT,
};

struct daraja_error {
    enum daraja_error_kind kind;
    char detail[64];   /* fills %s */
    char explain[160]; /* for the header Hakika-Explain: which check decided, in plain words */
};

unsigned daraja_error_status(enum daraja_error_kind kind);
const char *daraja_error_code(enum daraja_error_kind kind);
void daraja_error_set(struct daraja_error *error, enum daraja_error_kind kind, const char *detail,
                      const char *explain);
/* The envelope with any code, as a scenario rule orders it. message empty: the wording that goes
 * with the code, or that of an internal error. */
void daraja_error_render_code(struct writer *w, const char *code, const char *message,
                              struct span request_id);
/* The HTTP status that such a code begins with; CHECKs that it does. "00..." is 503. */
unsigned daraja_error_code_status(const char *code);
void daraja_error_render(struct writer *w, const struct daraja_error *error,
                         struct span request_id);

#endif
