// store.ts - what the page knows of the merchant's book: its newest payments, asked for again when
// the feed of events says that something happened.
import { signal } from '@preact/signals';
import { useEffect, useRef, useState } from 'preact/hooks';
import { exchange, type List, Refusal } from '../api';
import { parse, type Metrics } from '../metrics';
import { connected, loaded, readHealth, settled } from '../store';

// A payment, a payout or a refund: the last two say what they are about.
export interface Payment {
    id: string; object: 'payment' | 'payout' | 'refund'; status: string; stk_state?: string; reference?: string | null; payment?: string; retryable: boolean; amount: number; phone: number;
    order_id: string | null; description: string | null; method: string; capture: string;
    provider: string; short_code: number; created_at: string; receipt: string | null;
    checkout_request_id: string | null; result_code: string | null; result_desc: string | null;
    reason: string | null; explanation: string | null; source: string | null; escrow: string;
    querying: boolean; late: boolean; attention: boolean; updated_at: string | null;
    ended_at: string | null; next_check_at: string | null;
}

export interface Notice {
    id: string; status: string; source: string; about: string; verdict: string; reason: string;
    payment: string | null; reference: string | null; receipt: string | null;
    result_code: string | null; amount: number; repeats: number; received_at: string;
    peer: string | null; headers: string | null; digest: string; body: string;
}

// Money that arrived without a push (C2B).
export interface Receipt {
    id: string; status: 'suspense' | 'assigned' | 'taken_back'; amount: number; receipt: string;
    short_code: number; account_reference: string | null; phone: number | null; payer: string | null;
    source: string; paid_at: string | null; created_at: string; order_id: string | null;
    payment: string | null; suggested_payment: string | null; assigned_by_person: boolean; notices: number;
}

export interface Repairs {
    short_code: number; checked: number; repaired: number; late_callbacks: number; repair_rate_ppm: number;
    alert: boolean; causes: Record<string, number>; open: number; unconfirmed: number; needs_attention: number;
}
export interface Reconciliation { id: string; asked?: number; accounts: Repairs[]; alert: boolean }

// Where the provider's books and ours do not agree.
export interface Discrepancy {
    id: string; status: 'open' | 'resolved'; kind: string; explanation: string; short_code: number; reference: string | null;
    payment: string | null; receipt_id: string | null; notice: string | null; ours: number; theirs: number;
    opened_at: string; resolved_at: string | null; age_s: number; owner: string | null; note: string | null; reason: string;
}

// What became of the rows of a statement file.
export interface Statement {
    digest: string; short_code: number; rows: number; applied: number; confirmed: number; mismatched: number;
    unmatched: number; ignored: number; bad_rows: number; first_bad_line?: number; first_bad_why?: string;
    new_receipts: number; new_discrepancies: number;
    proof: { opening: number; paid_in: number; withdrawn: number; closing: number; variance: number; gaps: number; first_gap_line: number };
}

// A message to the application that was given up.
export interface DeadLetter {
    id: string; status: 'dead' | 'waiting' | 'delivered'; kind: string; event?: string; endpoint?: string; payment?: string;
    url: string | null; queued_at: string | null; attempts: number; last_attempt_at: string | null;
    last_status: number | null; last_error: string | null;
}

export interface Account { id: string; kind: string; balance: number }
export interface Endpoint { id: string; url: string; status: string; events: string[]; secret?: string }
export interface Provider { id: string; kind: string; short_code: number; callback_url: string; base_url: string | null; c2b?: { status: string }
    pull?: { status: string; until: string | null; rows: number; answer: string | null } }

// The key of a fresh `dev` start; another is asked for, and kept in this page only.
let key = 'sk_test_hakika';
export const keyWanted = signal(false);

export function useKey(text: string): void {
    key = text;
    keyWanted.value = false;
    void refresh();
}

// A file goes as the bytes that it has, everything else as JSON.
export async function ask<T>(method: string, path: string, body?: unknown,
                             extra: Record<string, string> = {}): Promise<T> {
    const sent = body === undefined || body instanceof Blob ? body : JSON.stringify(body);
    const answer = await exchange(method, `/v1${path}`, sent, { Authorization: `Bearer ${key}`, ...extra });
    if (answer.status === 401) keyWanted.value = true;
    if (answer.status < 200 || answer.status > 299) {
        let said = { code: 'unknown', detail: answer.text };
        try {
            said = { ...said, ...(JSON.parse(answer.text) as object) };
        } catch {
            // not ours: shown as it is
        }
        throw new Refusal({ ...said, status: answer.status });
    }
    return JSON.parse(answer.text) as T;
}

// The header under which something happens once. The key stays the same while an attempt has no answer,
// so that pressing again does not do it twice; after an answer it is another one, because the same would
// only repeat what was answered (a refund that failed stays failed).
export function useOnce(): <T>(act: (headers: Record<string, string>) => Promise<T>) => Promise<T> {
    const current = useRef<string | undefined>(undefined);
    return async (act) => {
        const used = current.current ??= `console-${[...crypto.getRandomValues(new Uint32Array(4))].map((n) => n.toString(36)).join('-')}`;
        const answered = (): void => { if (current.current === used) current.current = undefined; };
        try {
            const made = await act({ 'Idempotency-Key': used });
            answered();
            return made;
        } catch (error) {
            if (error instanceof Refusal && error.problem.status < 500) answered();
            throw error;
        }
    };
}

export const payments = signal<Payment[]>([]);
export const accounts = signal<Account[]>([]);
export const figures = signal<Metrics>({});
export const turns = signal(0); // counts changes, for whoever shows something else of the book

// A list that only some view shows: asked for while it does. undefined: not known yet.
export function useList<T>(path: string): T[] | undefined {
    const [list, setList] = useState<T[] | undefined>(undefined);
    const turn = turns.value;
    useEffect(() => {
        let current = true;
        ask<List<T>>('GET', path).then((found) => { if (current) setList(found.data); }, () => undefined);
        return () => { current = false; };
    }, [path, turn]);
    return list;
}

async function readAccounts(): Promise<Account[]> {
    const providers = (await ask<List<Provider>>('GET', '/providers')).data;
    const names = ['wallet', 'escrow', 'suspense', 'fees',
                   ...providers.filter((one) => one.kind === 'daraja').map((one) => `clearing_${one.short_code}`)];
    return Promise.all(names.map((name) => ask<Account>('GET', `/accounts/${name}`)));
}

export async function refresh(): Promise<void> {
    const [list, sums] = await Promise.all([ask<List<Payment>>('GET', '/payments?limit=100'), readAccounts()]);
    payments.value = list.data;
    accounts.value = sums;
    turns.value++;
}

const EVERY_MS = 1000;

// The position of the book tells whether anything happened; it costs one small question.
export function startMerchant(): void {
    let last: number | undefined;
    void readHealth().catch(() => undefined);
    async function look(): Promise<void> {
        const metrics = parse(await (await fetch('/metrics', { cache: 'no-store' })).text());
        figures.value = metrics;
        const position = metrics['hakika_durable_position'];
        if (position !== last && !keyWanted.value) {
            await refresh();
            last = position;
        }
        loaded.value = true;
    }
    const round = (): void => {
        look().then(() => { connected.value = true; }, (error: unknown) => {
            connected.value = error instanceof Refusal;
        }).finally(() => {
            settled.value = true;
            setTimeout(round, EVERY_MS);
        });
    };
    round();
}
