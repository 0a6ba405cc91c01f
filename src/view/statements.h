/*
 * statements.h - the SQL that the projections run, each prepared once: what every book has
 * (accounts, holds, worlds), and the operator's own; statements_merchant.h has the merchant's.
 * X(NAME, "SQL")
 */
#ifndef HAKIKA_VIEW_STATEMENTS_H
#define HAKIKA_VIEW_STATEMENTS_H

/* clang-format off */
#define COMMON_STATEMENTS(X)                                                                       \
    X(BEGIN, "BEGIN IMMEDIATE")                                                                    \
    X(COMMIT, "COMMIT")                                                                            \
    X(ROLLBACK, "ROLLBACK")                                                                        \
    X(META_PUT, "INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)")                       \
    X(ACCOUNT_FLAGS, "UPDATE accounts SET flags = ?2 WHERE account = ?1")                          \
    X(ACCOUNT_DEBIT,                                                                               \
      "UPDATE accounts SET debits_posted = debits_posted + ?2,"                                    \
      " debits_pending = debits_pending + ?3 WHERE account = ?1")                                  \
    X(ACCOUNT_CREDIT,                                                                              \
      "UPDATE accounts SET credits_posted = credits_posted + ?2,"                                  \
      " credits_pending = credits_pending + ?3 WHERE account = ?1")                                \
    X(HOLD_ADD,                                                                                    \
      "INSERT INTO holds (transfer, debit_account, credit_account, amount, state, placed_at,"      \
      " expires_at) VALUES (?1, ?2, ?3, ?4, 'open', ?5, ?6)")                                      \
    X(HOLD_LOOK, "SELECT debit_account, credit_account, amount FROM holds WHERE transfer = ?1")    \
    X(HOLD_END,                                                                                    \
      "UPDATE holds SET state = ?2, posted_amount = ?3, ended_at = ?4 WHERE transfer = ?1")        \
    X(WORLD_ADD, "INSERT INTO worlds (name, world, saved_at, position) VALUES (?1, ?2, ?3, ?4)")   \
    X(WORLD_COPY,                                                                                  \
      "INSERT INTO worlds (name, world, saved_at, position)"                                       \
      " SELECT ?2, world, saved_at, position FROM worlds WHERE name = ?1")                         \
    X(WORLD_REMOVE, "DELETE FROM worlds WHERE name = ?1")                                          \
    X(IMPORT_FORGET, "DELETE FROM import_parts WHERE position <= ?1")                              \
    X(IMPORT_PART,                                                                                 \
      "INSERT INTO import_parts (position, time_ns, cause, events) VALUES (?1, ?2, ?3, ?4)")

