// beside.mjs - run by bench/beside (script/bench beside).
// What the SQL view and the index of old ids cost (issue 4): each profile without both and with both
// at work, alternately, best of two; then how fast a view takes in what it lacks. The aim: 70 % of
// the figures, and 10,000 payments/s.
//
//   script/bench beside [SECONDS] [PROFILE...]     default: 5 s; ack stk hot surge
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { join, resolve } from 'node:path';

const root = process.cwd();
const hakika = resolve(root, process.env.BUILD ?? 'build', 'hakika');
const [seconds = '5', ...chosen] = process.argv.slice(2);
const profiles = chosen.length > 0 ? chosen : ['ack', 'stk', 'hot', 'surge'];
const ROUNDS = 2;
const BEHIND = Number(process.env.PAYMENTS ?? 200000); // payments that the view has to take in

function fail(what) {
    process.stderr.write(`${what}\n`);
    process.exit(1);
}

// The rate that a profile reached.
function measure(profile, beside) {
    const run = spawnSync(hakika, ['bench', profile, '--seconds', seconds, '--json', '--view', beside,
                                   '--index', beside], { encoding: 'utf8', cwd: root });
    const figures = run.stdout.trim().startsWith('{') ? JSON.parse(run.stdout) : undefined;
    return figures?.rate_per_s ?? fail(`bench ${profile}: ${run.stderr.trim()}`);
}

const row = (...cells) => console.log(cells[0].padEnd(34), ...cells.slice(1).map((c) => String(c).padStart(12)));
const percent = (part, whole) => `${Math.round((100 * part) / whole)} %`;

function compare() {
    row('each second', 'without', 'with both', 'kept');
    for (const profile of profiles) {
        const best = { off: 0, on: 0 };
        for (let round = 0; round < ROUNDS; round++) {
            for (const beside of ['off', 'on']) best[beside] = Math.max(best[beside], measure(profile, beside));
        }
        row(profile, best.off, best.on, percent(best.on, best.off));
    }
}

async function metric(base, name) {
    const text = await (await fetch(`${base}/metrics`)).text();
    return Number(text.match(new RegExp(`^${name} (\\d+)`, 'm'))?.[1] ?? NaN);
}

// A server whose view knows nothing of the past: from its start until it has all of it.
async function catchUp(data) {
    const server = spawn(hakika, ['serve', '--port', '0', '--data', data],
                         { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
        const lines = createInterface({ input: server.stdout });
        const begun = performance.now();
        const base = await new Promise((found) => lines.on('line', (line) => {
            const match = line.match(/operator=(\S+)/);
            if (match) found(match[1]);
        }));
        const head = await metric(base, 'hakika_durable_position');
        while (await metric(base, 'hakika_view_position') < head) {
            await new Promise((again) => { setTimeout(again, 20); });
        }
        return (performance.now() - begun) / 1000;
    } finally {
        const ended = new Promise((end) => { server.once('close', end); });
        server.kill('SIGTERM');
        await ended;
    }
}

compare();
const folder = mkdtempSync(join(root, 'bench-beside-'));
try {
    const data = join(folder, 'data');
    const made = spawnSync(hakika, ['bench', 'history', '--data', data, '--payments', String(BEHIND)],
                           { encoding: 'utf8' });
    if (made.status !== 0) fail(made.stderr);
    const took = await catchUp(data);
    row(`the view takes in, payments/s`, Math.round(BEHIND / took), `(${BEHIND} in ${took.toFixed(1)} s)`);
} finally {
    rmSync(folder, { recursive: true, force: true });
}
