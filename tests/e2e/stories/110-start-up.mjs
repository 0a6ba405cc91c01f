// How long a start takes and how much memory it needs: on an empty folder, and with 100,000 payments
// behind it. And what a start says that cannot succeed.
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import net from 'node:net';
import { join } from 'node:path';
import { patch } from '../lib/journal.mjs';
import { HAKIKA, Server } from '../lib/server.mjs';
import { stampede } from '../lib/stampede.mjs';
import { atMost, bestOf, busy, check, equal, matches, median, patience, proved, random, said, story,
         until, within } from '../lib/story.mjs';

// Where figures are asserted generously, the time is better spent elsewhere.
const PAYMENTS = busy ? 30000 : 100000;
const FIRST = 254700000000;

await story('a start on an empty folder', async (scene) => {
    let runs = 0;
    const memory = [];
    const ms = await bestOf(3, 50 * patience, 'median milliseconds to ready', async () => {
        const times = [];
        for (let i = 0; i < 7; i++) {
            const server = await Server.open(scene, [], { data: scene.path(`empty-${runs++}`) });
            times.push(server.readyMs);
            memory.push(server.memory().most);
            await server.kill();
        }
        said(`from exec to the ready line: ${times.map((t) => t.toFixed(0)).join(', ')} ms`);
        return median(times);
    });
    proved(`ready in ${ms.toFixed(0)} ms`);
    atMost(Math.max(...memory), 30, 'resident MB at the start');
    proved(`${Math.max(...memory).toFixed(1)} MB resident`);
});

// The program's own receiver of callbacks, which is fast; its port.
async function receiver(scene) {
    const listener = spawn(HAKIKA, ['listen', '--port', '0'], { stdio: ['ignore', 'ignore', 'pipe'] });
    scene.atEnd(() => listener.kill('SIGKILL'));
    const line = await within(new Promise((resolve) =>
        createInterface({ input: listener.stderr }).once('line', resolve)), 'the listener');
    return Number(line.match(/:(\d+)\/?$/)[1]);
}

// Pushes and approvals of distinct phones, as fast as they go.
async function pay(operator, port, total) {
    const { Authorization } = await operator.bearer();
    const headers = `Authorization: ${Authorization}\r\n`;
    let next = 0;
    return stampede(operator.base, 128, (previous) => {
        if (previous?.asked.path.startsWith('/mpesa') && previous.status === 200) {
            const id = JSON.parse(previous.text).CheckoutRequestID;
            return { method: 'POST', path: `/sim/v1/prompts/${id}/approve`, body: { pin: '1234' } };
        }
        if (previous && previous.status >= 300) {
            return { ...previous.asked }; // refused while the disk stalls: the same again
        }
        if (next === total) return null;
        const body = operator.pushBody({ PhoneNumber: FIRST + next, AccountReference: `N${next}`,
                                         CallBackURL: `http://127.0.0.1:${port}/` });
        next++;
        return { method: 'POST', path: '/mpesa/stkpush/v1/processrequest', headers, body };
    });
}

