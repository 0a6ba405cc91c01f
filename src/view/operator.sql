-- The operator's book as tables, for questions in SQL. Everything here repeats what the journal
-- says: nothing decides by it, and it can be thrown away and built again (hakika view rebuild).
-- Amounts are in minor units (Kenyan cents). Times are RFC 3339 in UTC; a column that ends in _ns
-- is the same time in nanoseconds since 1970. Only the present generation is here: a reset empties
-- every table, and a restored world (snapshot) fills them as they were. In words: docs/view.md.

CREATE TABLE transactions (
    number INTEGER PRIMARY KEY,  -- counts transactions of the generation, from 1
    id TEXT AS ('txn_' || number), -- as in /sim/v1/transactions
    type TEXT NOT NULL,          -- stk_push
    status TEXT NOT NULL,        -- PENDING, PROCESSING, SUCCESS, FAILED, CANCELLED
    checkout_request_id TEXT,    -- ws_CO_...
    merchant_request_id TEXT,
    result_code TEXT,            -- Daraja's ResultCode: '0' is paid; NULL while it is open
    reason TEXT,                 -- why it ended so, in words
    receipt TEXT,                -- of a SUCCESS
    amount INTEGER NOT NULL,     -- cents
    fee INTEGER NOT NULL,        -- cents
    currency TEXT NOT NULL,
    msisdn INTEGER NOT NULL,     -- the payer's phone: 254712345678
    short_code INTEGER NOT NULL, -- who asked (BusinessShortCode)
    party_b INTEGER NOT NULL,    -- who is paid
    transaction_type TEXT,       -- CustomerPayBillOnline or CustomerBuyGoodsOnline
    account_reference TEXT,
    description TEXT,
    callback_url TEXT,
    reversed_by TEXT,            -- req_N: the reversal that gave it back
    ruled_by TEXT,               -- the scenario rule that ordered something for it: rulings.rule
    created_at TEXT NOT NULL,    -- accepted
    created_ns INTEGER NOT NULL,
    ended_at TEXT,               -- NULL while it is open
    ended_ns INTEGER,
    position INTEGER NOT NULL    -- journal position of the decision that accepted it
);
CREATE UNIQUE INDEX transactions_by_checkout ON transactions (checkout_request_id);
CREATE UNIQUE INDEX transactions_by_receipt ON transactions (receipt) WHERE receipt IS NOT NULL;
CREATE INDEX transactions_by_phone ON transactions (msisdn);
CREATE INDEX transactions_by_time ON transactions (created_ns);

CREATE TABLE requests (          -- what organisations and customers ask for besides STK pushes
    number INTEGER PRIMARY KEY,  -- counts requests of the generation, from 1
    type TEXT NOT NULL,          -- c2b, b2c, b2b, reversal, transaction_status, ...
    status TEXT NOT NULL,        -- PENDING, PROCESSING, SUCCESS, FAILED, CANCELLED
    conversation_id TEXT NOT NULL, -- AG_...
    originator_conversation_id TEXT NOT NULL,
    result_code TEXT,            -- Daraja's ResultCode: '0' is done; NULL while it is open
    reason TEXT,                 -- why it ended so, in words
    receipt TEXT,                -- of one that moved money
    amount INTEGER NOT NULL,     -- cents; 0 where it has none
    charge INTEGER NOT NULL,     -- cents that the operator took
    currency TEXT NOT NULL,
    short_code INTEGER NOT NULL, -- the organisation that asks; of c2b the one that is paid
    party INTEGER,               -- the other side, by party_type
    party_type TEXT,             -- msisdn, till, short_code
    original INTEGER,            -- what it is about (reversal, status): transactions.number or
    original_request INTEGER,    -- requests.number
    account_reference TEXT,
    remarks TEXT,
    occasion TEXT,
    result_url TEXT,
    timeout_url TEXT,
    reversed_by TEXT,            -- req_N: the reversal that gave it back
    ruled_by TEXT,               -- the scenario rule that ordered something for it: rulings.rule
    created_at TEXT NOT NULL,    -- accepted
    created_ns INTEGER NOT NULL,
    expires_at TEXT,             -- of one that waits for somebody outside
    ended_at TEXT,               -- NULL while it is open
    ended_ns INTEGER,
    position INTEGER NOT NULL    -- journal position of the decision that accepted it
);
CREATE INDEX requests_by_conversation ON requests (originator_conversation_id);
CREATE UNIQUE INDEX requests_by_receipt ON requests (receipt) WHERE receipt IS NOT NULL;
CREATE INDEX requests_by_party ON requests (party);
CREATE INDEX requests_by_time ON requests (created_ns);

