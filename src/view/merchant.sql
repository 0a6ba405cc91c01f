-- The merchant's view: the merchant book as tables (docs/view.md). Made by src/view; whoever changes
-- anything here changes the fingerprint, and every file of the view is built again.
--
-- Amounts are integers in minor units (Kenyan cents). Times are RFC 3339 in UTC, in the book's
-- time; columns that end in _ns are the same in nanoseconds since 1970. Phone numbers are numbers
-- as 254712345678. Ids are those of the API (/v1). No secret, key, or token of a callback URL is in
-- it, sealed or not.

CREATE TABLE merchants (
    number INTEGER PRIMARY KEY,  -- counts merchants from 1
    name TEXT,
    wallet_account INTEGER NOT NULL, -- accounts.account, four of them
    escrow_account INTEGER NOT NULL,
    fees_account INTEGER NOT NULL,
    suspense_account INTEGER NOT NULL,
    opened_at TEXT NOT NULL
);

CREATE TABLE api_keys (          -- that there are; neither keys nor their digests
    number INTEGER PRIMARY KEY,
    merchant_number INTEGER NOT NULL,
    status TEXT NOT NULL,        -- open, closed
    opened_at TEXT NOT NULL,
    closed_at TEXT
);

CREATE TABLE providers (         -- accounts at providers
    number INTEGER PRIMARY KEY,
    id TEXT AS ('prov_' || number),
    merchant_number INTEGER NOT NULL,
    kind TEXT NOT NULL,          -- daraja, paystack
    production INTEGER NOT NULL, -- 1: real money
    short_code INTEGER NOT NULL, -- 0 at Paystack
    party_b INTEGER,             -- who is paid, when it is another one (a till)
    is_till INTEGER NOT NULL,
    base_url TEXT,               -- NULL: the operator next door
    clearing_account INTEGER NOT NULL, -- accounts.account: what lies at the provider
    c2b_status TEXT NOT NULL DEFAULT 'not_registered', -- ..., asked, registered, refused, unknown
    c2b_accept TEXT NOT NULL DEFAULT 'all', -- all, known_orders
    c2b_unanswered TEXT NOT NULL DEFAULT 'complete', -- what happens when we do not answer: cancel
    c2b_answer TEXT,
    c2b_forwarded_to TEXT,       -- an application's own ConfirmationURL
    when_unavailable TEXT NOT NULL DEFAULT 'refuse', -- ..., queue
    pull_status TEXT NOT NULL DEFAULT 'never', -- ..., registering, asked, done, failed
    pull_phone INTEGER,          -- the nominated number
    pull_from TEXT,
    pull_until TEXT,
    pull_rows INTEGER NOT NULL DEFAULT 0, -- taken before the latest page
    pull_answer TEXT,
    alert_day TEXT,              -- the latest day (in Kenya) that an alert was raised for
    callbacks_rotated_at TEXT,   -- when its callback URLs got another token; ...
    callbacks_retired_at TEXT,   -- ... when one before was retired
    next_pull_at TEXT,           -- when it is pulled by itself
    opened_at TEXT NOT NULL
);

CREATE TABLE webhook_endpoints (
    number INTEGER PRIMARY KEY,
    id TEXT AS ('we_' || number),
    merchant_number INTEGER NOT NULL,
    url TEXT,
    status TEXT NOT NULL,        -- enabled, disabled
    events TEXT NOT NULL,        -- types, with commas; *: all
    secret_before_until TEXT,    -- until then the secret before the latest rotation signs, too
    opened_at TEXT NOT NULL
);

