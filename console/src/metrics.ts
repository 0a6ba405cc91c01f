// metrics.ts - the program's metrics, read every two seconds while somebody looks, with what they say
// about its health.
import { signal } from '@preact/signals';
import { BOOK, type Book } from './book';
import { t } from './i18n';

export type Metrics = Record<string, number>;
export interface Reading { at: number; values: Metrics }

const KEPT = 150;
const TOO_SOON_MS = 1000;
export const LOOKED_AT_MS = 2000;

export const readings = signal<Reading[]>([]);

export function parse(text: string): Metrics {
    const values: Metrics = {};
    for (const line of text.split('\n')) {
        const at = line.lastIndexOf(' ');
        if (at > 0 && !line.startsWith('#')) values[line.slice(0, at)] = Number(line.slice(at + 1));
    }
    return values;
}

async function read(): Promise<void> {
    const last = readings.value.at(-1);
    if (last && Date.now() - last.at < TOO_SOON_MS) return; // rates over an instant say nothing
    const answer = await fetch('/metrics', { cache: 'no-store' });
    const reading = { at: Date.now(), values: parse(await answer.text()) };
    readings.value = [...readings.value, reading].slice(-KEPT);
}

// Now and then for everybody, often for those who look.
export function watchMetrics(everyMs: number): () => void {
    void read().catch(() => undefined);
    const timer = setInterval(() => void read().catch(() => undefined), everyMs);
    return () => clearInterval(timer);
}

const sumOf = (values: Metrics, prefix: string): number =>
    Object.entries(values).reduce((sum, [name, value]) => (name.startsWith(prefix) ? sum + value : sum), 0);

// Change of a counter per second, between two readings; counters start anew with the program.
function perSecond(before: Reading, now: Reading, value: (values: Metrics) => number): number {
    const seconds = (now.at - before.at) / 1000;
    return seconds > 0 ? Math.max(0, value(now.values) - value(before.values)) / seconds : 0;
}

// ---- how long things took: the program's histograms ----

// Upper bounds in seconds with how many took at most so long.
function steps(values: Metrics, name: string): [number, number][] {
    const start = `${name}_bucket{le="`;
    return Object.entries(values).filter(([key]) => key.startsWith(start)).map(([key, count]): [number, number] => {
        const bound = key.slice(start.length, -2);
        return [bound === '+Inf' ? Infinity : Number(bound), count];
    }).sort((a, b) => a[0] - b[0]);
}

export const countOf = (before: Metrics | undefined, now: Metrics, name: string): number =>
    (now[`${name}_count`] ?? 0) - (before?.[`${name}_count`] ?? 0);

// Milliseconds that this share did not exceed, between two readings (or since the start); null: there
// was none. Inside a step evenly spread; beyond the last one its bound.
export function quantile(before: Metrics | undefined, now: Metrics, name: string, share: number): number | null {
    const earlier = new Map(before ? steps(before, name) : []);
    const list = steps(now, name).map(([bound, count]): [number, number] => [bound, count - (earlier.get(bound) ?? 0)]);
    const total = list.at(-1)?.[1] ?? 0;
    if (total <= 0) return null;
    const wanted = share * total;
    let [from, below] = [0, 0];
    for (const [bound, count] of list) {
        if (count >= wanted && bound !== Infinity) return 1000 * (from + (bound - from) * (wanted - below) / Math.max(1, count - below));
        if (bound !== Infinity) [from, below] = [bound, count];
    }
    return 1000 * from;
}

export interface Latency { name: string; title: () => string; limitMs?: number; book?: Book }

const ALL_LATENCIES: Latency[] = [
    { name: 'hakika_acknowledge_seconds', title: () => t('Acknowledging a payment'), limitMs: 100 },
    { name: 'hakika_sync_seconds', title: () => t('Time to disk'), limitMs: 10 },
    { name: 'hakika_push_to_callback_seconds', title: () => t('From the push to its callback'), book: 'operator' },
];
export const LATENCIES = ALL_LATENCIES.filter((one) => one.book === undefined || one.book === BOOK);

export interface Chart { book?: Book; name: string; title: () => string; unit: string; limit?: number; limitWords?: () => string; value: (before: Reading, now: Reading) => number | null }

const of = (name: string) => (_: Reading, now: Reading): number | null => now.values[name] ?? null;

const late = (name: string) => (a: Reading, b: Reading): number | null => quantile(a.values, b.values, name, 0.99);

