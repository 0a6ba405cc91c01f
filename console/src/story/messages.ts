// messages.ts - from what the control API tells about a payment to the messages of its story: who
// said what to whom, in order, with what was lost, late or said twice.
import { duration, money } from '../format';
import { t } from '../i18n';
import type { Attempt, Delivery, Entry, Prompt, Request, Transaction } from '../model';

export const MERCHANT = 0;
export const OPERATOR = 1;
export const PHONE = 2;
export const LEDGER = 3;
export const lanes = (): string[] => [t('Merchant'), t('Operator'), t('Phone'), t('Ledger')];

export type Fate = 'arrived' | 'lost' | 'refused' | 'waiting' | 'again';

export interface Content { title: string; text: string }

// A message between lanes, or (from === to) something that happened in one.
export interface Message {
    key: string; at: string; from: number; to: number; title: string; note?: string; fate: Fate;
    position?: string; gap?: string; contents: Content[]; entry?: Entry; delivery?: string;
    dashed?: boolean; verdict?: 'good' | 'bad' | 'neutral';
}

// Why a payment ended, for somebody who has never seen M-Pesa. By Daraja's result code.
export function plainWords(status: string, code: string | null, reason: string | null): string {
    switch (code) {
        case '0': return t('The PIN was right and the money moved, in one step that is on disk.');
        case '1': return t('The wallet did not hold enough money. Nothing moved.');
        case '4': return t('The payer would have gone over the limit of the day. Nothing moved.');
        case '17': return t('The network refused it. Nothing moved.');
        case '1032': return t('Cancelled on the phone. Nothing moved.');
        case '1037': return reason?.includes('off')
            ? t('The phone was off or had no network, so the prompt never arrived. Nothing moved.')
            : t('Nobody answered the prompt in time. Nothing moved.');
        case '2001': return t('The PIN was wrong. Nothing moved; the customer may be asked again.');
        case '2006': return t('The wallet is suspended. Nothing moved.');
        case '8006': return t('The PIN is locked after too many wrong ones. Nothing moved.');
        default: break;
    }
    if (status === 'SUCCESS') return t('Done.');
    if (status === 'PENDING') return t('Accepted, and waiting for its turn.');
    if (status === 'PROCESSING') return t('Waiting for the answer on the phone.');
    return reason ? `${reason[0]?.toUpperCase()}${reason.slice(1)}.` : t('It ended.');
}

const ms = (iso: string): number => new Date(iso).getTime();
// What is longer than this is drawn as a gap in the lanes.
const GAP_MS = 2000;

function headers(delivery: Delivery): string {
    const lines = Object.entries(delivery.request_headers ?? {}).map(([name, value]) => `${name}: ${value}`);
    return `${delivery.method} ${delivery.url}\n${lines.join('\n')}`;
}

function answerOf(attempt: Attempt): Content {
    return { title: t('Answer'), text: attempt.response_status === null
        ? `${t('none')}: ${attempt.error ?? '?'}`
        : `HTTP ${attempt.response_status}\n\n${attempt.response_body ?? ''}` };
}

export function deliveryName(delivery: Delivery): string {
    switch (delivery.kind) {
        case 'stk_callback': return t('Callback');
        case 'result': return t('Result');
        case 'timeout': return t('Late notice');
        case 'validation': return t('Validation question');
        case 'c2b_confirmation': return t('Confirmation');
        default: return delivery.kind;
    }
}

