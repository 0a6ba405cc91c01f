// A long past costs neither time at the start nor memory, and every receipt of it is found at once.
// PAYMENTS=10000000 (minutes, and 10 GB of disk) gives the figures of docs/performance.md.
import { spawnSync } from 'node:child_process';
import { HAKIKA, Server } from '../lib/server.mjs';
import { atMost, bestOf, equal, patience, percentile, proved, random, said, story } from '../lib/story.mjs';

const PAYMENTS = Number(process.env.PAYMENTS ?? 100000);
const LOOKUPS = 2000;

await story(`${PAYMENTS.toLocaleString('en')} closed payments behind it`, async (scene) => {
    const data = scene.path('past');
    const made = spawnSync(HAKIKA, ['bench', 'history', '--data', data, '--payments', String(PAYMENTS)],
                           { encoding: 'utf8' });
    equal(made.status, 0, `exit status of bench history (${made.stderr})`);
    said(made.stdout.trim());
    const server = await Server.open(scene, ['--profile', 'sandbox'], { data });
    equal(server.errors, '', 'what the start says');
    atMost(server.readyMs, 1000 * patience, 'milliseconds to ready');
    const first = server.memory().most;
    atMost(first, 200, 'resident MB when ready');
    proved(`ready in ${server.readyMs.toFixed(0)} ms with ${first.toFixed(0)} MB resident`);

    const { operator } = server;
    const metrics = await operator.metrics();
    equal(metrics.hakika_payments_left, PAYMENTS, 'payments that left memory');
    equal(metrics.hakika_payments_in_memory, 0, 'payments in memory');
    const receipts = [];
    for (let i = 0; i < LOOKUPS; i++) {
        const number = 1 + random(PAYMENTS);
        const payment = await operator.transaction(`txn_${number}`);
        equal(payment.account_reference, `INV-${number - 1}`, `reference of txn_${number}`);
        receipts.push({ number, receipt: payment.receipt });
    }
    const p99 = await bestOf(3, 5 * patience, 'p99 of a look-up by receipt in ms', async () => {
        const times = [];
        for (const { number, receipt } of receipts) {
            const begun = performance.now();
            const answer = await operator.sim('GET', `/transactions/${receipt}`);
            times.push(performance.now() - begun);
            equal(answer.json.id, `txn_${number}`, `the payment of receipt ${receipt}`);
        }
        said(`by receipt: p50 ${percentile(times, 50).toFixed(2)} ms, p99 ${percentile(times, 99).toFixed(2)} ms`);
        return percentile(times, 99);
    });
    const { most, own } = server.memory();
    atMost(own, 200, 'MB of its own');
    proved(`a look-up by receipt takes ${p99.toFixed(2)} ms (p99, over HTTP); ${own.toFixed(0)} MB of its own, ` +
           `${most.toFixed(0)} MB with the pages of the index that the kernel keeps for it`);
    equal(await server.stop(), 0, 'exit status');
});
