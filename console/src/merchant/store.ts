// store.ts - what the page knows of the merchant's book: its newest payments, asked for again when
// the feed of events says that something happened.
import { signal } from '@preact/signals';
import { exchange, type List, Refusal } from '../api';
import { connected, loaded } from '../store';

export interface Payment {
    id: string; status: string; stk_state: string; retryable: boolean; amount: number; phone: number;
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

export interface Account { id: string; kind: string; balance: number }
export interface Endpoint { id: string; url: string; status: string; events: string[]; secret?: string }
export interface Provider { id: string; kind: string; short_code: number; callback_url: string; base_url: string | null }

// The key of a fresh `dev` start; another is asked for, and kept in this page only.
let key = 'sk_test_hakika';
export const keyWanted = signal(false);

export function useKey(text: string): void {
    key = text;
    keyWanted.value = false;
    void refresh();
}

export async function ask<T>(method: string, path: string, body?: unknown,
                             extra: Record<string, string> = {}): Promise<T> {
    const answer = await exchange(method, `/v1${path}`, body === undefined ? undefined : JSON.stringify(body),
                                  { Authorization: `Bearer ${key}`, ...extra });
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

export const payments = signal<Payment[]>([]);
export const notices = signal<Notice[]>([]);
export const accounts = signal<Account[]>([]);
export const endpoints = signal<Endpoint[]>([]);
export const turns = signal(0); // counts changes, for whoever shows something derived

async function readAccounts(): Promise<Account[]> {
    const providers = (await ask<List<Provider>>('GET', '/providers')).data;
    const names = ['wallet', 'escrow', 'suspense', 'fees',
                   ...providers.filter((one) => one.kind === 'daraja').map((one) => `clearing_${one.short_code}`)];
    return Promise.all(names.map((name) => ask<Account>('GET', `/accounts/${name}`)));
}

export async function refresh(): Promise<void> {
    const [list, seen, sums, hooks] = await Promise.all([
        ask<List<Payment>>('GET', '/payments?limit=100'), ask<List<Notice>>('GET', '/notices?limit=50'),
        readAccounts(), ask<List<Endpoint>>('GET', '/webhook_endpoints')]);
    payments.value = list.data;
    notices.value = seen.data;
    accounts.value = sums;
    endpoints.value = hooks.data;
    turns.value++;
}

const EVERY_MS = 1000;

// The position of the book tells whether anything happened; it costs one small question.
export function startMerchant(): void {
    let last = '';
    async function look(): Promise<void> {
        const metrics = await (await fetch('/metrics', { cache: 'no-store' })).text();
        const position = /^hakika_durable_position (\d+)/m.exec(metrics)?.[1] ?? '';
        if (position !== last && !keyWanted.value) {
            await refresh();
            last = position;
        }
        loaded.value = true;
    }
    const round = (): void => {
        look().then(() => { connected.value = true; }, (error: unknown) => {
            connected.value = error instanceof Refusal;
        }).finally(() => setTimeout(round, EVERY_MS));
    };
    round();
}