#define OPERATOR_STATEMENTS(X)                                                                     \
    X(TRANSACTION_ADD,                                                                             \
      "INSERT INTO transactions (number, type, status, checkout_request_id, merchant_request_id,"  \
      " amount, fee, currency, msisdn, short_code, party_b, transaction_type, account_reference,"  \
      " description, callback_url, created_at, created_ns, position)"                              \
      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, 'KES', ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)") \
    X(TRANSACTION_STATUS, "UPDATE transactions SET status = ?2 WHERE number = ?1")                 \
    X(TRANSACTION_END,                                                                             \
      "UPDATE transactions SET status = ?2, result_code = ?3, reason = ?4, receipt = ?5,"          \
      " ended_at = ?6, ended_ns = ?7 WHERE number = ?1")                                           \
    X(TRANSACTION_LOOK,                                                                            \
      "SELECT created_ns, checkout_request_id, msisdn, amount, ended_ns, result_code, receipt,"    \
      " callback_url, reason, ruled_by FROM transactions WHERE number = ?1")                       \
    X(TRANSACTION_RULED, "UPDATE transactions SET ruled_by = ?2 WHERE number = ?1")                \
    X(RULING_ADD,                                                                                  \
      "INSERT INTO rulings (transaction_number, request_number, rule, origin, rule_number,"        \
      " revision, orders, order_bytes, at, position)"                                              \
      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")                                         \
    X(RULING_LOOK, "SELECT order_bytes FROM rulings WHERE transaction_number = ?1")                \
    X(RULING_LOOK_REQUEST, "SELECT order_bytes FROM rulings WHERE request_number = ?1")            \
    X(REQUEST_RULED, "UPDATE requests SET ruled_by = ?2 WHERE number = ?1")                        \
    X(PROMPT_ANSWER,                                                                               \
      "INSERT INTO prompts (transaction_number, msisdn, answer, answered_at)"                      \
      " SELECT ?1, msisdn, ?2, ?3 FROM transactions WHERE number = ?1")                            \
    X(PROMPT_ADD,                                                                                  \
      "INSERT INTO prompts (transaction_number, msisdn, reached, prompted_at, expires_at)"         \
      " SELECT ?1, msisdn, ?2, ?3, ?4 FROM transactions WHERE number = ?1"                         \
      " ON CONFLICT (transaction_number) DO UPDATE SET reached = ?2, prompted_at = ?3,"            \
      " expires_at = ?4")                                                                          \
    X(PROMPT_END,                                                                                  \
      "UPDATE prompts SET answer = ?2, answered_at = ?3"                                           \
      " WHERE transaction_number = ?1 AND answer IS NULL")                                         \
    X(ACCOUNT_ADD,                                                                                 \
      "INSERT INTO accounts (account, kind, msisdn, short_code, currency, flags, opened_at)"       \
      " VALUES (?1, ?2, (SELECT msisdn FROM subscribers WHERE slot = ?3), ?4, ?5, ?6, ?7)")        \
    X(ENTRY_ADD,                                                                                   \
      "INSERT INTO entries (transfer, account, direction, amount, balance_after, reason,"          \
      " transaction_number, request_number, at, at_ns, position) SELECT ?1, ?2, ?3, ?4, balance,"  \
      " ?5, ?6, ?7, ?8, ?9, ?10 FROM accounts WHERE account = ?2")                                 \
    X(CALLBACK_ADD,                                                                                \
      "INSERT INTO callbacks (number, transaction_number, kind, url, body, ruled, state,"          \
      " attempts, queued_at, queued_ns, next_try_at)"                                              \
      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'waiting', 0, ?7, ?8, ?9)")                                \
    X(CALLBACK_EDITED,                                                                             \
      "INSERT INTO callbacks (number, transaction_number, request_number, kind, url, body,"        \
      " ruled, state, attempts, queued_at, queued_ns, next_try_at)"                                \
      " SELECT ?1, transaction_number, request_number, kind, ?3, ?4, ruled, 'waiting', 0, ?5,"     \
      " ?6, ?7 FROM callbacks WHERE number = ?2")                                                  \
    X(MESSAGE_ADD,                                                                                 \
      "INSERT INTO callbacks (number, request_number, kind, url, state, attempts, queued_at,"      \
      " queued_ns, next_try_at, ruled) VALUES (?1, ?2, ?3, (SELECT CASE ?3"                        \
      " WHEN 'result' THEN result_url"                                                             \
      " WHEN 'timeout' THEN timeout_url ELSE (SELECT validation_url FROM organisations o WHERE"    \
      " o.short_code = r.short_code) END FROM requests r WHERE number = ?2), 'waiting', 0,"        \
      " ?4, ?5, ?6, ?7)")                                                                          \
    X(CONFIRMATION_ADD,                                                                            \
      "INSERT INTO callbacks (number, transaction_number, kind, url, state, attempts, queued_at,"  \
      " queued_ns, next_try_at) SELECT ?1, ?2, 'c2b_confirmation', o.confirmation_url,"            \
      " 'waiting', 0, ?3, ?4, ?5 FROM transactions t JOIN organisations o"                         \
      " ON o.short_code = t.party_b WHERE t.number = ?2")                                          \
    X(REQUEST_CONFIRMATION_ADD,                                                                    \
      "INSERT INTO callbacks (number, request_number, kind, url, state, attempts, queued_at,"      \
      " queued_ns, next_try_at) SELECT ?1, ?2, 'c2b_confirmation', o.confirmation_url,"            \
      " 'waiting', 0, ?3, ?4, ?5 FROM requests r JOIN organisations o"                             \
      " ON o.short_code = r.short_code WHERE r.number = ?2")                                       \
    X(VALIDATION_ADD,                                                                              \
      "INSERT OR IGNORE INTO validations (request_number, callback_number, receipt, url,"          \
      " response_type, asked_at, expires_at) SELECT ?1, ?2, ?3, o.validation_url,"                 \
      " o.c2b_response_type, ?4,"                                                                  \
      " r.expires_at FROM requests r JOIN organisations o ON o.short_code = r.short_code"          \
      " WHERE r.number = ?1")                                                                      \
    X(VALIDATION_ANSWER,                                                                           \
      "UPDATE validations SET third_party_id = ?2 WHERE request_number = ?1")                      \
    X(VALIDATION_END,                                                                              \
      "UPDATE validations SET ended_at = ?2, answered = EXISTS (SELECT 1 FROM deliveries d"        \
      " WHERE d.callback_number = validations.callback_number AND d.status BETWEEN 200"            \
      " AND 299) WHERE request_number = ?1")                                                       \
    X(ORGANISATION_C2B,                                                                            \
      "UPDATE organisations SET c2b_version = ?2, c2b_response_type = ?3, confirmation_url = ?4,"  \
      " validation_url = ?5 WHERE slot = ?1")                                                      \
    X(ORGANISATION_VALIDATES,                                                                      \
      "UPDATE organisations SET external_validation = ?2 WHERE slot = ?1")                         \
    X(ORGANISATION_BILLER, "UPDATE organisations SET bill_url = ?2 WHERE slot = ?1")               \
    X(ORGANISATION_PAYSTACK, "UPDATE organisations SET paystack_url = ?2 WHERE slot = ?1")         \
    X(REQUEST_PHONE,                                                                               \
      "UPDATE requests SET party = ?2, party_type = 'msisdn' WHERE number = ?1")                   \
    X(INVOICE_PUT,                                                                                 \
      "INSERT OR REPLACE INTO invoices (number, short_code, external_reference,"                   \
      " account_reference, msisdn, billed_name, amount, paid, status, sent_at)"                    \
      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, 'sent', ?8)")                                       \
    X(INVOICE_PAY,                                                                                 \
      "UPDATE invoices SET paid = paid + ?2, status = CASE WHEN paid + ?2 = amount THEN 'paid'"    \
      " ELSE 'partly_paid' END, closed_at = CASE WHEN paid + ?2 = amount THEN ?3 END"              \
      " WHERE number = ?1")                                                                        \
    X(INVOICE_CANCEL,                                                                              \
      "UPDATE invoices SET status = 'cancelled', closed_at = ?2 WHERE number = ?1")                \
    X(BILL_ADD,                                                                                    \
      "INSERT INTO callbacks (number, transaction_number, request_number, kind, url, state,"       \
      " attempts, queued_at, queued_ns, next_try_at) VALUES (?1, ?2, ?3, 'bill_payment',"          \
      " (SELECT bill_url FROM organisations WHERE short_code = coalesce((SELECT party_b FROM"      \
      " transactions WHERE number = ?2), (SELECT short_code FROM requests WHERE number = ?3))),"   \
      " 'waiting', 0, ?4, ?5, ?6)")                                                                \
    X(ORGANISATION_PULL,                                                                           \
      "UPDATE organisations SET pull_msisdn = ?2, pull_url = ?3 WHERE slot = ?1")                  \
    X(ORGANISATION_SETTINGS,                                                                       \
      "UPDATE organisations SET active = ?2, nominated_msisdn = (SELECT msisdn FROM subscribers"   \
      " WHERE subscribers.slot = ?3), queue_delay_ms = ?4 WHERE slot = ?1")                        \
    X(PROMPT_REQUEST,                                                                              \
      "INSERT INTO prompts (request_number, msisdn, reached, prompted_at, expires_at)"             \
      " SELECT ?1, msisdn, ?3, ?4, ?5 FROM subscribers WHERE slot = ?2")                           \
    X(PROMPT_REQUEST_END,                                                                          \
      "UPDATE prompts SET answer = ?2, answered_at = ?3"                                           \
      " WHERE request_number = ?1 AND answer IS NULL")                                             \
    X(RULES_REMOVE,                                                                                \
      "DELETE FROM rules WHERE origin = ?1")                                                       \
    X(RULE_ADD,                                                                                    \
      "INSERT INTO rules (origin, rule_number, name, document, matched, applied, set_at,"          \
      " position) VALUES (?1, ?2, ?3, ?4, 0, 0, ?5, ?6)")                                          \
    X(RULE_COUNT,                                                                                  \
      "UPDATE rules SET matched = matched + 1, applied = applied + ?3"                             \
      " WHERE origin = ?1 AND rule_number = ?2")                                                   \
    X(REQUEST_ADD,                                                                                 \
      "INSERT INTO requests (number, type, status, conversation_id, originator_conversation_id,"   \
      " amount, charge, currency, short_code, party, party_type, original, original_request,"      \
      " account_reference, remarks, occasion, result_url, timeout_url, created_at, created_ns,"    \
      " position) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, 'KES', ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14,"  \
      " ?15, ?16, ?17, ?18, ?19)")                                                                 \
    X(REQUEST_ASKED, "UPDATE requests SET status = ?2, expires_at = ?3 WHERE number = ?1")         \
    X(REQUEST_END,                                                                                 \
      "UPDATE requests SET status = ?2, result_code = ?3, reason = ?4, receipt = ?5, charge = ?6," \
      " ended_at = ?7, ended_ns = ?8 WHERE number = ?1")                                           \
    X(REQUEST_ORIGINAL,                                                                            \
      "UPDATE requests SET original = ?2, original_request = ?3 WHERE number = ?1")                \
    X(REQUEST_AMOUNT, "UPDATE requests SET amount = ?2 WHERE number = ?1")                         \
    X(TRANSACTION_REVERSED,                                                                        \
      "UPDATE transactions SET reversed_by = 'req_' || ?1 WHERE number ="                          \
      " (SELECT original FROM requests WHERE number = ?1 AND type = 'reversal')")                  \
    X(REQUEST_REVERSED,                                                                            \
      "UPDATE requests SET reversed_by = 'req_' || ?1 WHERE number ="                              \
      " (SELECT original_request FROM requests WHERE number = ?1 AND type = 'reversal')")          \
    X(STANDING_ADD,                                                                                \
      "INSERT INTO standing_orders (number, request_number, status, frequency, start_date,"        \
      " end_date, payments) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0)")                                   \
    X(STANDING_STATUS,                                                                             \
      "UPDATE standing_orders SET status = ?2, next_payment_at = ?3, closed_at = ?4"               \
      " WHERE number = ?1")                                                                        \
    X(STANDING_RAN,                                                                                \
      "UPDATE standing_orders SET payments = payments + 1, last_payment = ?2 WHERE number = ?1")   \
    X(STANDING_REFUSED,                                                                            \
      "UPDATE standing_orders SET status = ?2 WHERE request_number = ?1 AND status = ?3")          \
    X(CALLBACK_TRIED,                                                                              \
      "UPDATE callbacks SET state = ?2, attempts = attempts + 1, next_try_at = ?3, ended_at = ?4"  \
      " WHERE number = ?1")                                                                        \
    X(CALLBACK_REVIVED,                                                                            \
      "UPDATE callbacks SET state = 'waiting', next_try_at = ?2, ended_at = NULL"                  \
      " WHERE number = ?1")                                                                        \
    X(DELIVERY_ADD,                                                                                \
      "INSERT INTO deliveries (callback_number, attempt, url, at, at_ns, status, answer,"          \
      " duration_ms, error, position)"                                                             \
      " SELECT ?1, attempts, url, ?2, ?3, ?4, ?5, ?6, ?7, ?8 FROM callbacks WHERE number = ?1")    \
    X(DELIVERY_ANSWER,                                                                             \
      "UPDATE deliveries SET answer = ?2 WHERE number ="                                           \
      " (SELECT max(number) FROM deliveries WHERE callback_number = ?1)")                          \
    X(PERSON_PUT,                                                                                  \
      "INSERT INTO subscribers (slot, msisdn, name, status, reachable, pin_failures, seen_at)"     \
      " VALUES (?1, ?2, ?3, 'unregistered', 1, 0, ?4)"                                             \
      " ON CONFLICT (slot) DO UPDATE SET name = ?3")                                               \
    X(PERSON_LOOK, "SELECT msisdn FROM subscribers WHERE slot = ?1")                               \
    X(SUBSCRIBER_OPEN,                                                                             \
      "UPDATE subscribers SET status = 'active', account = ?2, opened_at = ?3 WHERE slot = ?1")    \
    X(SUBSCRIBER_CHANGE,                                                                           \
      "UPDATE subscribers SET status = ?2, reachable = ?3, sim_swapped_at = ?4 WHERE slot = ?1")   \
    X(SUBSCRIBER_PIN, "UPDATE subscribers SET pin_failures = ?2 WHERE slot = ?1")                  \
    X(ORGANISATION_ADD,                                                                            \
      "INSERT INTO organisations (slot, short_code, type, charges, utility_account,"               \
      " working_account, charges_paid_account, settlement_account, opened_at)"                     \
      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")                                              \
    X(ORGANISATION_NAME, "UPDATE organisations SET name = ?2 WHERE slot = ?1")
/* clang-format on */

#endif
