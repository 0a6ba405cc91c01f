// Snapshots for tests (R6.3): a world is saved, forked, restored, after kill -9 too; the virtual
// clock goes with it; waiting callbacks wait again; verify proves the journal of it all. And the
// reset to the seeded state is a matter of milliseconds.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { Listener } from '../lib/listener.mjs';
import { HAKIKA, Server } from '../lib/server.mjs';
import { atMost, bestOf, busy, check, equal, patience, percentile, proved, said, story, until,
         within } from '../lib/story.mjs';

const ANNA = 254711000001;
const SHILLING = 100;

const problem = (answer) => [answer.status, answer.json.code];

async function save(operator, name, from) {
    return operator.simOk('POST', '/snapshots', from ? { name, from } : { name }, 201);
}

function restore(operator, name) {
    return operator.simOk('POST', `/snapshots/${name}/restore`, {});
}

// What a world is, as its digest tells: saved under a name for a moment.
async function digest(operator) {
    const { digest: value } = await save(operator, 'look');
    await operator.simOk('DELETE', '/snapshots/look');
    return value;
}

function verified(server) {
    const run = spawnSync(HAKIKA, ['verify', server.data, '--json'], { encoding: 'utf8', timeout: 60000 });
    equal(run.status, 0, `hakika verify: ${run.stdout.slice(0, 2000)} ${run.stderr}`);
    return JSON.parse(run.stdout);
}

await story('a world is saved, left and entered again', async (scene) => {
    const listener = await Listener.open(scene);
    const server = await Server.open(scene, ['--clock', 'virtual']);
    let { operator } = server;
    await operator.openSubscriber(ANNA, 1000 * SHILLING);
    await operator.advance(3600_000);
    const { CheckoutRequestID: id } = await operator.pushed({ PhoneNumber: ANNA, Amount: 100,
                                                             CallBackURL: listener.url });
    await until(async () => (await operator.prompts(ANNA)).length > 0, 'the prompt is there');
    const saved = await save(operator, 'prompt-open');
    const { now } = await operator.clock();
    equal(saved.saved_at, now, 'saved_at');
    const prompt = await operator.prompts(ANNA);

    for (const [round, ending] of ['paid', 'cancelled', 'killed', 'expired'].entries()) {
        if (ending === 'paid') await operator.approved(id);
        if (ending === 'cancelled') await operator.cancel(id);
        if (ending === 'killed') {
            await server.restart();
            operator = server.operator;
            await operator.approved(id);
        }
        if (ending === 'expired') await operator.advance(61_000);
        const after = await operator.transaction(id);
        equal(after.status, { cancelled: 'CANCELLED', expired: 'FAILED' }[ending] ?? 'SUCCESS', ending);
        await operator.advance(7200_000);
        const back = await restore(operator, 'prompt-open');
        equal([back.state, back.snapshot, back.digest, back.generation],
              ['restored', 'prompt-open', saved.digest, round + 2], 'the answer');
        equal((await operator.clock()).now, now, 'the clock is where it was');
        equal(await digest(operator), saved.digest, 'the digest of what is there');
        equal(await operator.prompts(ANNA), prompt, 'the prompt is on the phone');
        equal(await operator.balance(ANNA), 1000 * SHILLING, 'Anna\'s money');
        const kept = await operator.simOk('GET', '/snapshots');
        equal(kept.data.map((s) => s.name), ['prompt-open'], 'the list');
    }
    const waiting = operator.call('GET', `/sim/v1/transactions/${id}?wait=20`);
    await until(async () => (await operator.metrics()).hakika_http_connections >= 2, 'somebody waits');
    await restore(operator, 'prompt-open');
    equal(problem(await within(waiting, 'the answer to who waited')), [404, 'not_found'], 'who waited');
    await server.restart();
    operator = server.operator;
    equal(await digest(operator), saved.digest, 'the digest after kill -9');
    equal((await operator.clock()).now, now, 'the clock after kill -9');
    const { data } = await operator.simOk('GET', '/snapshots');
    equal(data, [saved], 'the snapshot after kill -9');
    const paid = await operator.approved(id);
    equal(paid.status, 'SUCCESS', 'the payment of the last world');
    equal((await listener.callback(id)).ResultCode, 0, 'a callback came');
    await server.stop(); // leaves a snapshot of the book, with the saved world in it
    const report = verified(server);
    equal(report.generation ?? 6, 6, 'generations');
    await server.start();
    await restore(server.operator, 'prompt-open');
    equal(await digest(server.operator), saved.digest, 'the digest after a start from a snapshot');
    await server.kill();
    verified(server);
    proved('the restored world is the saved one: prompt, money, clock and digest, also after kill -9 ' +
           'and a clean stop; hakika verify proves its journal');
});

