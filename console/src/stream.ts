// stream.ts - the event stream of the program, read with fetch (so that it can carry the key that is
// needed away from loopback). Goes on after the last position that it saw, whatever happened to the
// connection or the program; says when events were missed or another book answers, and counts instead of
// parsing when more arrive than anybody can look at.
import { headersOf } from './api';

export interface Happening {
    event: string; at?: string; position?: number; transaction?: string; delivery?: string;
    msisdn?: number; [other: string]: unknown;
}

export interface Listener {
    happened(events: Happening[], skipped: number): void;
    state(connected: boolean): void;
    missed(): void;
    replaced(): void; // another book, or an older copy of it, answers now
}

// So many events of one piece of the stream are looked at; the rest is counted.
const LOOKED_AT = 200;
const RETRY_MS = [100, 250, 500, 1000, 2000];

function parse(block: string): Happening | undefined {
    let event = '';
    let data = '';
    for (const line of block.split('\n')) {
        if (line.startsWith('event: ')) event = line.slice(7);
        else if (line.startsWith('data: ')) data = line.slice(6);
    }
    if (event === '') return undefined;
    try {
        return { ...(JSON.parse(data) as object), event };
    } catch {
        return { event };
    }
}

function lastPosition(blocks: string[]): string | undefined {
    for (let i = blocks.length - 1; i >= 0; i--) {
        const found = /^id: (\S+)/m.exec(blocks[i] ?? '');
        if (found) return found[1];
    }
    return undefined;
}

export function follow(listener: Listener): () => void {
    const stop = new AbortController();
    let after: string | undefined;
    let book: string | null | undefined;

    function take(blocks: string[]): void {
        const full = blocks.filter((block) => block.includes('event: '));
        after = lastPosition(full) ?? after;
        const events: Happening[] = [];
        for (const block of full.slice(-LOOKED_AT)) {
            const event = parse(block);
            if (event?.event === 'gap' && event['reason'] === 'other_book') listener.replaced();
            else if (event?.event === 'gap') listener.missed();
            else if (event) events.push(event);
        }
        if (full.length > 0) listener.happened(events, full.length - events.length);
    }

    async function read(): Promise<void> {
        const path = '/sim/v1/events' + (after ? `?after=${encodeURIComponent(after)}` : '');
        const answer = await fetch(path, { headers: headersOf(), signal: stop.signal,
                                           cache: 'no-store' });
        if (!answer.ok || !answer.body) throw new Error(`HTTP ${answer.status}`);
        const before = book;
        book = answer.headers.get('Hakika-Book');
        if (before !== undefined && before !== book) listener.replaced();
        listener.state(true);
        const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
        let rest = '';
        for (;;) {
            const { done, value } = await reader.read();
            if (done) return;
            const blocks = (rest + value).split('\n\n');
            rest = blocks.pop() ?? '';
            take(blocks);
        }
    }

    async function run(): Promise<void> {
        for (let failures = 0; !stop.signal.aborted;) {
            const begun = performance.now();
            await read().catch(() => undefined);
            if (stop.signal.aborted) return;
            listener.state(false);
            failures = performance.now() - begun > 5000 ? 0 : failures + 1;
            const wait = RETRY_MS[Math.min(failures, RETRY_MS.length - 1)] ?? 1000;
            await new Promise((resolve) => setTimeout(resolve, wait));
        }
    }

    void run();
    return () => stop.abort();
}