function ofDelivery(delivery: Delivery, known: Set<string>): Message[] {
    const name = delivery.edited ? `${deliveryName(delivery)} (${t('edited')})` : deliveryName(delivery);
    const request: Content[] = [{ title: t('Request'), text: headers(delivery) },
                                { title: t('Body'), text: delivery.request_body ?? '' }];
    const shared = { from: OPERATOR, to: MERCHANT, delivery: delivery.id };
    const found: Message[] = delivery.attempts.map((attempt, i) => {
        const good = attempt.error === null && attempt.response_status !== null &&
            attempt.response_status >= 200 && attempt.response_status < 300;
        const twice = good && !delivery.edited && known.has(delivery.kind);
        if (good && !delivery.edited) known.add(delivery.kind);
        const fate: Fate = good ? (twice ? 'again' : 'arrived')
            : attempt.response_status === null ? 'lost' : 'refused';
        const note = good ? (twice ? t('the same message again: already known') : `HTTP ${attempt.response_status}, ${duration(attempt.duration_ms)}`)
            : attempt.error ?? `HTTP ${attempt.response_status}`;
        return { ...shared, key: `${delivery.id}.${i}`, at: attempt.at, fate, note,
                 title: i === 0 ? name : `${name}, ${t('attempt')} ${i + 1}`,
                 contents: [...request, answerOf(attempt)] };
    });
    if (delivery.state === 'waiting') {
        found.push({ ...shared, key: `${delivery.id}.next`, at: delivery.next_try_at ?? delivery.queued_at,
                     fate: 'waiting', title: name, contents: request, dashed: true,
                     note: delivery.next_try_at ? t('waits for its time') : t('held back by a rule') });
    }
    if (delivery.state === 'dead') {
        found.push({ ...shared, from: OPERATOR, to: OPERATOR, key: `${delivery.id}.dead`, fate: 'lost',
                     at: delivery.attempts.at(-1)?.at ?? delivery.queued_at, contents: request,
                     title: t('Given up: a dead letter'), note: t('send it again below') });
    }
    return found;
}

function ofEntry(entry: Entry, at: string, position: string | undefined): Message {
    return { key: `entry.${entry.transfer}`, at, position, from: OPERATOR, to: LEDGER, fate: 'arrived',
             title: money(entry.amount), entry, contents: [] };
}

const step = (it: Transaction, name: string): { at: string; position: string } | undefined =>
    it.timeline.find((one) => one.event === name);

function pushText(it: Transaction): string {
    return JSON.stringify({ BusinessShortCode: it.short_code, Amount: it.amount / 100,
        PartyB: it.party_b, PhoneNumber: it.msisdn, CallBackURL: it.callback_url,
        AccountReference: it.account_reference, TransactionDesc: it.description }, null, 2);
}

function ofPhone(it: Transaction, prompt: Prompt | undefined): Message[] {
    const prompted = step(it, 'prompted');
    const answered = step(it, 'answered');
    const ended = step(it, 'ended');
    const unreachable = it.reason?.includes('off or has no network') ?? false;
    const found: Message[] = [];
    if (prompted) {
        const lost = unreachable;
        found.push({ key: 'prompt', ...prompted, from: OPERATOR, to: PHONE, fate: lost ? 'lost' : 'arrived',
                     title: `${t('Prompt')}: ${money(it.amount)}?`, note: lost ? t('the phone cannot be reached') : undefined,
                     contents: prompt ? [{ title: t('On the phone'), text: prompt.text }] : [] });
    }
    const code = it.result_code;
    const byPhone = code === '0' || code === '1032' || code === '2001' || code === '8006' || code === '1';
    const at = answered ?? (ended && byPhone && prompted ? ended : undefined);
    if (at && prompted) {
        const title = code === '1032' ? t('Cancel pressed') : code === '2001' || code === '8006' ? t('Wrong PIN typed') : t('PIN typed');
        found.push({ key: 'answer', ...at, from: PHONE, to: OPERATOR, fate: 'arrived', title,
                     contents: [{ title: t('Signal on the event stream'), text: `pin:${it.checkout_request_id}` }] });
    } else if (ended && prompted && code === '1037' && !unreachable) {
        found.push({ key: 'silence', ...ended, from: PHONE, to: PHONE, fate: 'lost', title: t('No answer'), contents: [] });
    }
    return found;
}

function endOf(it: Transaction | Request, at: string, position: string | undefined): Message {
    const verdict = it.status === 'SUCCESS' ? 'good' : it.status === 'CANCELLED' ? 'neutral' : 'bad';
    return { key: 'end', at, position, from: OPERATOR, to: OPERATOR, fate: 'arrived', verdict,
             title: it.status === 'SUCCESS' ? `${t('Paid')} ${it.receipt ?? ''}` : `${t('Result')} ${it.result_code ?? '?'}`,
             note: it.status === 'SUCCESS' ? undefined : it.reason ?? undefined, contents: [] };
}