CREATE TABLE transactions (      -- payments, payouts and refunds: they are numbered together. See
                                 -- the views payments, payouts, refunds
    number INTEGER PRIMARY KEY,
    id TEXT AS (CASE kind WHEN 'payout' THEN 'po_' WHEN 'refund' THEN 'ref_' ELSE 'pay_' END
                || number),
    kind TEXT NOT NULL,          -- payment, payout, refund
    merchant_number INTEGER NOT NULL,
    provider_number INTEGER NOT NULL,
    status TEXT NOT NULL,        -- created, submitted, pending, unconfirmed, mismatched, succeeded,
                                 -- failed, expired, cancelled, reversed (docs/merchant.md)
    stk_state TEXT NOT NULL,     -- the same in R2.1's words: INITIATED, PENDING, COMPLETED, ...
    retryable INTEGER NOT NULL,  -- 1: the customer may start anew
    amount INTEGER NOT NULL,     -- cents that were asked for
    paid_amount INTEGER,         -- cents that are booked; NULL: none (yet)
    currency TEXT NOT NULL,
    phone INTEGER NOT NULL,      -- who is asked, or paid
    order_id TEXT,               -- of a payout its reference
    description TEXT,
    email TEXT,
    method TEXT NOT NULL,        -- mpesa_stk, paystack, mpesa_b2c, mpesa_reversal, paystack_refund
    capture TEXT NOT NULL,       -- wallet, escrow
    escrow TEXT NOT NULL,        -- none, held, released, refunded
    checkout_request_id TEXT,    -- the provider's id of it; of Paystack our reference
    merchant_request_id TEXT,
    receipt TEXT,
    result_code TEXT,
    result_desc TEXT,
    reason TEXT,                 -- of the latest move
    explanation TEXT,            -- the same in words
    source TEXT,                 -- who brought the latest move by a claim: callback, query, ...
    succeeded_by TEXT,           -- who said that it was paid (person: accepted); NULL: nobody
    judgement TEXT,              -- of a person: accept, refund, reject
    judged_amount INTEGER,       -- cents that the person accepted
    judge TEXT,                  -- who, and why
    judge_note TEXT,
    querying INTEGER NOT NULL,   -- 1: the provider is being asked
    late INTEGER NOT NULL,       -- 1: it succeeded after it had ended otherwise
    attention INTEGER NOT NULL,  -- 1: a person has to look
    rung INTEGER NOT NULL,       -- of the ladder: how often the provider was asked by it
    asked_at TEXT,               -- when it was last asked about
    overrides INTEGER,           -- the unknown payment that somebody chose to override: its number
    override_receipt TEXT,       -- the receipt for the same order, the same way: rcp_N
    refund_of INTEGER,           -- of a refund: the payment that it gives back
    refund INTEGER,              -- the latest refund of it
    callback_url TEXT,           -- the application's own, when it was asked for at Daraja's paths
    daraja_reference TEXT,       -- ... and its AccountReference
    late_url TEXT,               -- of a payout asked for there: its QueueTimeOutURL
    occasion TEXT,
    created_at TEXT NOT NULL,
    created_ns INTEGER NOT NULL,
    updated_at TEXT NOT NULL,    -- its latest move
    succeeded_at TEXT,           -- NULL: never
    succeeded_ns INTEGER,
    ended_at TEXT,               -- NULL while it is open
    ended_ns INTEGER,
    next_check_at TEXT,
    position INTEGER NOT NULL    -- journal position of the decision that made it
);
CREATE INDEX transactions_by_order ON transactions (order_id);
CREATE INDEX transactions_by_phone ON transactions (phone);
CREATE INDEX transactions_by_time ON transactions (created_ns);
CREATE INDEX transactions_by_success ON transactions (succeeded_ns)
    WHERE succeeded_ns IS NOT NULL;
CREATE INDEX transactions_by_receipt ON transactions (receipt) WHERE receipt IS NOT NULL;
CREATE INDEX transactions_by_checkout ON transactions (checkout_request_id)
    WHERE checkout_request_id IS NOT NULL;
CREATE INDEX transactions_open ON transactions (status) WHERE ended_ns IS NULL;