await story('callbacks that waited wait again; those of a world that was left change nothing', async (scene) => {
    const listener = await Listener.open(scene);
    const server = await Server.open(scene, ['--clock', 'virtual']);
    const { operator } = server;
    await listener.down();
    const { CheckoutRequestID: id } = await operator.pushed({ CallBackURL: listener.url });
    await operator.approved(id);
    await until(async () => (await operator.delivery(id)).attempts.length > 0, 'a first attempt failed');
    await save(operator, 'undelivered');
    const [before] = await operator.deliveriesOf(id);
    await listener.up();
    await operator.untilIdle();
    equal((await operator.delivery(id)).state, 'delivered', 'the callback');
    equal(listener.about(id).length, 1, 'callbacks so far');
    await restore(operator, 'undelivered');
    equal((await operator.delivery(id)).attempts, before.attempts, 'the attempts, as they were');
    await operator.untilIdle();
    equal((await operator.delivery(id)).state, 'delivered', 'the callback, again');
    equal(listener.about(id).length, 2, 'callbacks in both worlds');

    let asked;
    const arrived = new Promise((resolve) => { asked = resolve; });
    listener.behave = () => {
        asked();
        return 'hang';
    };
    await restore(operator, 'undelivered');
    const run = operator.untilIdle();
    await within(arrived, 'the callback under way');
    equal(problem(await operator.sim('POST', '/snapshots/undelivered/restore', {})),
          [409, 'clock_is_moving'], 'a restore while time moves');
    await listener.down();
    await run;
    proved('a restored outbox is the saved one');
});

await story('forks, names, limits', async (scene) => {
    const server = await Server.open(scene, ['--profile', 'daraja-strict']);
    const { operator } = server;
    await operator.openSubscriber(ANNA, 10 * SHILLING);
    const base = await save(operator, 'base');
    await operator.simOk('PATCH', `/subscribers/${ANNA}`, { adjust_balance: 500 });
    const fork = await save(operator, 'fork', 'base');
    equal({ ...fork, name: 'base' }, base, 'a fork holds what the snapshot holds');
    for (const [what, expected, verb, path, body] of [
        ['a name that is taken', [409, 'snapshot_exists'], 'POST', '/snapshots', { name: 'base' }],
        ['a fork under a name that is taken', [409, 'snapshot_exists'], 'POST', '/snapshots',
         { name: 'fork', from: 'base' }],
        ['a fork of nothing', [404, 'no_snapshot'], 'POST', '/snapshots', { name: 'x', from: 'y' }],
        ['no name', [400, 'invalid_name'], 'POST', '/snapshots', {}],
        ['an empty name', [400, 'invalid_name'], 'POST', '/snapshots', { name: '' }],
        ['a path', [400, 'invalid_name'], 'POST', '/snapshots', { name: '../x' }],
        ['a long name', [400, 'invalid_name'], 'POST', '/snapshots', { name: 'x'.repeat(65) }],
        ['another kind of name', [400, 'invalid_name'], 'POST', '/snapshots', { name: 'x', from: 7 }],
        ['nothing to restore', [404, 'no_snapshot'], 'POST', '/snapshots/x/restore', {}],
        ['nothing to delete', [404, 'no_snapshot'], 'DELETE', '/snapshots/x'],
        ['nothing to see', [404, 'no_snapshot'], 'GET', '/snapshots/x'],
    ]) {
        equal(problem(await operator.sim(verb, path, body)), expected, what);
    }
    await operator.simOk('DELETE', '/snapshots/base');
    for (let i = 1; i < 32; i++) await save(operator, `s${i}`);
    equal(problem(await operator.sim('POST', '/snapshots', { name: 'more' })), [409, 'too_many_snapshots'],
          'the 33rd');
    await operator.simOk('POST', '/reset', {});
    equal((await operator.simOk('GET', '/snapshots')).data.length, 32, 'snapshots after a reset');
    const seenAt = Date.parse((await operator.clock()).now);
    await restore(operator, 'fork');
    equal(await operator.balance(ANNA), 10 * SHILLING, 'Anna\'s money in the fork');
    check(Date.parse((await operator.clock()).now) >= seenAt, 'a real clock went back');
    await server.kill();
    verified(server);
    proved('a fork outlives what it was made of, and a reset; 32 names; a real clock never goes back');
});

