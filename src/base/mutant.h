/*
 * mutant.h - seeded bugs in the book, the ledger, the operator and the engine, to prove that the
 * simulation would notice such bugs. Only tests/sim/mutants is compiled with -DHAKIKA_MUTANTS; in
 * every other build MUTATED() is the constant false. (The journal has its own: journal/mutant.h.)
 */
#ifndef HAKIKA_BASE_MUTANT_H
#define HAKIKA_BASE_MUTANT_H

/* clang-format off */
#define CORE_MUTANTS(X)                                                                        \
    X(REPLY_BEFORE_SYNC,     "replies are released before their batch is on disk")             \
    X(REFUSAL_NOT_WAITING,   "a refusal does not wait for what it rests on")                   \
    X(OUTGOING_EARLY,        "a message leaves before the decision behind it is on disk")      \
    X(STALL_IGNORED,         "admission ignores how long the disk has been silent")            \
    X(POISON_IGNORED,        "a failed batch is tried again instead of ending the process")    \
    X(FULL_FORGETS,          "a batch that found the disk full is dropped")                    \
    X(DEADLINE_OVERTAKEN,    "an approval after the deadline succeeds when a turn is busy")    \
    X(SECOND_LOOK,           "what is due before a command is decided at a later time")        \
    X(SNAPSHOT_FRAME_LOST,   "recovery from a snapshot leaves out the first frame after it")   \
    X(RESULT_TWICE,          "a delivery result counts although the item is not in flight")    \
    X(RESULT_OF_OTHER_BOOK,  "a delivery result from before a reset counts")                   \
    X(KEY_LOST_ON_LOAD,      "a snapshot forgets idempotency keys")                            \
    X(ITEM_LOST_ON_LOAD,     "a snapshot forgets that a message waits")                        \
    X(RETRY_NOT_DELAYED,     "a failed message is due again at once after a snapshot")         \
    X(REDIRECT_DELIVERS,     "an answer of 301 counts as delivered")                           \
    X(REVIVED_IS_TIRED,      "a message sent again by hand keeps its count of tries")          \
    X(DOMAIN_ID_TAKEN,       "a client may use a transfer id of the book's own")              \
    X(TRANSFER_ID_UNCHECKED, "a transfer id may be used twice")                                \
    X(REFUSAL_FORGOTTEN,     "a refused transfer is not remembered")                           \
    X(LINK_IGNORED,          "linked transfers are decided one by one")                        \
    X(HOLD_TIMER_LOST,       "a snapshot forgets when holds end")                              \
    X(HOLD_SPENT,            "money that is held can be spent")                                \
    X(RECEIPT_COUNTER_LOST,  "a snapshot forgets the next receipt number")                     \
    X(RECEIPT_DAY_UTC,       "receipts carry the day in Greenwich")                            \
    X(PIN_TRY_UNWRITTEN,     "a wrong PIN is not written down")                                \
    X(PIN_TRY_NOT_SAVED,     "digest and snapshot leave out the count of wrong PINs")          \
    X(PROMPT_TIMER_LOST,     "a snapshot forgets when prompts end")                            \
    X(PIPELINE_LOST,         "a snapshot forgets the pipeline")                                \
    X(FINGERPRINT_KEPT,      "a failed payment keeps its fingerprint")                         \
    X(FINGERPRINT_LOST,      "a snapshot forgets fingerprints")                                \
    X(FUNDS_CHECKED_ONCE,    "money is not checked again after the PIN")                       \
    X(DAY_NEVER_ENDS,        "what was spent yesterday counts against today")                  \
    X(CALLBACK_TWICE,        "a cancelled payment queues two callbacks")                       \
    X(LOCK_SKIPPED,          "a phone may have two open payments")                           \
    X(BASE_FORGOTTEN,        "an entry that leaves the ledger is not counted in the base")      \
    X(LEFT_WHILE_WAITING,    "a payment leaves although its callback waits")                    \
    X(LEFT_UNSYNCED,         "what the index has not synced leaves memory")                     \
    X(LEFT_CHANGED,          "what changed after its record was made leaves memory")            \
    X(RECALL_TWICE,          "a payment that comes home counts as ended once more")             \
    X(KEY_NOT_FETCHED,       "an idempotency key that left is taken for a new one")
/* clang-format on */

#ifdef HAKIKA_MUTANTS
enum core_mutant {
    MUTATED_NOTHING,
#define X(name, text) MUTATED_##name,
    CORE_MUTANTS(X)
#undef X
        MUTATED_COUNT,
};
extern int hakika_mutant;
#define MUTATED(name) (hakika_mutant == MUTATED_##name)
#else
#define MUTATED(name) 0
#endif

#endif
