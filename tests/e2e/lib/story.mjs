// story.mjs - what every end-to-end story needs: steps that are printed as they are proved,
// conditions with a deadline instead of sleeps, and the certainty that whatever was started is
// stopped again, by process id, also when the story fails.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual, inspect } from 'node:util';

// HAKIKA_BUSY=1 says that others use this machine: deadlines and figures become generous.
export const busy = process.env.HAKIKA_BUSY === '1';
export const patience = busy ? 5 : 1;

export class Failure extends Error {}

export function fail(message) {
    throw new Failure(message);
}

export function check(condition, message) {
    if (!condition) fail(message);
}

function shown(value) {
    return typeof value === 'string' ? JSON.stringify(value)
        : inspect(value, { depth: 8, breakLength: 120 });
}

export function equal(actual, expected, what) {
    if (!isDeepStrictEqual(actual, expected)) {
        fail(`${what}: expected ${shown(expected)}, got ${shown(actual)}`);
    }
}

export function matches(text, pattern, what) {
    if (typeof text !== 'string' || !pattern.test(text)) {
        fail(`${what}: expected something like ${pattern}, got ${shown(text)}`);
    }
}

export function atMost(actual, limit, what) {
    if (!(actual <= limit)) fail(`${what}: expected at most ${limit}, got ${actual}`);
}

// One line for each claim that the test has shown to hold.
export function proved(claim) {
    console.log(`   proved: ${claim}`);
}

export function said(words) {
    console.log(`   ${words}`);
}

export class Skip extends Error {}

export function skip(reason) {
    throw new Skip(reason);
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Asks again until the answer is truthy, and returns it. The deadline is real time.
export async function until(ask, what, seconds = 10) {
    const deadline = performance.now() + seconds * 1000 * patience;
    let last;
    for (let wait = 1; ; wait = Math.min(wait * 2, 50)) {
        last = await ask();
        if (last) return last;
        if (performance.now() > deadline) {
            fail(`waited ${seconds * patience} s in vain until ${what}`);
        }
        await pause(wait);
    }
}

// The promise, or a failure when it takes too long.
export async function within(promise, what, seconds = 10) {
    let timer;
    const late = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Failure(
            `waited ${seconds * patience} s in vain for ${what}`)), seconds * 1000 * patience);
    });
    try {
        return await Promise.race([promise, late]);
    } finally {
        clearTimeout(timer);
    }
}

// A figure that others on the machine can only make worse: measured up to three times, until it is
// within its limit.
export async function bestOf(times, limit, what, measure) {
    let best = Infinity;
    for (let i = 0; i < times && best > limit; i++) best = Math.min(best, await measure());
    atMost(best, limit, `${what}, the best of ${times}`);
    return best;
}

export function median(numbers) {
    return percentile(numbers, 50);
}

export function percentile(numbers, percent) {
    check(numbers.length > 0, 'a percentile of nothing');
    const sorted = [...numbers].sort((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * percent / 100) - 1)];
}

// A fixed seed gives the same numbers again (SEED= in the environment); printed on failure.
export const seed = Number(process.env.SEED ?? Date.now() % 1000000007);
let drawn = seed >>> 0;
export function random(below) {
    drawn = (drawn + 0x9e3779b9) >>> 0;
    let z = drawn;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return ((z ^ (z >>> 15)) >>> 0) % below;
}

// Things to undo at the end, last one first.
class Scene {
    constructor(title) {
        this.title = title;
        this.undo = [];
        this.folder = mkdtempSync(join(tmpdir(), 'hakika-e2e-'));
        this.atEnd(() => rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 }));
    }

    atEnd(action) {
        this.undo.push(action);
    }

    path(name) {
        return join(this.folder, name);
    }

    async end() {
        for (const action of this.undo.reverse()) {
            await action();
        }
        this.undo = [];
    }
}

const begun = new Set();

// What is cut off when a story is being ended is of no interest any more.
let ending = false;
process.on('unhandledRejection', (error) => {
    if (!ending) throw error;
});

async function endAll() {
    ending = true;
    for (const scene of begun) {
        await scene.end().catch((error) => console.log(`   cleaning up failed: ${error.message}`));
    }
    begun.clear();
}

for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) {
    process.on(signal, () => endAll().then(() => process.exit(1)));
}

// Runs one story. The process ends with 77 when it was skipped and with 1 when it failed.
export async function story(title, tell) {
    console.log(` - ${title}`);
    const scene = new Scene(title);
    begun.add(scene);
    try {
        await tell(scene);
    } catch (error) {
        if (error instanceof Skip) {
            console.log(`   skipped: ${error.message}`);
            await endAll();
            process.exit(77);
        }
        console.log(`   FAILED: ${error instanceof Failure ? error.message : error.stack}`);
        if (error.trail) console.log(error.trail);
        for (const server of scene.servers ?? []) {
            if (server.errors) console.log(`   the server said: ${server.errors.trim()}`);
        }
        console.log(`   again with the same numbers: SEED=${seed}`);
        await endAll();
        process.exit(1);
    }
    begun.delete(scene);
    await scene.end();
}