CREATE TABLE moves (             -- every state that a transaction entered, and why (R6.7)
    number INTEGER PRIMARY KEY,  -- in the order of the journal
    transaction_number INTEGER NOT NULL,
    status TEXT NOT NULL,
    stk_state TEXT NOT NULL,
    reason TEXT,
    source TEXT,
    notice_number INTEGER,       -- that brought it
    at TEXT NOT NULL,
    at_ns INTEGER NOT NULL,
    position INTEGER NOT NULL
);
CREATE INDEX moves_by_transaction ON moves (transaction_number);

CREATE TABLE notices (           -- everything that claimed something: the evidence (R2.8)
    number INTEGER PRIMARY KEY,
    id TEXT AS ('ntc_' || number),
    status TEXT,                 -- what it did: applied, confirms, in_flight, contradicts,
                                 -- mismatch, orphan, unreadable, enriches, to_be_confirmed
    source TEXT,                 -- submission, query, callback, webhook, status, pull, statement
    about TEXT,                  -- payment, receipt, payout, refund, balance, charge, transfer
    verdict TEXT,                -- unknown, in_flight, failed, succeeded, refused
    reason TEXT,
    provider_number INTEGER,
    transaction_number INTEGER,  -- whose it is; NULL: nobody's (yet), or a receipt's
    receipt_number INTEGER,      -- receipts.number
    reference TEXT,              -- as it names them
    receipt TEXT,
    result_code TEXT,
    result_desc TEXT,
    amount INTEGER,              -- cents; 0: none is named
    phone INTEGER,               -- when it is given in full
    repeats INTEGER NOT NULL,    -- how often the same came again
    peer TEXT,                   -- who brought it
    headers TEXT,
    digest TEXT,                 -- of the body, keyed
    body TEXT,                   -- byte for byte; a BLOB when it holds a zero byte
    received_at TEXT,
    received_ns INTEGER,
    position INTEGER
);
CREATE INDEX notices_by_transaction ON notices (transaction_number)
    WHERE transaction_number IS NOT NULL;
CREATE INDEX notices_by_receipt ON notices (receipt_number) WHERE receipt_number IS NOT NULL;
CREATE INDEX notices_by_time ON notices (received_ns);
CREATE INDEX notices_orphans ON notices (status) WHERE status = 'orphan';

CREATE TABLE receipts (          -- money that arrived without a push (C2B)
    number INTEGER PRIMARY KEY,
    id TEXT AS ('rcp_' || number),
    status TEXT,                 -- suspense, assigned, taken_back
    provider_number INTEGER NOT NULL,
    amount INTEGER,              -- cents
    currency TEXT NOT NULL,
    receipt TEXT,                -- its number at the provider
    account_reference TEXT,      -- as the payer wrote it
    phone INTEGER,               -- of the payer, when it is given in full
    payer TEXT,                  -- as given: masked or hashed
    source TEXT,                 -- who said so first
    order_id TEXT,               -- that it is for
    transaction_number INTEGER,  -- taken back: the payment whose money it is
    assigned_by_person INTEGER NOT NULL,
    paid_at TEXT,                -- by the provider's clock
    created_at TEXT,
    created_ns INTEGER,
    position INTEGER
);
CREATE UNIQUE INDEX receipts_by_receipt ON receipts (provider_number, receipt);
CREATE INDEX receipts_by_time ON receipts (created_ns);
CREATE INDEX receipts_waiting ON receipts (status) WHERE status = 'suspense';

CREATE TABLE discrepancies (     -- the provider's books against ours
    number INTEGER PRIMARY KEY,
    id TEXT AS ('dis_' || number),
    status TEXT NOT NULL,        -- open, resolved
    kind TEXT NOT NULL,          -- unknown_account, amount_differs, unknown_payout, ...
    explanation TEXT NOT NULL,
    provider_number INTEGER NOT NULL,
    reference TEXT,
    transaction_number INTEGER,
    receipt_number INTEGER,
    notice_number INTEGER,       -- that showed it
    ours INTEGER NOT NULL,       -- cents
    theirs INTEGER NOT NULL,
    reason TEXT NOT NULL,        -- open, assigned, explained, corrected, duplicate, written_off
    owner TEXT,
    note TEXT,
    opened_at TEXT NOT NULL,
    opened_ns INTEGER NOT NULL,
    resolved_at TEXT,
    position INTEGER NOT NULL
);
CREATE INDEX discrepancies_by_time ON discrepancies (opened_ns);

