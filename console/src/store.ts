// store.ts - what the page knows of the book, kept fresh by the event stream. Nothing here is
// optimistic: events say that something changed, and then it is asked for. Asking is bundled, so
// that 10,000 events a second cost a few requests a second.
import { batch, computed, signal } from '@preact/signals';
import { get, type List, Refusal } from './api';
import { compareRows, rowOf, type Clock, type Organisation, type Prompt, type Request, type Row,
         type Subscriber, type Transaction } from './model';
import { follow, type Happening } from './stream';

const ASKED_SINGLY = 4;
const PORTION = 16;    // rows asked for at once when it is quiet
const QUIET_MS = 60;   // between an event and the question, so that a burst is one question
const BUSY_MS = 500;   // between questions while events pour in
const MANY = 100;      // events a second that nobody follows one by one

export const rows = signal<Row[]>([]);
export const loaded = signal(false);
// The first answers are in, or none came. A view is drawn only then, so that nothing moves away under
// a finger that is on its way to a button.
export const settled = signal(false);
export const people = signal<Subscriber[]>([]);
export const prompts = signal<Record<string, Prompt[]>>({});
export const organisations = signal<Organisation[]>([]);
export const clock = signal<Clock | undefined>(undefined);
export const connected = signal(true);
export const sampling = signal(0);      // events a second, while not all are followed
export const missed = signal(false);    // some events were never seen
export const profile = signal('');
export const version = signal('');
// Counts what happened: whoever shows something derived asks anew when it changes.
export const changes = signal(0);
export const rulesChanged = signal(0);
export const worldsChanged = signal(0);

let clockRead = performance.now();
let rowsKept = 500; // more once somebody asked for older ones

// Book time in milliseconds, now.
export function bookNow(): number {
    const c = clock.value;
    if (!c) return Date.now();
    const passed = c.mode === 'real' ? performance.now() - clockRead : 0;
    return new Date(c.now).getTime() + passed;
}

function keepRows(fresh: Row[]): void {
    const byId = new Map(rows.value.map((row) => [row.id, row]));
    for (const row of fresh) byId.set(row.id, row);
    rows.value = [...byId.values()].sort(compareRows).slice(0, rowsKept);
}

async function readClock(): Promise<void> {
    const answer = await get<Clock>('/clock');
    clockRead = performance.now();
    clock.value = answer;
}

// The newest, and those on the screen.
async function readPeople(): Promise<void> {
    const newest = (await get<List<Subscriber>>('/subscribers?limit=100')).data;
    const others = watched.value.filter((number) => !newest.some((one) => one.msisdn === number));
    const found = await Promise.all(others.map((number) =>
        get<Subscriber>(`/subscribers/${number}`).catch(() => undefined)));
    people.value = [...newest, ...found.filter((one): one is Subscriber => one !== undefined)];
}

async function readPrompts(numbers: string[]): Promise<void> {
    const found = await Promise.all(numbers.map((number) =>
        get<List<Prompt>>(`/subscribers/${number}/prompts`).then((list) => list.data, () => [])));
    const all = { ...prompts.value };
    numbers.forEach((number, i) => { all[number] = found[i] ?? []; });
    prompts.value = all;
}

async function readOrganisations(): Promise<void> {
    organisations.value = (await get<List<Organisation>>('/organisations')).data;
}

async function readLists(limit = 100): Promise<void> {
    const [payments, requests] = await Promise.all([
        get<List<Transaction>>(`/transactions?type=stk_push&limit=${limit}`), get<List<Request>>('/requests?limit=100')]);
    keepRows([...payments.data.map(rowOf), ...requests.data.map(rowOf)]);
}

// ---- what is to be asked next ----

interface Dirty {
    transactions: Set<string>; list: boolean; requests: boolean; people: boolean; clock: boolean;
    organisations: boolean;
}
const clean = (): Dirty => ({ transactions: new Set(), list: false, requests: false, people: false,
                              clock: false, organisations: false });
let dirty = clean();
let timer: ReturnType<typeof setTimeout> | undefined;
let asking = false;

// Phones on the screen, whose prompts are asked for.
export const watched = signal<string[]>([]);

// Rows at hand that changed, or may have, and that no list told of: asked for in portions, so that none
// keeps a state that is over.
const later = new Set<string>();

const isOpen = (row: Row): boolean => row.status === 'PENDING' || row.status === 'PROCESSING';

// Events were not followed one by one: whatever still seems open is asked for.
function doubtOpenRows(): void {
    for (const row of rows.value) if (isOpen(row)) later.add(row.id);
    dirty.list = true;
    dirty.requests = true;
}

const askRow = (id: string): Promise<Row[]> =>
    get<Transaction | Request>(id.startsWith('req_') ? `/requests/${id}` : `/transactions/${id}`).then(
        (it) => [rowOf(it)], (error: unknown) => { if (error instanceof Refusal) return []; throw error; });

async function askLists(what: Dirty, portion: string[]): Promise<void> {
    const many = what.transactions.size > ASKED_SINGLY;
    const jobs = (many ? portion : [...what.transactions, ...portion]).map(askRow);
    if (many || what.list) {
        jobs.push(get<List<Transaction>>(`/transactions?type=stk_push&limit=${many ? 50 : 100}`).then((l) => l.data.map(rowOf)));
    }
    if (what.requests) jobs.push(get<List<Request>>('/requests?limit=100').then((l) => l.data.map(rowOf)));
    const found = (await Promise.all(jobs)).flat();
    keepRows(found);
    const told = new Set(found.map((row) => row.id));
    const untold = many ? [...what.transactions].filter((id) => !told.has(id)) : [];
    if (untold.length === 0) return;
    const shown = new Set(rows.value.map((row) => row.id));
    for (const id of untold) if (shown.has(id)) later.add(id);
    dirty.list = true; // the others are new, and more came than the list has
}

