/*
 * daraja_result.h - the results of an STK push: code, the wording that goes with it, and what it
 * means in plain words.
 *
 * One code can stand in several rows, because the same code comes with several wordings; the first
 * is the usual one and the one that a search by code finds. Codes are text: not all are numbers.
 * Wordings are for people and logs, never to be matched on. Sources: docs/daraja-notes.md.
 */
#ifndef HAKIKA_WIRE_DARAJA_RESULT_H
#define HAKIKA_WIRE_DARAJA_RESULT_H

#include "base/span.h"

/* X(NAME, code, wording, meaning) */
/* clang-format off */
#define DARAJA_RESULTS(X)                                                                          \
    X(SUCCESS, "0", "The service request is processed successfully.",                              \
      "paid")                                                                                      \
    X(INSUFFICIENT, "1", "The balance is insufficient for the transaction.",                       \
      "the customer has not enough money, overdraft included")                                     \
    X(BELOW_MINIMUM, "2", "Declined due to limit rule",                                            \
      "below the smallest amount of a transaction")                                                \
    X(ABOVE_MAXIMUM, "3",                                                                          \
      "Declined due to limit rule: greater than the maximum transaction amount.",                  \
      "above the largest amount of a transaction")                                                 \
    X(DAILY_LIMIT, "4", "Declined due to limit rule: would exceed daily transfer limit",           \
      "the customer would pay more in a day than allowed")                                         \
    X(MAXIMUM_BALANCE, "8", "Declined due to limit rule: would exceed the maximum balance.",       \
      "the receiver would hold more than allowed")                                                 \
    X(RULE_LIMITED, "17", "Rule limited.",                                                         \
      "an internal failure or rule; try again after half a minute")                                \
    X(UNRESOLVED_INITIATOR, "20", "Unresolved Initiator",                                          \
      "the initiator is not known")                                                                \
    X(BUSY, "26", "System busy. The service request is rejected.",                                 \
      "too much traffic; wait before trying again")                                                \
    X(LOCKED, "1001",                                                                              \
      "Unable to lock subscriber, a transaction is already in process for the current subscriber", \
      "another prompt or session is open on this phone; wait a minute")                            \
    X(EXPIRED, "1019", "Transaction has expired",                                                  \
      "the customer answered too late")                                                            \
    X(PUSH_FAILED, "1025", "An error occurred while sending a push request",                       \
      "the prompt could not be sent; its text may be too long")                                    \
    X(CANCELLED_OTHER, "1031", "Request cancelled by user",                                        \
      "the customer said no")                                                                      \
    X(CANCELLED, "1032", "Request cancelled by user",                                              \
      "the customer said no")                                                                      \
    X(NOT_ACKNOWLEDGED, "1036", "[STK_CB - ]SMSC ACK timeout.",                                    \
      "the network did not acknowledge the prompt")                                                \
    X(UNREACHABLE, "1037", "DS timeout user cannot be reached.",                                   \
      "the phone is off or out of reach, or its SIM is too old")                                   \
    X(NO_RESPONSE, "1037", "No response from user.",                                               \
      "the prompt was shown and not answered")                                                     \
    X(WRONG_PIN, "2001", "The initiator information is invalid.",                                  \
      "the customer's PIN was wrong")                                                              \
    X(NOT_PERMITTED, "2028",                                                                       \
      "The request is not permitted according to product assignment.",                             \
      "this transaction type is not allowed for this receiver")                                    \
    X(UNDER_PROCESSING, "4999", "The transaction is still under processing",                       \
      "not decided yet: ask again")                                                                \
    X(PIN_LOCKED, "8006", "The security credential is locked.",                                    \
      "the customer's PIN is blocked after wrong attempts")                                        \
    X(UNKNOWN_ERROR, "9999", "An error occurred while sending a push request",                     \
      "the prompt could not be sent")                                                              \
    X(NO_OPERATOR, "SFC_IC0003", "The operator does not exist.",                                   \
      "the receiver is not known")                                                                 \
    X(BAD_DEBT, "E3008", "Error, the user has a bad debt contract.",                               \
      "what the public sandbox answers for a real phone")
/* clang-format on */

enum daraja_result_kind {
#define X(name, code, desc, meaning) DARAJA_RESULT_##name,
    DARAJA_RESULTS(X)
#undef X
        DARAJA_RESULT_COUNT,
};

struct daraja_result_text {
    const char *code;
    const char *desc;
    const char *meaning;
};

const struct daraja_result_text *daraja_result_text(enum daraja_result_kind kind);
/* NULL when the code is not known: then it is a failure whose reason nobody has written down. */
const struct daraja_result_text *daraja_result_find(struct span code);

#endif