CREATE TABLE standing_orders (   -- M-Pesa Ratiba
    number INTEGER PRIMARY KEY,  -- counts orders of the generation, from 1
    request_number INTEGER NOT NULL, -- requests.number that asked for it: customer, amount, texts
    status TEXT NOT NULL,        -- asked, active, refused, finished, cancelled
    frequency TEXT NOT NULL,     -- one_off, daily, weekly, monthly, ...
    start_date TEXT NOT NULL,    -- YYYY-MM-DD, Kenyan days
    end_date TEXT NOT NULL,
    payments INTEGER NOT NULL,   -- that were begun on their dates
    next_payment_at TEXT,        -- NULL: no more
    last_payment INTEGER,        -- requests.number
    closed_at TEXT               -- finished or cancelled
);
CREATE INDEX standing_orders_by_request ON standing_orders (request_number);

CREATE TABLE entries (           -- double entry: two rows for each transfer that was posted
    number INTEGER PRIMARY KEY,  -- in the order of the journal
    transfer INTEGER NOT NULL,   -- id of the transfer: its debit and its credit share it
    account INTEGER NOT NULL,    -- accounts.account
    direction TEXT NOT NULL,     -- debit or credit
    amount INTEGER NOT NULL,     -- cents
    balance_after INTEGER NOT NULL, -- of the account: credits less debits, in cents
    reason TEXT NOT NULL,        -- stk_payment, c2b, b2c, b2b, charge, reversal, settlement,
                                 -- standing_order, e_money_issued, e_money_redeemed, other
    transaction_number INTEGER,  -- transactions.number; NULL: belongs to none
    request_number INTEGER,      -- requests.number; NULL: belongs to none
    at TEXT NOT NULL,
    at_ns INTEGER NOT NULL,
    position INTEGER NOT NULL
);
CREATE INDEX entries_by_account ON entries (account);
CREATE INDEX entries_by_transaction ON entries (transaction_number)
    WHERE transaction_number IS NOT NULL;
CREATE INDEX entries_by_request ON entries (request_number) WHERE request_number IS NOT NULL;

