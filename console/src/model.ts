// model.ts - what the control API answers, as far as the page uses it. Amounts are cents.
export type Status = 'PENDING' | 'PROCESSING' | 'SUCCESS' | 'FAILED' | 'CANCELLED';

export interface Step { position: string; at: string; event: string }

export interface Ruled { rule: string; then?: Record<string, Record<string, unknown>> }

// A payment that was pushed to a phone.
export interface Transaction {
    id: string; type: string; status: Status; checkout_request_id: string;
    merchant_request_id: string; result_code: string | null; reason: string | null;
    receipt: string | null; amount: number; fee: number; msisdn: number; short_code: number;
    party_b: number; account_reference: string; description: string; callback_url: string;
    reversed_by: string | null; created_at: string; ruled_by: Ruled | null; timeline: Step[];
}

// What an organisation asked for, or a customer paid by himself.
export interface Request {
    id: string; type: string; status: Status; originator_conversation_id: string;
    conversation_id: string; receipt: string | null; result_code: string | null;
    reason: string | null; amount: number; fee: number; short_code: number; party: number;
    account_reference: string; original: string | null; reversed_by: string | null;
    result: string | null; late_notice: string | null; created_at: string;
    asked_at: string | null; ended_at: string | null;
}

export interface Attempt {
    at: string; response_status: number | null; response_body: string | null; duration_ms: number;
    error: string | null;
}

export interface Delivery {
    id: string; transaction: string; state: 'waiting' | 'delivered' | 'dead'; kind: string;
    edited: boolean; original: string | null; method: string; url: string; queued_at: string;
    next_try_at: string | null; ruled_by: string | null;
    request_headers?: Record<string, string>; request_body?: string; attempts: Attempt[];
}

export interface Side { account: number; kind: string; owner: string; name: string; balance_now: number }
export interface Entry { transfer: string; amount: number; debit: Side; credit: Side; code: string }

export interface Subscriber {
    msisdn: string; name: string; status: string; balance: number; pin_attempts_left: number;
    day_allowance: number; reachable: boolean; sim_swapped_at: string | null;
}

export interface Prompt {
    checkout_request_id: string; short_code: number; organisation: string; amount: number;
    account_reference: string; text: string; expires_at: string;
}

export interface Organisation {
    short_code: number; name: string; type: string; active: boolean;
    accounts: Record<string, number>;
}

export interface Clock { mode: 'real' | 'virtual'; now: string; offset_ms: number }

export interface Snapshot {
    name: string; position: string; saved_at: string; size_bytes: number; digest: string;
}

// One line of the list of payments, whatever it is about.
export interface Row {
    id: string; type: string; status: Status; code: string | null; reason: string | null;
    receipt: string | null; amount: number; phone: string; shortCode: string; reference: string;
    at: string; ruled: boolean; words: string;
}

const isPhone = (party: number): boolean => /^254[17]\d{8}$/.test(String(party));

export function rowOf(it: Transaction | Request): Row {
    const common = { id: it.id, type: it.type, status: it.status, code: it.result_code,
                     reason: it.reason, receipt: it.receipt, amount: it.amount,
                     shortCode: String(it.short_code), reference: it.account_reference,
                     at: it.created_at };
    if ('checkout_request_id' in it) {
        return { ...common, phone: String(it.msisdn), ruled: it.ruled_by !== null,
                 words: `${it.checkout_request_id} ${it.merchant_request_id} ${it.description}` };
    }
    return { ...common, phone: isPhone(it.party) ? String(it.party) : '', ruled: false,
             words: `${it.originator_conversation_id} ${it.conversation_id} ${it.party}` };
}

// Newest first, payments and requests together.
export function compareRows(a: Row, b: Row): number {
    if (a.at !== b.at) return a.at < b.at ? 1 : -1;
    return Number(b.id.slice(4)) - Number(a.id.slice(4));
}