await story('--ephemeral: quick to start, quick to reset, gone at the end', async (scene) => {
    const temporary = scene.path('tmp');
    mkdirSync(temporary);
    const options = { environment: { TMPDIR: temporary } };
    const server = await Server.open(scene, ['--ephemeral'], options);
    check(server.ready.data.startsWith(`${temporary}/hakika-`), `the folder ${server.ready.data}`);
    equal(server.ready.recovered, 'operator:1:1', 'recovered');
    const { operator } = server;
    for (let done = 0; done < 3000; done += 100) {
        await Promise.all(Array.from({ length: 100 }, (_, i) => operator.push(
            { PhoneNumber: 254720000000 + done + i })));
    }
    await save(operator, 'busy');
    // Processor time of the server, which others on the machine make worse only through the caches.
    const worked = () => {
        const fields = readFileSync(`/proc/${server.pid}/stat`, 'utf8').split(' ');
        return (Number(fields[13]) + Number(fields[14])) * 10;
    };
    const before = worked();
    const all = [];
    const median = await bestOf(3, 10 * patience, 'ms for a reset, p50 of 200', async () => {
        const ms = [];
        for (let i = 0; i < 200; i++) {
            await restore(operator, 'busy');
            const answer = await operator.sim('POST', '/reset', {});
            equal([answer.status, answer.json.state], [200, 'seeded'], 'a reset');
            ms.push(answer.ms);
        }
        all.push(...ms);
        return percentile(ms, 50);
    });
    const cost = (worked() - before) / all.length;
    atMost(cost, 10 * patience, 'ms of processor time for a restore and a reset');
    said(`a reset with 3,000 payments there: p50 ${median.toFixed(2)} ms, ` +
         `p99 ${percentile(all, 99).toFixed(2)} ms; ${cost.toFixed(1)} ms of processor time with the ` +
         `restore before it; ready after ${server.readyMs.toFixed(0)} ms`);
    if (!busy) atMost(server.readyMs, 1000, 'ms to the ready line');
    equal((await operator.transactions()).length, 0, 'transactions after a reset');
    equal(await server.stop(), 0, 'exit status after SIGTERM');
    check(!existsSync(server.ready.data), 'the folder is gone after SIGTERM');

    await server.start();
    const left = server.ready.data;
    await server.kill();
    check(existsSync(left), 'a killed one leaves its folder');
    const beside = await Server.open(scene, ['--ephemeral'], options);
    check(!existsSync(left), 'the next one removes it');
    const third = await Server.open(scene, ['--ephemeral'], options);
    check(existsSync(beside.ready.data), 'but not that of one that runs');
    equal((await beside.operator.call('GET', '/readyz')).status, 200, 'it still serves');
    equal([await beside.stop(), await third.stop()], [0, 0], 'both end');
    proved('no folder is left behind');
});

await story('a payment is given back in each of two worlds', async (scene) => {
    const listener = await Listener.open(scene);
    const server = await Server.open(scene, ['--clock', 'virtual']);
    const { operator } = server;
    await operator.openSubscriber(ANNA, 100 * SHILLING);
    const { CheckoutRequestID: id } = await operator.pushed({ PhoneNumber: ANNA, Amount: 70 });
    const { receipt } = await operator.approved(id);
    const reverse = async () => {
        const answer = await operator.call('POST', '/mpesa/reversal/v1/request', {
            headers: await operator.bearer(),
            body: { Initiator: 'testapi', SecurityCredential: 'AAAA', Remarks: 'OK',
                    CommandID: 'TransactionReversal', TransactionID: receipt, Amount: 70,
                    ReceiverParty: 174379, RecieverIdentifierType: '11',
                    QueueTimeOutURL: listener.url, ResultURL: listener.url } });
        equal(answer.status, 200, answer.text);
        await operator.untilIdle();
        const newest = (await operator.simOk('GET', '/requests')).data[0];
        equal([newest.status, await operator.balance(ANNA)], ['SUCCESS', 100 * SHILLING], 'given back');
    };
    await save(operator, 'paid');
    await reverse();
    await restore(operator, 'paid');
    equal(await operator.balance(ANNA), 30 * SHILLING, 'paid again');
    await reverse();
    equal(await server.stop(), 0, 'exit status after SIGTERM');
    verified(server);
    proved('verify lets each world give it back, once');
});