export const repairRate = (v: Metrics): number | null => {
    const paid = v['hakika_gateway_payments_succeeded_total'] ?? 0;
    return paid > 0 ? (v['hakika_gateway_repaired_total'] ?? 0) * 100 / paid : null;
};

const ALL_CHARTS: Chart[] = [
    { name: 'created', title: () => t('Payments asked for'), unit: '/s', book: 'merchant',
        value: (a, b) => perSecond(a, b, (v) => v['hakika_gateway_payments_created_total'] ?? 0) },
    { name: 'repaired', title: () => t('Repaired payments'), unit: '%', book: 'merchant', limit: 0.1, limitWords: () => t('callbacks get lost'),
        value: (_, b) => repairRate(b.values) },
    { name: 'ended', book: 'operator', title: () => t('Payments ended'), unit: '/s',
        value: (a, b) => perSecond(a, b, (v) => sumOf(v, 'hakika_payments_ended_total')) },
    { name: 'requests', title: () => t('Requests'), unit: '/s', value: (a, b) => perSecond(a, b, (v) => v['hakika_http_requests_total'] ?? 0) },
    { name: 'acknowledge', title: () => t('Acknowledgement, p99'), unit: 'ms', limit: 100, limitWords: () => t('worth a look'),
        value: late('hakika_acknowledge_seconds') },
    { name: 'sync', title: () => t('Time to disk, p99'), unit: 'ms', limit: 10, limitWords: () => t('worth a look'),
        value: late('hakika_sync_seconds') },
    { name: 'stall', title: () => t('Oldest work not on disk'), unit: 'ms', limit: 80, limitWords: () => t('new work is refused'),
        value: (_, b) => (b.values['hakika_stall_microseconds'] ?? 0) / 1000 },
    { name: 'open', title: () => t('Payments without an end'), unit: '', book: 'merchant', value: of('hakika_gateway_payments_open') },
    { name: 'queue', book: 'operator', title: () => t('Payments in the pipeline'), unit: '', value: of('hakika_pipeline_depth') },
    { name: 'outbox', title: () => t('Callbacks that wait'), unit: '', value: of('hakika_callbacks_waiting') },
    { name: 'errors', title: () => t('Answers with 5xx'), unit: '%', limit: 1, limitWords: () => t('worth a look'),
        value: (a, b) => {
            const all = perSecond(a, b, (v) => sumOf(v, 'hakika_http_answers_total'));
            const bad = perSecond(a, b, (v) => v['hakika_http_answers_total{class="5xx"}'] ?? 0);
            return all > 0 ? bad * 100 / all : null;
        } },
    { name: 'view', title: () => t('SQL view behind'), unit: 's', limit: 5, limitWords: () => t('worth a look'), value: of('hakika_view_lag_seconds') },
];
export const CHARTS = ALL_CHARTS.filter((one) => one.book === undefined || one.book === BOOK);

export interface Worry { words: string; bad: boolean }

// What somebody should know now.
export function worries(list: Reading[]): Worry[] {
    const now = list.at(-1);
    const before = list.at(-2);
    const found: Worry[] = [];
    if (!now) return found;
    const v = now.values;
    const refused = before ? perSecond(before, now, (m) => m['hakika_refused_busy_total'] ?? 0) : 0;
    const full = before ? perSecond(before, now, (m) => m['hakika_refused_disk_full_total'] ?? 0) : 0;
    if (full > 0) found.push({ words: t('The disk is full: new work is refused.'), bad: true });
    if (refused > 0) found.push({ words: t('The journal cannot keep up: new work is refused at once, nothing is lost.'), bad: true });
    if ((v['hakika_stall_microseconds'] ?? 0) > 80_000) found.push({ words: t('The disk is slow: work waits longer than 80 ms for it.'), bad: true });
    if ((repairRate(v) ?? 0) > 0.1) found.push({ words: t('More than one payment in a thousand had to be repaired: callbacks get lost on their way here.'), bad: false });
    if ((v['hakika_gateway_attention'] ?? 0) > 0) found.push({ words: `${v['hakika_gateway_attention']} ${t('payments wait for a person.')}`, bad: false });
    if ((v['hakika_callbacks_dead'] ?? 0) > 0) found.push({ words: `${v['hakika_callbacks_dead']} ${t('callbacks were given up. Their stories can send them again.')}`, bad: false });
    if ((v['hakika_view_waits'] ?? 0) > 0) found.push({ words: t('The SQL view waits for disk space or after an error.'), bad: false });
    return found;
}