function withGaps(messages: Message[]): Message[] {
    const order = messages.map((message, i) => ({ message, i }))
        .sort((a, b) => ms(a.message.at) - ms(b.message.at) || a.i - b.i).map((one) => one.message);
    order.forEach((message, i) => {
        const before = order[i - 1];
        const passed = before ? ms(message.at) - ms(before.at) : 0;
        if (passed >= GAP_MS) message.gap = duration(passed);
    });
    return order;
}

export function ofTransaction(it: Transaction, deliveries: Delivery[], entries: Entry[],
                              prompt: Prompt | undefined): Message[] {
    const accepted = step(it, 'accepted') ?? { at: it.created_at, position: '' };
    const found: Message[] = [
        { key: 'push', ...accepted, from: MERCHANT, to: OPERATOR, fate: 'arrived', title: `STK push ${money(it.amount)}`,
          note: it.account_reference, contents: [{ title: t('What the operator understood'), text: pushText(it) }] },
        { key: 'accepted', ...accepted, from: OPERATOR, to: MERCHANT, fate: 'arrived', dashed: true, title: t('Accepted, and on disk'),
          contents: [{ title: t('Answer'), text: JSON.stringify({ MerchantRequestID: it.merchant_request_id,
              CheckoutRequestID: it.checkout_request_id, ResponseCode: '0' }, null, 2) }] }];
    for (const one of it.timeline.filter((s) => s.event.startsWith('ruled'))) {
        found.push({ key: `rule.${one.position}`, at: one.at, position: one.position, from: OPERATOR, to: OPERATOR,
                     fate: 'arrived', title: `${t('A rule steps in')}: ${one.event.slice(7)}`,
                     contents: [{ title: t('What it orders'), text: JSON.stringify(it.ruled_by, null, 2) }] });
    }
    found.push(...ofPhone(it, prompt));
    const ended = step(it, 'ended');
    if (ended) {
        for (const entry of entries) found.push(ofEntry(entry, ended.at, ended.position));
        found.push(endOf(it, ended.at, ended.position));
        if (deliveries.length === 0) {
            found.push({ key: 'never', at: ended.at, from: OPERATOR, to: MERCHANT, fate: 'lost', title: t('Callback'),
                         note: t('never sent: a rule ordered it'), contents: [] });
        }
    }
    const known = new Set<string>();
    for (const delivery of deliveries) found.push(...ofDelivery(delivery, known));
    return withGaps(found);
}

export function ofRequest(it: Request, deliveries: Delivery[], entries: Entry[]): Message[] {
    const byCustomer = it.type === 'c2b';
    const found: Message[] = [{ key: 'asked', at: it.created_at, from: byCustomer ? PHONE : MERCHANT, to: OPERATOR,
        fate: 'arrived', title: `${typeName(it.type)}${it.amount > 0 ? ` ${money(it.amount)}` : ''}`, note: it.account_reference,
        contents: [{ title: t('What the operator understood'), text: JSON.stringify({ ShortCode: it.short_code, Party: it.party,
            Amount: it.amount / 100, Reference: it.account_reference,
            OriginatorConversationID: it.originator_conversation_id, ConversationID: it.conversation_id }, null, 2) }] }];
    if (it.asked_at && it.type === 'b2b_express_checkout') {
        found.push({ key: 'prompt', at: it.asked_at, from: OPERATOR, to: PHONE, fate: 'arrived', title: t('Prompt'), contents: [] });
    }
    if (it.ended_at) {
        for (const entry of entries) found.push(ofEntry(entry, it.ended_at, undefined));
        found.push(endOf(it, it.ended_at, undefined));
    }
    const known = new Set<string>();
    for (const delivery of deliveries) found.push(...ofDelivery(delivery, known));
    return withGaps(found);
}

export function typeName(type: string): string {
    const names: Record<string, string> = { stk_push: 'STK push', c2b: t('Customer paid'), b2c: 'B2C', b2pochi: 'B2Pochi', b2b: 'B2B',
        tax_remittance: t('Tax'), b2b_express_checkout: t('Express checkout'), transaction_status: t('Status query'),
        account_balance: t('Balance query'), reversal: t('Reversal'), standing_order: t('Standing order'),
        revenue_settlement: t('Settlement') };
    return names[type] ?? type;
}