CREATE TABLE refund_proposals (  -- an order was paid twice: this is money to give back
    number INTEGER PRIMARY KEY,
    transaction_number INTEGER NOT NULL, -- the second payment
    first_transaction INTEGER NOT NULL,
    amount INTEGER NOT NULL,     -- cents
    at TEXT NOT NULL,
    position INTEGER NOT NULL
);

CREATE TABLE events (            -- what the application is told: the feed
    seq INTEGER PRIMARY KEY,
    id TEXT AS ('evt_' || seq),
    type TEXT NOT NULL,          -- payment.succeeded, ...
    object_id TEXT NOT NULL,     -- pay_1, po_2, ref_3, rcp_4, prov_5, dis_6
    transaction_number INTEGER,
    receipt_number INTEGER,
    provider_number INTEGER,
    discrepancy_number INTEGER,
    object_seq INTEGER NOT NULL, -- counts the events of the object
    merchant_number INTEGER NOT NULL,
    has_receipt INTEGER NOT NULL, -- 1: the receipt was known when it happened
    at TEXT NOT NULL,
    at_ns INTEGER NOT NULL,
    position INTEGER NOT NULL
);
CREATE INDEX events_by_transaction ON events (transaction_number)
    WHERE transaction_number IS NOT NULL;
CREATE INDEX events_by_time ON events (at_ns);

CREATE TABLE webhooks (          -- an event for an endpoint that wants it
    number INTEGER PRIMARY KEY,  -- in the order of the journal
    event_seq INTEGER NOT NULL,
    endpoint_number INTEGER NOT NULL,
    state TEXT NOT NULL,         -- behind (another one of the object goes first), waiting,
                                 -- delivered, dead
    outgoing_number INTEGER,     -- outgoing.number; a replay of what has ended is another one
    ended_at TEXT
);
CREATE UNIQUE INDEX webhooks_by_event ON webhooks (event_seq, endpoint_number);

CREATE TABLE outgoing (          -- what leaves: requests to providers, messages to the application
    number INTEGER PRIMARY KEY,  -- dead letters of the application are dl_ and this
    kind TEXT NOT NULL,          -- push, query, status, payout, reversal, register, pull, ...,
                                 -- webhook, callback (to transactions.callback_url), late
                                 -- (to transactions.late_url)
    transaction_number INTEGER,
    provider_number INTEGER,     -- of what is not about a transaction
    event_seq INTEGER,           -- of a webhook
    endpoint_number INTEGER,
    state TEXT NOT NULL,         -- waiting, delivered, dead
    attempts INTEGER NOT NULL,   -- rows in attempts
    queued_at TEXT NOT NULL,
    queued_ns INTEGER NOT NULL,
    next_try_at TEXT,            -- of a waiting one
    ended_at TEXT                -- delivered or given up
);
CREATE INDEX outgoing_by_transaction ON outgoing (transaction_number)
    WHERE transaction_number IS NOT NULL;
CREATE INDEX outgoing_unfinished ON outgoing (state) WHERE state <> 'delivered';

CREATE TABLE attempts (          -- every attempt at it, with its answer
    number INTEGER PRIMARY KEY,  -- in the order of the journal
    outgoing_number INTEGER NOT NULL,
    attempt INTEGER NOT NULL,    -- 1, 2, ... of this message
    at TEXT NOT NULL,            -- when its result came
    at_ns INTEGER NOT NULL,
    status INTEGER,              -- HTTP status; NULL: there was no answer
    answer TEXT,                 -- the start of the answer's body
    duration_ms INTEGER NOT NULL,
    error TEXT,                  -- why there was no answer
    position INTEGER NOT NULL
);
CREATE INDEX attempts_by_outgoing ON attempts (outgoing_number);