CREATE TABLE holds (             -- money set aside: counted as pending until the hold ends
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

CREATE TABLE validations (       -- C2B payments that an organisation was asked about
    request_number INTEGER PRIMARY KEY, -- requests.number; how it ended is there
    callback_number INTEGER NOT NULL, -- callbacks.number of the question
    receipt TEXT,                -- the TransID that it was told
    url TEXT,
    response_type TEXT,          -- what happens without an answer: Completed, Cancelled
    asked_at TEXT NOT NULL,
    expires_at TEXT,
    answered INTEGER,            -- 1: the URL answered with 2xx; 0: not, or not in time; NULL: open
    third_party_id TEXT,         -- ThirdPartyTransID of its answer
    ended_at TEXT
);

CREATE TABLE rules (             -- scenario rules in force, as in GET /sim/v1/rules
    origin TEXT NOT NULL,        -- user, magic (built in)
    rule_number INTEGER NOT NULL, -- its place in that list, from 1
    name TEXT NOT NULL,
    document TEXT NOT NULL,      -- JSON: name, match, then
    matched INTEGER NOT NULL,    -- calls that it fitted
    applied INTEGER NOT NULL,    -- calls that it decided
    set_at TEXT NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (origin, rule_number)
);

CREATE TABLE rulings (           -- what scenario rules ordered: a row for what a rule took
    number INTEGER PRIMARY KEY,  -- in the order of the journal
    transaction_number INTEGER,  -- for which transaction or request
    request_number INTEGER,
    rule TEXT NOT NULL,          -- its name
    origin TEXT NOT NULL,        -- user, magic (built in)
    rule_number INTEGER NOT NULL, -- its place in that list, from 1
    revision INTEGER NOT NULL,   -- of the lists, as in GET /sim/v1/rules
    orders TEXT NOT NULL,        -- JSON, as "then" in docs/rules.md
    order_bytes BLOB NOT NULL,   -- the same as the journal keeps it
    at TEXT NOT NULL,
    position INTEGER NOT NULL
);
CREATE UNIQUE INDEX rulings_by_transaction ON rulings (transaction_number)
    WHERE transaction_number IS NOT NULL;
CREATE UNIQUE INDEX rulings_by_request ON rulings (request_number)
    WHERE request_number IS NOT NULL;

CREATE TABLE callbacks (         -- results on their way to merchants: one row for each
    number INTEGER PRIMARY KEY,
    id TEXT AS ('dlv_' || number), -- as in /sim/v1/deliveries
    transaction_number INTEGER,  -- what it tells of: a transaction or a request
    request_number INTEGER,
    kind TEXT NOT NULL,          -- stk_callback, c2b_confirmation (of an STK payment); of a
                                 -- request: result, timeout, validation
    url TEXT,
    body TEXT,                   -- byte for byte as it is sent; NULL: of a request (not kept yet,
                                 -- but for a copy that somebody edited)
    ruled INTEGER NOT NULL DEFAULT 0, -- 1: its words are what a rule orders, not the truth
    state TEXT NOT NULL,         -- waiting, delivered, dead
    attempts INTEGER NOT NULL,   -- rows in deliveries
    queued_at TEXT NOT NULL,
    queued_ns INTEGER NOT NULL,
    next_try_at TEXT,            -- of a waiting one
    ended_at TEXT                -- delivered or given up
);
CREATE INDEX callbacks_by_transaction ON callbacks (transaction_number)
    WHERE transaction_number IS NOT NULL;
CREATE INDEX callbacks_by_request ON callbacks (request_number) WHERE request_number IS NOT NULL;
CREATE INDEX callbacks_unfinished ON callbacks (state) WHERE state <> 'delivered';

CREATE TABLE deliveries (        -- every attempt to deliver a callback, with its answer
    number INTEGER PRIMARY KEY,  -- in the order of the journal
    callback_number INTEGER NOT NULL, -- callbacks.number
    attempt INTEGER NOT NULL,    -- 1, 2, ... of this callback
    url TEXT,
    at TEXT NOT NULL,            -- when its result came
    at_ns INTEGER NOT NULL,
    status INTEGER,              -- HTTP status; NULL: there was no answer
    answer TEXT,                 -- the start of the answer's body
    duration_ms INTEGER NOT NULL,
    error TEXT,                  -- why there was no answer
    position INTEGER NOT NULL
);
CREATE INDEX deliveries_by_callback ON deliveries (callback_number);

CREATE TABLE prompts (           -- what the phone was asked, and what it answered
    number INTEGER PRIMARY KEY,  -- in the order of the journal
    transaction_number INTEGER UNIQUE, -- for which transaction or request
    request_number INTEGER UNIQUE,
    msisdn INTEGER NOT NULL,
    reached INTEGER,             -- 1: it was on the phone; 0: the phone was off; NULL: not sent yet
    prompted_at TEXT,
    expires_at TEXT,
    answer TEXT,                 -- pin, cancel, automatic; NULL: none (yet)
    answered_at TEXT
);
CREATE INDEX prompts_by_phone ON prompts (msisdn);

CREATE TABLE messages (          -- SMS; empty until the network sends them
    number INTEGER PRIMARY KEY,
    msisdn INTEGER NOT NULL,
    transaction_number INTEGER,
    text TEXT NOT NULL,
    sent_at TEXT NOT NULL,
    sent_ns INTEGER NOT NULL
);
CREATE INDEX messages_by_phone ON messages (msisdn);

CREATE TABLE accounts (          -- of the ledger
    account INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,          -- trust, fees, wallet, utility, working, charges_paid, settlement,
                                 -- other
    msisdn INTEGER,              -- owner of a wallet
    short_code INTEGER,          -- owner of an organisation's account
    currency TEXT NOT NULL,      -- KES, or the ISO 4217 number of another one
    flags INTEGER NOT NULL,      -- 1 never below zero, 2 never above it, 4 closed
    debits_posted INTEGER NOT NULL DEFAULT 0,
    credits_posted INTEGER NOT NULL DEFAULT 0,
    debits_pending INTEGER NOT NULL DEFAULT 0,
    credits_pending INTEGER NOT NULL DEFAULT 0,
    balance INTEGER AS (credits_posted - debits_posted), -- cents; what is held is still in it
    opened_at TEXT NOT NULL
);

CREATE TABLE subscribers (
    slot INTEGER PRIMARY KEY,    -- counts people from 0
    msisdn INTEGER NOT NULL,     -- 254712345678
    name TEXT NOT NULL,
    status TEXT NOT NULL,        -- unregistered (was asked for, has no wallet), active, suspended
    account INTEGER,             -- the wallet: accounts.account
    reachable INTEGER NOT NULL,  -- 1: the phone is on
    pin_failures INTEGER NOT NULL, -- wrong PINs in a row
    sim_swapped_at TEXT,
    seen_at TEXT NOT NULL,       -- first known
    opened_at TEXT               -- has had a wallet since
);
CREATE UNIQUE INDEX subscribers_by_phone ON subscribers (msisdn);

CREATE TABLE organisations (
    slot INTEGER PRIMARY KEY,    -- counts organisations from 0
    short_code INTEGER NOT NULL,
    name TEXT,
    type TEXT NOT NULL,          -- paybill, till, bulk
    charges TEXT NOT NULL,       -- who pays the fee: customer, shared, business
    utility_account INTEGER NOT NULL, -- accounts.account, four of them
    working_account INTEGER NOT NULL,
    charges_paid_account INTEGER NOT NULL,
    settlement_account INTEGER NOT NULL,
    active INTEGER NOT NULL DEFAULT 1, -- 0: nothing is paid to it or by it
    nominated_msisdn INTEGER,    -- whose phone express checkout prompts
    queue_delay_ms INTEGER NOT NULL DEFAULT 0, -- how long its requests wait
    c2b_version INTEGER,         -- of its C2B URLs: 1, 2; NULL: none are registered
    confirmation_url TEXT,
    validation_url TEXT,
    external_validation INTEGER NOT NULL DEFAULT 0, -- 1: the validation URL is asked
    c2b_response_type TEXT,      -- when it does not answer: Completed (pay), Cancelled
    pull_msisdn INTEGER,         -- who registered for Pull Transactions; NULL: nobody
    pull_url TEXT,
    bill_url TEXT,               -- of a biller: where payments are pushed; NULL: not opted in
    paystack_url TEXT,           -- of a Paystack business: its webhooks; NULL: none
    opened_at TEXT NOT NULL
);
CREATE UNIQUE INDEX organisations_by_short_code ON organisations (short_code);

CREATE TABLE invoices (          -- of bill manager
    number INTEGER PRIMARY KEY,  -- counts invoices of the generation, from 1
    short_code INTEGER NOT NULL, -- the biller
    external_reference TEXT NOT NULL, -- the biller's own, used once
    account_reference TEXT NOT NULL, -- what paying customers give
    msisdn INTEGER NOT NULL,     -- who is billed
    billed_name TEXT,
    amount INTEGER NOT NULL,     -- cents
    paid INTEGER NOT NULL,       -- cents
    status TEXT NOT NULL,        -- sent, partly_paid, paid, cancelled
    sent_at TEXT NOT NULL,
    closed_at TEXT               -- paid or cancelled
);
CREATE INDEX invoices_by_account ON invoices (short_code, account_reference);

CREATE VIEW organisation_balances AS -- in cents, as GET /sim/v1/organisations/{short_code} has them
    SELECT o.short_code, o.name, o.type, u.balance AS utility, w.balance AS working,
           c.balance AS charges_paid, s.balance AS settlement
    FROM organisations o
    JOIN accounts u ON u.account = o.utility_account
    JOIN accounts w ON w.account = o.working_account
    JOIN accounts c ON c.account = o.charges_paid_account
    JOIN accounts s ON s.account = o.settlement_account;

CREATE VIEW subscriber_balances AS -- in cents; those who have a wallet
    SELECT p.msisdn, p.name, p.status, a.balance
    FROM subscribers p JOIN accounts a ON a.account = p.account;