await story(`a start with ${PAYMENTS.toLocaleString('en')} payments behind it`, async (scene) => {
    const server = await Server.open(scene, ['--snapshot-bytes', String(1 << 30)]);
    const begun = performance.now();
    await pay(server.operator, await receiver(scene), PAYMENTS);
    said(`${PAYMENTS} payments made in ${((performance.now() - begun) / 1000).toFixed(0)} s`);
    await until(async () => (await server.operator.metrics()).hakika_callbacks_delivered_total === PAYMENTS,
                'every callback is delivered', 60);
    const before = await server.operator.metrics();
    equal(before['hakika_payments_ended_total{outcome="PAID"}'], PAYMENTS, 'paid payments');
    const utility = await server.operator.utility();
    equal(utility, 100000000 + PAYMENTS * 1000, 'what the merchant has');
    equal(await server.stop(), 0, 'exit status after SIGTERM');

    const checkBooks = async () => {
        equal(await server.operator.utility(), utility, 'what the merchant has after the start');
        const metrics = await server.operator.metrics();
        equal(metrics.hakika_callbacks_waiting, 0, 'callbacks that wait');
    };
    const ms = await bestOf(3, 300 * patience, 'median milliseconds to ready', async () => {
        const times = [];
        for (let i = 0; i < 5; i++) {
            await server.start();
            times.push(server.readyMs);
            await server.kill();
        }
        said(`from exec to the ready line: ${times.map((t) => t.toFixed(0)).join(', ')} ms`);
        return median(times);
    });
    await server.start();
    await checkBooks();
    const { now } = server.memory();
    await server.kill();
    proved(`ready in ${ms.toFixed(0)} ms from the snapshot, everything there (${now.toFixed(0)} MB)`);

    // Far behind the snapshot, where the start itself does not look.
    const directory = join(server.data, 'operator');
    const offset = 4096 * 100 + random(4096);
    const segment = readFileSync(join(directory, 'journal-00000002.seg'));
    patch(directory, 2, offset, Buffer.from([segment[offset] ^ (1 << random(8))]));
    const end = await server.start().then(() => within(server.ended, 'the damage to be found', 60),
                                          () => server.ended);
    equal(end.code, 1, 'exit status');
    matches(server.errors, /journal-00000002\.seg at offset \d+/, 'what it says');
    proved('a flipped bit far behind the snapshot is found while serving: exit status 1, segment, offset');
});

await story('starts that cannot succeed say why, and what to do', async (scene) => {
    const taken = net.createServer();
    await new Promise((resolve) => taken.listen(0, '127.0.0.1', resolve));
    scene.atEnd(() => new Promise((resolve) => taken.close(resolve)));
    writeFileSync(scene.path('file'), '');
    mkdirSync(scene.path('keyless'));
    const before = await Server.open(scene, [], { data: scene.path('keyless') });
    await before.kill();
    writeFileSync(scene.path('keyless/secret.key'), 'short');
    const { port } = taken.address();
    const cases = [
        [{ port }, [], 1, new RegExp(`127\\.0\\.0\\.1 port ${port}: Address already in use; choose`)],
        [{ data: scene.path('a/b') }, [], 1, /data folder .*a\/b: No such file.*--data/],
        [{ data: scene.path('file') }, [], 1, /data folder .*file: Not a directory/],
        [{ data: scene.path('keyless') }, [], 1, /key file .*secret\.key is damaged/],
        [{}, ['--profile', 'nonsense'], 2, /--profile: "nonsense" is not a value.*--help/],
        [{}, ['--nonsense'], 2, /no flag --nonsense; see hakika serve --help/],
        [{}, ['--clock'], 2, /--clock needs a value/],
        [{}, ['extra'], 2, /"extra" is not a flag/],
        [{}, ['--listen', '0.0.0.0'], 2, /not loopback.*--admin-key.*16/],
        [{}, ['--listen', '0.0.0.0', '--admin-key', 'short'], 2, /--admin-key takes/],
        [{ environment: { HAKIKA_CONNECTIONS: 'many' } }, [], 2, /HAKIKA_CONNECTIONS: "many" is not/],
    ];
    for (const [options, flags, status, words] of cases) {
        const end = await Server.refused(scene, flags, { data: scene.path('fresh'), ...options });
        equal(end.code, status, `exit status (${end.errors})`);
        matches(end.errors, words, 'what it says');
        check(end.errors.startsWith('hakika: '), 'a message begins with the program\'s name');
    }
    proved(`${cases.length} of them: 1 for the world, 2 for the command line`);
});

await story('two starts at the same moment on a new folder', async (scene) => {
    for (let round = 0; round < 10; round++) {
        const data = scene.path(`both-${round}`);
        const both = [new Server(scene, [], { data }), new Server(scene, [], { data })];
        const ends = await Promise.allSettled(both.map((server) => server.start()));
        const started = both.filter((_, i) => ends[i].status === 'fulfilled');
        equal(started.length, 1, 'servers on one folder');
        const [server] = started;
        const { CheckoutRequestID: id } = await server.operator.pushed();
        await server.restart();
        equal((await server.operator.approved(id)).status, 'SUCCESS', 'the PIN, after a restart');
        await server.kill();
    }
    proved('10 times: one of them starts, and what it wrote can be read after a restart');
});