CREATE TABLE entries (           -- double entry: two rows for each transfer that was posted
    number INTEGER PRIMARY KEY,  -- in the order of the journal
    transfer INTEGER NOT NULL,   -- id of the transfer: its debit and its credit share it
    account INTEGER NOT NULL,    -- accounts.account
    direction TEXT NOT NULL,     -- debit or credit
    amount INTEGER NOT NULL,     -- cents
    balance_after INTEGER NOT NULL, -- of the account: credits less debits, in cents
    reason TEXT NOT NULL,        -- payment, release, reversal, payout, fee, receipt, assign,
                                 -- take_back, other
    transaction_number INTEGER,
    receipt_number INTEGER,
    at TEXT NOT NULL,
    at_ns INTEGER NOT NULL,
    position INTEGER NOT NULL
);
CREATE INDEX entries_by_account ON entries (account);
CREATE INDEX entries_by_transaction ON entries (transaction_number)
    WHERE transaction_number IS NOT NULL;
CREATE INDEX entries_by_receipt ON entries (receipt_number) WHERE receipt_number IS NOT NULL;
CREATE INDEX entries_by_time ON entries (at_ns);

CREATE TABLE holds (             -- money set aside for payouts and refunds
    transfer INTEGER PRIMARY KEY, -- id of the transfer that placed it
    debit_account INTEGER NOT NULL,
    credit_account INTEGER NOT NULL,
    amount INTEGER NOT NULL,     -- cents
    state TEXT NOT NULL,         -- open, posted, voided, expired
    posted_amount INTEGER,       -- of a posted one
    placed_at TEXT NOT NULL,
    expires_at TEXT,             -- NULL: never
    ended_at TEXT
);

CREATE TABLE accounts (          -- of the ledger
    account INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,          -- clearing, wallet, escrow, fees, suspense, other
    merchant_number INTEGER,     -- owner of all but clearing
    provider_number INTEGER,     -- owner of clearing
    currency TEXT NOT NULL,      -- KES, or the ISO 4217 number of another one
    flags INTEGER NOT NULL,      -- 1 never below zero, 2 never above it, 4 closed
    debits_posted INTEGER NOT NULL DEFAULT 0,
    credits_posted INTEGER NOT NULL DEFAULT 0,
    debits_pending INTEGER NOT NULL DEFAULT 0,
    credits_pending INTEGER NOT NULL DEFAULT 0,
    balance INTEGER AS (credits_posted - debits_posted), -- cents; clearing is below zero
    opened_at TEXT NOT NULL
);

CREATE TABLE shadow_calls (      -- what was seen in shadow mode; secrets in it are masked
    number INTEGER PRIMARY KEY,
    id TEXT AS ('shd_' || number),
    call TEXT NOT NULL,          -- method and path
    status INTEGER NOT NULL,     -- of the answer; 0: there was none
    error TEXT,
    duration_ms INTEGER NOT NULL,
    request TEXT,
    answer TEXT,
    seen_at TEXT NOT NULL,
    position INTEGER NOT NULL
);

-- As /v1 shows them, with what the provider said, byte for byte (R2.8). raw_callback: the latest
-- callback or webhook about it; raw_query_response: the latest answer to a question of ours. All of
-- them are in notices.
CREATE VIEW payments AS
    SELECT t.*, p.kind AS provider, p.short_code,
           t.succeeded_by NOT IN ('callback', 'webhook') AND NOT EXISTS
               (SELECT 1 FROM own_callbacks o WHERE o.transaction_number = t.number) AS repaired,
           (SELECT n.body FROM notices n WHERE n.transaction_number = t.number
            AND n.source IN ('callback', 'webhook') ORDER BY n.number DESC LIMIT 1) AS raw_callback,
           (SELECT n.body FROM notices n WHERE n.transaction_number = t.number
            AND n.source IN ('query', 'status') ORDER BY n.number DESC LIMIT 1)
               AS raw_query_response
    FROM transactions t JOIN providers p ON p.number = t.provider_number
    WHERE t.kind = 'payment';

