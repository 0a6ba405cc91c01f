/*
 * statements_merchant.h - the SQL that the projection of the merchant book runs beside what every
 * book has (statements.h). X(NAME, "SQL")
 */
#ifndef HAKIKA_VIEW_STATEMENTS_MERCHANT_H
#define HAKIKA_VIEW_STATEMENTS_MERCHANT_H

/* clang-format off */
#define MERCHANT_STATEMENTS(X)                                                                     \
    X(MERCHANT_PUT,                                                                                \
      "INSERT INTO merchants (number, wallet_account, escrow_account, fees_account,"               \
      " suspense_account, opened_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")                             \
    X(MERCHANT_NAME, "UPDATE merchants SET name = ?2 WHERE number = ?1")                           \
    X(API_KEY_ADD,                                                                                 \
      "INSERT INTO api_keys (number, merchant_number, status, opened_at) VALUES (?1, ?2,"          \
      " 'open', ?3)")                                                                              \
    X(API_KEY_CLOSE, "UPDATE api_keys SET status = 'closed', closed_at = ?2 WHERE number = ?1")    \
    X(PROVIDER_ADD,                                                                                \
      "INSERT INTO providers (number, merchant_number, kind, production, short_code, party_b,"     \
      " is_till, clearing_account, opened_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")        \
    X(PROVIDER_URL, "UPDATE providers SET base_url = ?2 WHERE number = ?1")                        \
    X(PROVIDER_C2B_ASKED,                                                                          \
      "UPDATE providers SET c2b_status = ?2, c2b_accept = ?3, c2b_unanswered = ?4 WHERE"           \
      " number = ?1")                                                                              \
    X(PROVIDER_C2B_ANSWERED,                                                                       \
      "UPDATE providers SET c2b_status = ?2, c2b_answer = ?3 WHERE number = ?1")                   \
    X(PROVIDER_C2B_FORWARD, "UPDATE providers SET c2b_forwarded_to = ?2 WHERE number = ?1")        \
    X(PROVIDER_SET, "UPDATE providers SET when_unavailable = ?2 WHERE number = ?1")                \
    X(PROVIDER_PULL_NUMBER,                                                                        \
      "UPDATE providers SET pull_status = ?2, pull_phone = ?3 WHERE number = ?1")                  \
    X(PROVIDER_PULL_ASKED,                                                                         \
      "UPDATE providers SET pull_status = ?2, pull_from = ?3, pull_until = ?4, pull_rows = ?5"     \
      " WHERE number = ?1")                                                                        \
    X(PROVIDER_PULL_ANSWERED,                                                                      \
      "UPDATE providers SET pull_status = ?2, pull_answer = ?3 WHERE number = ?1")                 \
    X(PROVIDER_ROTATED,                                                                            \
      "UPDATE providers SET callbacks_rotated_at = ?2 WHERE number = ?1")                          \
    X(PROVIDER_RETIRED,                                                                            \
      "UPDATE providers SET callbacks_retired_at = ?2 WHERE number = ?1")                          \
    X(PROVIDER_PULL_DUE,                                                                           \
      "UPDATE providers SET next_pull_at = ?2 WHERE number = ?1")                                  \
    X(PROVIDER_ALERT, "UPDATE providers SET alert_day = ?2 WHERE number = ?1")                     \
    X(ENDPOINT_ADD,                                                                                \
      "INSERT INTO webhook_endpoints (number, merchant_number, status, events, opened_at)"         \
      " VALUES (?1, ?2, 'enabled', ?3, ?4)")                                                       \
    X(ENDPOINT_URL, "UPDATE webhook_endpoints SET url = ?2 WHERE number = ?1")                     \
    X(ENDPOINT_CHANGE, "UPDATE webhook_endpoints SET status = ?2, events = ?3 WHERE number = ?1")  \
    X(ENDPOINT_ROTATE, "UPDATE webhook_endpoints SET secret_before_until = ?2 WHERE number = ?1")  \
    X(PAYMENT_KEEP,                                                                                \
      "INSERT INTO transactions (number, kind, merchant_number, provider_number, status,"          \
      " stk_state, retryable, amount, currency, phone, order_id, description, method, capture,"    \
      " escrow, querying, late, attention, rung, created_at, created_ns, updated_at, position)"    \
      " VALUES (?1, 'payment', 0, 0, 'created', '', 0, 0, 'KES', ?2, ?3, ?4, '', '', 'none',"      \
      " 0, 0, 0, 0, ?5, ?6, ?5, ?7)")                                                              \
    X(PAYMENT_CREATE,                                                                              \
      "UPDATE transactions SET kind = ?2, merchant_number = ?3, provider_number = ?4, amount"      \
      " = ?5, method = ?6, capture = ?7, overrides = ?8, refund_of = ?9, next_check_at = ?10,"     \
      " stk_state = ?11, retryable = ?12 WHERE number = ?1")                                       \
    X(PAYMENT_REFUND, "UPDATE transactions SET refund = ?2 WHERE number = ?1")                     \
    X(PAYMENT_DUE, "UPDATE transactions SET next_check_at = ?2 WHERE number = ?1")                 \
    X(PAYMENT_IDS,                                                                                 \
      "UPDATE transactions SET checkout_request_id = ?2, merchant_request_id = ?3 WHERE"           \
      " number = ?1")                                                                              \
    X(PAYMENT_RESULT,                                                                              \
      "UPDATE transactions SET result_code = ?2, result_desc = ?3, receipt = coalesce(?4,"         \
      " receipt) WHERE number = ?1")                                                               \
    X(PAYMENT_ASK,                                                                                 \
      "UPDATE transactions SET querying = 1, rung = ?2, next_check_at = ?3, asked_at = ?4"         \
      " WHERE number = ?1")                                                                        \
    X(PAYMENT_ANSWER, "UPDATE transactions SET querying = 0 WHERE number = ?1")                    \
    X(PAYMENT_RING,                                                                                \
      "UPDATE transactions SET rung = ?2, attention = max(attention, ?3), next_check_at = ?4"      \
      " WHERE number = ?1")                                                                        \
    X(PAYMENT_ESCROW_SET, "UPDATE transactions SET escrow = ?2 WHERE number = ?1")                 \
    X(PAYMENT_FRONT,                                                                               \
      "UPDATE transactions SET callback_url = ?2, daraja_reference = ?3 WHERE number = ?1")        \
    X(PAYMENT_LATE_URL, "UPDATE transactions SET late_url = ?2, occasion = ?3 WHERE number = ?1")  \
    X(PAYMENT_OVER, "UPDATE transactions SET override_receipt = 'rcp_' || ?2 WHERE number = ?1")   \
    X(PAYMENT_EMAIL, "UPDATE transactions SET email = ?2 WHERE number = ?1")                       \
    X(PAYMENT_MOVE,                                                                                \
      "UPDATE transactions SET status = ?2, stk_state = ?3, retryable = ?4, reason = ?5,"          \
      " explanation = ?6, source = ?7, attention = ?8, next_check_at = ?9, updated_at = ?10,"      \
      " ended_at = ?11, ended_ns = ?12 WHERE number = ?1")                                         \
    X(PAYMENT_JUDGED,                                                                              \
      "UPDATE transactions SET judgement = ?2, judged_amount = nullif(?3, 0) WHERE number = ?1")   \
    X(PAYMENT_JUDGE,                                                                               \
      "UPDATE transactions SET judge = ?2, judge_note = ?3 WHERE number = ?1")                     \
    X(PAYMENT_PAID,                                                                                \
      "UPDATE transactions SET late = ended_ns IS NOT NULL, succeeded_by = ?2,"                    \
      " succeeded_at = ?3, succeeded_ns = ?4, paid_amount = coalesce(judged_amount, amount),"      \
      " escrow = CASE capture WHEN 'escrow' THEN 'held' ELSE 'none' END WHERE number = ?1")        \
    X(PAYMENT_REVERSE,                                                                             \
      "UPDATE transactions SET escrow = 'refunded' WHERE number = ?1 AND escrow = 'held'")         \
    X(MOVE_ADD,                                                                                    \
      "INSERT INTO moves (transaction_number, status, stk_state, reason, source,"                  \
      " notice_number, at, at_ns, position) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")          \
    X(NOTICE_KEEP,                                                                                 \
      "INSERT INTO notices (number, reference, receipt, result_code, result_desc, phone,"          \
      " repeats, peer, headers, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7, ?8, ?9)")             \
    X(NOTICE_TAKE,                                                                                 \
      "UPDATE notices SET provider_number = ?2, transaction_number = ?3, source = ?4, about ="     \
      " ?5, verdict = ?6, reason = ?7, status = ?8, amount = ?9, digest = ?10, received_at ="      \
      " ?11, received_ns = ?12, position = ?13 WHERE number = ?1")                                 \
    X(NOTICE_RECEIPT,                                                                              \
      "UPDATE notices SET receipt_number = (SELECT r.number FROM receipts r WHERE"                 \
      " r.provider_number = ?2 AND r.receipt = notices.receipt) WHERE number = ?1")                \
    X(NOTICE_REPEAT, "UPDATE notices SET repeats = repeats + 1 WHERE number = ?1")                 \
    X(NOTICE_JOIN,                                                                                 \
      "UPDATE notices SET transaction_number = CASE WHEN transaction_number IS NULL AND"           \
      " status = 'orphan' THEN ?2 ELSE transaction_number END, status = ?3 WHERE number = ?1")     \
    X(FEED_OF_TRANSACTION,                                                                         \
      "INSERT INTO events (seq, type, object_id, transaction_number, object_seq,"                  \
      " merchant_number, has_receipt, at, at_ns, position) SELECT ?1, ?2, id, number, ?4, ?5,"     \
      " ?6, ?7, ?8, ?9 FROM transactions WHERE number = ?3")                                       \
    X(FEED_OF_RECEIPT,                                                                             \
      "INSERT INTO events (seq, type, object_id, receipt_number, object_seq, merchant_number,"     \
      " has_receipt, at, at_ns, position) VALUES (?1, ?2, 'rcp_' || ?3, ?3, ?4, ?5, ?6, ?7,"       \
      " ?8, ?9)")                                                                                  \
    X(FEED_OF_DISCREPANCY,                                                                         \
      "INSERT INTO events (seq, type, object_id, discrepancy_number, object_seq,"                  \
      " merchant_number, has_receipt, at, at_ns, position) VALUES (?1, ?2,"                        \
      " 'dis_' || ?3, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")                                                \
    X(FEED_OF_PROVIDER,                                                                            \
      "INSERT INTO events (seq, type, object_id, provider_number, object_seq,"                     \
      " merchant_number, has_receipt, at, at_ns, position) VALUES (?1, ?2, 'prov_' || ?3, ?3,"     \
      " ?4, ?5, ?6, ?7, ?8, ?9)")                                                                  \
    X(WEBHOOK_ADD,                                                                                 \
      "INSERT INTO webhooks (event_seq, endpoint_number, state, outgoing_number) VALUES (?1,"      \
      " ?2, ?3, ?4)")                                                                              \
    X(WEBHOOK_QUEUE,                                                                               \
      "UPDATE webhooks SET state = 'waiting', outgoing_number = ?3 WHERE event_seq = ?1 AND"       \
      " endpoint_number = ?2")                                                                     \
    X(WEBHOOK_END,                                                                                 \
      "UPDATE webhooks SET state = ?3, ended_at = ?4 WHERE event_seq = ?1 AND endpoint_number"     \
      " = ?2")                                                                                     \
    X(REFUND_PROPOSAL_ADD,                                                                         \
      "INSERT INTO refund_proposals (number, transaction_number, first_transaction, amount,"       \
      " at, position) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")                                            \
    X(RECEIPT_KEEP,                                                                                \
      "INSERT INTO receipts (number, provider_number, currency, receipt, account_reference,"       \
      " phone, payer, assigned_by_person) VALUES (?1, ?2, 'KES', ?3, ?4, ?5, ?6, 0)")              \
    X(RECEIPT_CREATE,                                                                              \
      "UPDATE receipts SET amount = ?2, paid_at = ?3, status = ?4, source = ?5, created_at ="      \
      " ?6, created_ns = ?7, position = ?8, order_id = CASE ?4 WHEN 'assigned' THEN"               \
      " account_reference END WHERE number = ?1")                                                  \
    X(RECEIPT_ASSIGN,                                                                              \
      "UPDATE receipts SET status = 'assigned', assigned_by_person = ?2, order_id = ?3 WHERE"      \
      " number = ?1")                                                                              \
    X(RECEIPT_TAKE_BACK,                                                                           \
      "UPDATE receipts SET status = 'taken_back', transaction_number = ?2 WHERE number = ?1")      \
    X(DISCREPANCY_ADD,                                                                             \
      "INSERT INTO discrepancies (number, status, kind, explanation, provider_number,"             \
      " reference, transaction_number, receipt_number, notice_number, ours, theirs, reason,"       \
      " opened_at, opened_ns, position) VALUES (?1, 'open', ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9,"       \
      " ?10, 'open', ?11, ?12, ?13)")                                                              \
    X(DISCREPANCY_NOTE, "UPDATE discrepancies SET owner = ?2, note = ?3 WHERE number = ?1")        \
    X(DISCREPANCY_RESOLVE,                                                                         \
      "UPDATE discrepancies SET status = 'resolved', reason = ?2, resolved_at = ?3 WHERE"          \
      " number = ?1")                                                                              \
    X(SHADOW_ADD,                                                                                  \
      "INSERT INTO shadow_calls (number, call, status, error, duration_ms, request, answer,"       \
      " seen_at, position) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")                           \
    X(GATEWAY_ACCOUNT_ADD,                                                                         \
      "INSERT INTO accounts (account, kind, merchant_number, provider_number, currency,"           \
      " flags, opened_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")                                    \
    X(GATEWAY_ENTRY_ADD,                                                                           \
      "INSERT INTO entries (transfer, account, direction, amount, balance_after, reason,"          \
      " transaction_number, receipt_number, at, at_ns, position) SELECT ?1, ?2, ?3, ?4,"           \
      " balance, ?5, ?6, ?7, ?8, ?9, ?10 FROM accounts WHERE account = ?2")                        \
    X(OUTGOING_ADD,                                                                                \
      "INSERT INTO outgoing (number, kind, transaction_number, provider_number, event_seq,"        \
      " endpoint_number, state, attempts, queued_at, queued_ns, next_try_at) VALUES (?1, ?2,"      \
      " ?3, ?4, ?5, ?6, 'waiting', 0, ?7, ?8, ?9)")                                                \
    X(OUTGOING_TRIED,                                                                              \
      "UPDATE outgoing SET state = ?2, attempts = attempts + 1, next_try_at = ?3, ended_at ="      \
      " ?4 WHERE number = ?1")                                                                     \
    X(OUTGOING_REVIVED,                                                                            \
      "UPDATE outgoing SET state = 'waiting', next_try_at = ?2, ended_at = NULL WHERE number"      \
      " = ?1")                                                                                     \
    X(ATTEMPT_ADD,                                                                                 \
      "INSERT INTO attempts (outgoing_number, attempt, at, at_ns, status, answer,"                 \
      " duration_ms, error, position) SELECT ?1, attempts, ?2, ?3, ?4, ?5, ?6, ?7, ?8 FROM"        \
      " outgoing WHERE number = ?1")                                                               \
    X(ATTEMPT_ANSWER,                                                                              \
      "UPDATE attempts SET answer = ?2 WHERE number = (SELECT max(number) FROM attempts WHERE"     \
      " outgoing_number = ?1)")
/* clang-format on */

#endif