async function askRows(what: Dirty): Promise<void> {
    const portion = [...later].slice(0, what.transactions.size > ASKED_SINGLY ? ASKED_SINGLY : PORTION);
    for (const id of portion) later.delete(id);
    try {
        await askLists(what, portion);
    } catch (error) {
        for (const id of portion) later.add(id);
        throw error;
    }
}

function putBack(what: Dirty): void {
    for (const id of what.transactions) dirty.transactions.add(id);
    for (const key of ['list', 'requests', 'people', 'clock', 'organisations'] as const) dirty[key] ||= what[key];
}

async function ask(): Promise<void> {
    const what = dirty;
    dirty = clean();
    asking = true;
    timer = undefined;
    try {
        await Promise.all([
            askRows(what),
            what.people ? readPeople() : undefined,
            what.people ? readPrompts(watched.value) : undefined,
            what.organisations ? readOrganisations() : undefined,
            what.clock || clock.value?.mode === 'virtual' ? readClock() : undefined,
        ]);
        changes.value++;
    } catch {
        putBack(what); // no answer: the same again, as soon as there is a connection
    }
    asking = false;
    if (dirty.list || dirty.requests || dirty.people || dirty.transactions.size + later.size > 0) soon();
}

function soon(): void {
    if (timer || asking) return;
    timer = setTimeout(() => void ask(), sampling.value > 0 || !connected.value ? BUSY_MS : QUIET_MS);
}

export async function watch(numbers: string[]): Promise<void> {
    watched.value = numbers;
    await readPrompts(numbers).catch(() => undefined);
    if (loaded.value && numbers.some((number) => !person(number))) await readPeople().catch(() => undefined);
}

// Payments before those at hand; false: there are none.
export async function readOlder(): Promise<boolean> {
    const last = rows.value.filter((row) => row.id.startsWith('txn_')).at(-1);
    if (!last) return false;
    const older = await get<List<Transaction>>(`/transactions?limit=100&starting_after=${last.id}`);
    rowsKept += older.data.length;
    keepRows(older.data.map(rowOf));
    return older.has_more;
}

// A payment that is not at hand, by any id or receipt; undefined: there is none.
export async function lookUp(id: string): Promise<Row | undefined> {
    const name = encodeURIComponent(id);
    return get<Transaction>(`/transactions/${name}`).then(rowOf, () =>
        get<Request>(`/requests/${name}`).then(rowOf, () => undefined));
}

function mark(event: Happening): void {
    const name = event.event;
    if (event.transaction?.startsWith('txn_')) dirty.transactions.add(event.transaction);
    if (name.startsWith('request_')) dirty.requests = true;
    if (name.startsWith('rules_')) rulesChanged.value++;
    if (name.startsWith('world_')) worldsChanged.value++;
    if (name === 'generation_opened' || name === 'world_restored') void reload();
    if (name.startsWith('organisation_')) dirty.organisations = true;
    if (name === 'clock_set') dirty.clock = true;
    if (/^(stk|request|subscriber|pin|transfer|hold|person)/.test(name)) dirty.people = true;
}

let counted = 0;
let countedSince = performance.now();

function measure(count: number): void {
    const now = performance.now();
    counted += count;
    if (now - countedSince < 1000) return;
    const rate = counted * 1000 / (now - countedSince);
    const sampled = sampling.value > 0;
    sampling.value = rate > MANY ? Math.round(rate) : 0;
    counted = 0;
    countedSince = now;
    if (sampled && sampling.value === 0) {
        doubtOpenRows();
        soon();
    }
}
setInterval(() => measure(0), 1000);

// Everything anew: at the start, after a reset, after a connection that was lost.
export async function reload(fromNothing = true): Promise<void> {
    if (fromNothing) {
        rows.value = [];
        dirty = clean();
        later.clear();
    } else {
        doubtOpenRows();
        soon();
    }
    await Promise.all([readLists(), readClock(), readPeople(), readOrganisations(),
                       readPrompts(watched.value), readHealth()]);
    batch(() => {
        loaded.value = true;
        changes.value++;
        rulesChanged.value++;
        worldsChanged.value++;
    });
}

export async function readHealth(): Promise<void> {
    const health = await (await fetch('/healthz')).json() as { profile: string; version: string };
    profile.value = health.profile;
    version.value = health.version;
}

export function start(): void {
    void reload().catch(() => undefined).finally(() => { settled.value = true; });
    follow({
        happened(events, skipped) {
            measure(events.length + skipped);
            for (const event of events) mark(event);
            if (skipped > 0) doubtOpenRows();
            soon();
        },
        state(now) {
            if (now && !connected.value) void reload(false).catch(() => undefined);
            connected.value = now;
        },
        replaced() {
            connected.value = true; // so that what is shown is not kept
            void reload().catch(() => undefined);
        },
        missed() {
            missed.value = true;
            doubtOpenRows();
        },
    });
}

export const person = (number: string): Subscriber | undefined =>
    people.value.find((one) => one.msisdn === number);

export const openCount = computed(() =>
    rows.value.filter(isOpen).length);