CREATE VIEW payouts AS
    SELECT t.*, t.order_id AS reference, p.kind AS provider, p.short_code,
           (SELECT n.body FROM notices n WHERE n.transaction_number = t.number
            AND n.source IN ('callback', 'webhook') ORDER BY n.number DESC LIMIT 1) AS raw_callback,
           (SELECT n.body FROM notices n WHERE n.transaction_number = t.number
            AND n.source IN ('query', 'status') ORDER BY n.number DESC LIMIT 1)
               AS raw_query_response
    FROM transactions t JOIN providers p ON p.number = t.provider_number
    WHERE t.kind = 'payout';

CREATE VIEW refunds AS
    SELECT t.*, 'pay_' || t.refund_of AS payment, p.kind AS provider, p.short_code,
           (SELECT n.body FROM notices n WHERE n.transaction_number = t.number
            AND n.source IN ('callback', 'webhook') ORDER BY n.number DESC LIMIT 1) AS raw_callback,
           (SELECT n.body FROM notices n WHERE n.transaction_number = t.number
            AND n.source IN ('query', 'status') ORDER BY n.number DESC LIMIT 1)
               AS raw_query_response
    FROM transactions t JOIN providers p ON p.number = t.provider_number
    WHERE t.kind = 'refund';

CREATE VIEW own_callbacks AS     -- what a payment's own callback said of its success
    SELECT transaction_number, number AS notice_number FROM notices
    WHERE source IN ('callback', 'webhook') AND about = 'payment' AND verdict = 'succeeded'
      AND status IN ('applied', 'confirms', 'enriches', 'to_be_confirmed')
      AND transaction_number IS NOT NULL;

CREATE VIEW balances AS          -- as GET /v1/accounts/{id} has them, in cents
    SELECT CASE WHEN a.kind <> 'clearing' THEN a.kind WHEN p.kind = 'paystack'
               THEN 'clearing_paystack' ELSE 'clearing_' || p.short_code END AS id,
           coalesce(a.merchant_number, p.merchant_number) AS merchant_number, a.kind, a.currency,
           CASE a.kind WHEN 'clearing' THEN -a.balance ELSE a.balance END AS balance, a.account
    FROM accounts a LEFT JOIN providers p ON p.number = a.provider_number;

CREATE VIEW reconciliations AS   -- as GET /v1/reconciliations/{id}: a row for each provider account
                                 -- and day in Kenya on which payments succeeded (R5.4)
    SELECT 'rec_' || replace(day, '-', '') AS id, day, provider_number, short_code, checked,
           repaired, late_callbacks, repaired * 1000000 / checked AS repair_rate_ppm,
           repaired * 1000 > checked AS alert, amount
    FROM (SELECT date(t.succeeded_ns / 1000000000 + 10800, 'unixepoch') AS day, t.provider_number,
                 p.short_code, count(*) AS checked,
                 sum(t.succeeded_by NOT IN ('callback', 'webhook') AND NOT t.own) AS repaired,
                 sum(t.succeeded_by NOT IN ('callback', 'webhook') AND t.own) AS late_callbacks,
                 sum(t.paid_amount) AS amount -- cents that succeeded
          FROM (SELECT provider_number, succeeded_ns, succeeded_by, paid_amount, EXISTS
                    (SELECT 1 FROM own_callbacks o WHERE o.transaction_number = x.number) AS own
                FROM transactions x WHERE x.succeeded_ns IS NOT NULL AND x.kind = 'payment') t
          JOIN providers p ON p.number = t.provider_number GROUP BY 1, 2);
