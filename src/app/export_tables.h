/*
 * export_tables.h - the files that hakika export writes for a day, and the questions to the view
 * that fill them. FROM and UNTIL become the day's bounds in nanoseconds, RAW the columns of raw
 * bytes when they are asked for. Rows come in the order of an index of time, so that nothing is
 * sorted and nothing kept. X(name, "SQL")
 */
#ifndef HAKIKA_APP_EXPORT_TABLES_H
#define HAKIKA_APP_EXPORT_TABLES_H

#include <stddef.h>

struct export_table {
    const char *name;
    const char *columns; /* SELECT ... */
    const char *raw;     /* more of them, with --raw; NULL: there are none */
    const char *rest;    /* FROM ... WHERE ... */
};

#define EXPORT_OF_KIND(id, more, view)                                                             \
    {                                                                                              \
        id,                                                                                        \
            "SELECT t.id, t.status, t.stk_state, t.amount, t.paid_amount, t.currency, "            \
            "t.phone, " more                                                                       \
            " t.description, t.method, t.capture, t.escrow, t.provider, t.short_code, t.receipt, " \
            "t.checkout_request_id, t.merchant_request_id, t.result_code, t.result_desc, "         \
            "t.reason, t.source, t.late, t.attention, t.created_at, t.succeeded_at, t.ended_at",   \
            ", t.raw_callback, t.raw_query_response",                                              \
            " FROM " view " t WHERE t.created_ns >= FROM AND t.created_ns < UNTIL"                 \
            " ORDER BY t.created_ns, t.number"                                                     \
    }

static const struct export_table MERCHANT_TABLES[] = {
    EXPORT_OF_KIND("payments", "t.order_id, t.repaired,", "payments"),
    EXPORT_OF_KIND("payouts", "t.reference,", "payouts"),
    EXPORT_OF_KIND("refunds", "t.payment,", "refunds"),
    {"receipts",
     "SELECT r.id, r.status, r.amount, r.currency, r.receipt, p.short_code, r.account_reference,"
     " r.phone, r.payer, r.source, r.order_id, 'pay_' || r.transaction_number AS payment,"
     " r.assigned_by_person, r.paid_at, r.created_at",
     NULL,
     " FROM receipts r JOIN providers p ON p.number = r.provider_number"
     " WHERE r.created_ns >= FROM AND r.created_ns < UNTIL ORDER BY r.created_ns, r.number"},
    {"entries",
     "SELECT e.number, e.transfer, b.id AS account, b.merchant_number AS merchant, e.direction,"
     " e.amount, e.balance_after, b.currency, e.reason, t.id AS \"transaction\","
     " 'rcp_' || e.receipt_number AS receipt, e.at, e.position",
     NULL,
     " FROM entries e JOIN balances b ON b.account = e.account"
     " LEFT JOIN transactions t ON t.number = e.transaction_number"
     " WHERE e.at_ns >= FROM AND e.at_ns < UNTIL ORDER BY e.at_ns, e.number"},
    {"notices",
     "SELECT n.id, n.status, n.source, n.about, n.verdict, n.reason, t.id AS \"transaction\","
     " 'rcp_' || n.receipt_number AS receipt_id, n.reference, n.receipt, n.result_code,"
     " n.result_desc, n.amount, n.phone, n.repeats, n.peer, n.digest, n.received_at, n.position",
     ", n.headers, n.body",
     " FROM notices n LEFT JOIN transactions t ON t.number = n.transaction_number"
     " WHERE n.received_ns >= FROM AND n.received_ns < UNTIL ORDER BY n.received_ns, n.number"},
    {"discrepancies",
     "SELECT d.id, d.status, d.kind, d.explanation, p.short_code, d.reference,"
     " t.id AS \"transaction\", 'rcp_' || d.receipt_number AS receipt_id,"
     " 'ntc_' || d.notice_number AS notice, d.ours, d.theirs, d.reason, d.owner, d.note,"
     " d.opened_at, d.resolved_at",
     NULL,
     " FROM discrepancies d JOIN providers p ON p.number = d.provider_number"
     " LEFT JOIN transactions t ON t.number = d.transaction_number"
     " WHERE d.opened_ns >= FROM AND d.opened_ns < UNTIL ORDER BY d.opened_ns, d.number"},
    {NULL, NULL, NULL, NULL},
};

static const struct export_table OPERATOR_TABLES[] = {
    {"transactions",
     "SELECT id, type, status, checkout_request_id, merchant_request_id, result_code, reason,"
     " receipt, amount, fee, currency, msisdn, short_code, party_b, transaction_type,"
     " account_reference, description, reversed_by, ruled_by, created_at, ended_at, position",
     NULL,
     " FROM transactions WHERE created_ns >= FROM AND created_ns < UNTIL"
     " ORDER BY created_ns, number"},
    {"requests",
     "SELECT 'req_' || number AS id, type, status, conversation_id, originator_conversation_id,"
     " result_code, reason, receipt, amount, charge, currency, short_code, party, party_type,"
     " account_reference, remarks, occasion, reversed_by, ruled_by, created_at, ended_at, position",
     NULL,
     " FROM requests WHERE created_ns >= FROM AND created_ns < UNTIL ORDER BY created_ns, number"},
    {"entries",
     "SELECT e.number, e.transfer, e.account, a.kind, a.msisdn, a.short_code, e.direction,"
     " e.amount, e.balance_after, a.currency, e.reason, 'txn_' || e.transaction_number AS"
     " \"transaction\", 'req_' || e.request_number AS request, e.at, e.position",
     NULL,
     " FROM entries e CROSS JOIN accounts a ON a.account = e.account"
     " WHERE e.at_ns >= FROM AND e.at_ns < UNTIL ORDER BY e.number"},
    {NULL, NULL, NULL, NULL},
};

/* What each account (of the operator each kind of account) did on the day, for a bookkeeper. */
#define MERCHANT_SUMS                                                                        \
    "SELECT b.id || CASE WHEN (SELECT count(*) FROM merchants) > 1 THEN ' of merchant ' ||"  \
    " b.merchant_number ELSE '' END, sum(CASE e.direction WHEN 'debit' THEN e.amount ELSE 0" \
    " END), sum(CASE e.direction WHEN 'credit' THEN e.amount ELSE 0 END), count(*)"          \
    " FROM entries e JOIN balances b ON b.account = e.account"                               \
    " WHERE e.at_ns >= FROM AND e.at_ns < UNTIL GROUP BY b.merchant_number, b.account ORDER BY 1"
#define OPERATOR_SUMS                                                             \
    "SELECT a.kind, sum(CASE e.direction WHEN 'debit' THEN e.amount ELSE 0 END)," \
    " sum(CASE e.direction WHEN 'credit' THEN e.amount ELSE 0 END), count(*)"     \
    " FROM entries e CROSS JOIN accounts a ON a.account = e.account"              \
    " WHERE e.at_ns >= FROM AND e.at_ns < UNTIL GROUP BY a.kind ORDER BY 1"

#endif
