/*
 * findings.h - what `hakika verify` found: one verdict per proof, the breaches with their places,
 * and the figures of the summary.
 *
 * Guarantees: nothing here allocates; a breach is always counted, and the first few of each proof
 * are kept with their text. Relies on base and the journal's words only.
 */
#ifndef HAKIKA_APP_VERIFY_FINDINGS_H
#define HAKIKA_APP_VERIFY_FINDINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "journal/journal.h"

/* X(NAME, "name in JSON", "what holds when there is no breach", "what to do about a breach") */
#define VERIFY_PROOFS(X)                                                                         \
    X(CHAIN, "chain", "the batches form one unbroken chain, each intact",                        \
      "keep the folder as it is; put an intact copy of that segment in its place (backup or "    \
      "replica) and verify again")                                                               \
    X(RECORDS, "records", "every frame and event is well formed and of a known kind",            \
      "an unknown kind was written by a newer version: verify with that one; bytes that are "    \
      "malformed under a right checksum are a bug: keep the folder and report it")               \
    X(ORDER, "order", "positions have no gap and time never goes backwards",                     \
      "keep the folder and report it; compare with a backup to see when it began")               \
    X(MONEY, "money", "debits equal credits, nobody is below zero, money comes from trust only", \
      "do not pay out on these balances; stop the server, keep the folder and report it")        \
    X(PAYMENTS, "payments", "every payment moved only along its states and ended at most once",  \
      "look at the payment at that position; keep the folder and report it")                     \
    X(REFERENCES, "references", "every id, receipt and key took effect once",                    \
      "look at both uses before anybody acts on either; keep the folder and report it")          \
    X(EFFECTS, "effects",                                                                        \
      "a paid payment moved its amount once, an unpaid one nothing; each "                       \
      "end queued one callback, or as many as a rule orders",                                    \
      "reconcile that payment by hand with payer and payee; keep the folder and report it")      \
    X(DELIVERIES, "deliveries", "every attempt belongs to a delivery that was waiting",          \
      "replay the delivery if its receiver misses it; keep the folder and report it")            \
    X(REPLAY, "replay", "replaying everything gives a book whose invariants and sums hold",      \
      "the server would stop at this place too; keep the folder and report it")                  \
    X(CHECKPOINTS, "checkpoints", "replay has the recorded digest at every checkpoint",          \
      "state and journal disagree: program or memory had a fault; restart without snapshots "    \
      "(move snapshot-*.snap away), keep the folder and report it")                              \
    X(SNAPSHOTS, "snapshots", "every usable snapshot equals the replayed state",                 \
      "move that snapshot file away: the next start replays the journal instead")

enum verify_proof {
#define X(name, json, holds, advice) PROOF_##name,
    VERIFY_PROOFS(X)
#undef X
        PROOF_COUNT
};

enum {
    FINDINGS_KEPT = 8, /* of each proof; the rest is counted */
    FINDING_TEXT_MAX = 400,
};

/* Where in the journal: a frame and the batch that holds it. Zeros: no place in particular. */
struct verify_place {
    uint64_t position;
    uint64_t segment;
    uint64_t offset;
};

struct verify_finding {
    struct verify_place place;
    char text[FINDING_TEXT_MAX];
};

struct verify_verdict {
    uint64_t checked;  /* things that the proof looked at */
    uint64_t breaches; /* found; 0 and `done`: it holds */
    bool done;         /* false: it could not be carried out */
    uint32_t kept;
    struct verify_finding findings[FINDINGS_KEPT];
};

struct verify_totals {
    uint64_t batches, frames, events, bytes;
    int64_t first_ns;
    uint64_t generations;
    uint64_t payments, open; /* of all generations; open ones of the last */
    uint64_t ended[16];      /* per number of the outcome, all generations */
    uint64_t paid_minor;     /* sum of the paid amounts, all generations */
    uint64_t transfers, holds;
    uint64_t deliveries, attempts, delivered, dead, waiting;
    uint64_t subscribers, organisations, accounts; /* of the last generation */
    int64_t issued_minor;                          /* against trust, last generation */
    int64_t wallets_minor, organisations_minor, others_minor;
    uint64_t checkpoints, checkpoints_foreign, snapshots, snapshots_ignored;
    struct journal_head head;
    uint64_t generation;
};

struct verify_report {
    struct verify_verdict proofs[PROOF_COUNT];
    struct verify_totals totals;
    struct verify_place place; /* what is being looked at */
    bool no_memory;
    char unreadable[FINDING_TEXT_MAX]; /* the disk refused while verifying; empty: it did not */
};

const char *verify_proof_name(enum verify_proof proof);
const char *verify_proof_holds(enum verify_proof proof);
const char *verify_proof_advice(enum verify_proof proof);

void findings_init(struct verify_report *r);
/* A breach at r->place. */
void findings_breach(struct verify_report *r, enum verify_proof proof, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Breaches of all proofs together. */
uint64_t findings_total(const struct verify_report *r);
/* True when every proof was carried out and holds. */
bool findings_hold(const struct verify_report *r);

#endif
