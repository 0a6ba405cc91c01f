// Closed payments leave memory once the index of old ids has them, and nobody outside can tell:
// every answer is the same bytes as before. The index may be lost, damaged or of another history.
import { spawnSync } from 'node:child_process';
import { closeSync, copyFileSync, existsSync, openSync, readFileSync, rmSync, writeFileSync,
         writeSync } from 'node:fs';
import { join } from 'node:path';
import { Listener } from '../lib/listener.mjs';
import { HAKIKA, Server } from '../lib/server.mjs';
import { check, equal, matches, proved, story, until } from '../lib/story.mjs';

const PHONES = [254711000001, 254711000002, 254711000003];
const HOUR = 3600 * 1000;
const FLAGS = ['--clock', 'virtual'];
const KEY = 'fund-once-1';

// One payment of each ending, with a callback that failed at first; an idempotency key.
async function live(server, listener) {
    const { operator } = server;
    for (const phone of PHONES) await operator.openSubscriber(phone, 1000000);
    let failures = 2;
    listener.behave = () => (failures-- > 0 ? { status: 503, body: 'not now' }
                                            : { status: 200, body: '{"ResultCode":0}' });
    const fields = (phone, reference) => ({ PhoneNumber: phone, CallBackURL: listener.url,
                                            AccountReference: reference, TransactionDesc: 'an order' });
    const paid = await operator.pushed(fields(PHONES[0], 'PAID'));
    await operator.approved(paid.CheckoutRequestID);
    const cancelled = await operator.pushed(fields(PHONES[1], 'CANCELLED'));
    equal((await operator.cancel(cancelled.CheckoutRequestID)).status, 200, 'status of the cancel');
    const expired = await operator.pushed(fields(PHONES[2], 'EXPIRED'));
    const dead = await operator.pushed({ ...fields(PHONES[0], 'DEAD'),
                                         CallBackURL: 'http://127.0.0.1:9/nobody' });
    await operator.approved(dead.CheckoutRequestID);
    equal((await fund(operator)).status, 200, 'status of the funding');
    return [paid, cancelled, expired, dead].map((push) => push.CheckoutRequestID);
}

function fund(operator, amount = 5000) {
    return operator.call('POST', '/sim/v1/organisations/174379/fund', {
        body: { account: 'utility', amount }, headers: { 'Idempotency-Key': KEY } });
}

// Everything that names old things, as text.
async function answers(operator, checkouts) {
    const all = {};
    await operator.authorize(); // tokens end with the virtual clock's hour
    const keep = async (path) => {
        const answer = await operator.call('GET', `/sim/v1${path}`);
        all[path] = `${answer.status} ${answer.text}`;
        return answer.json;
    };
    for (const id of checkouts) {
        const payment = await keep(`/transactions/${id}`);
        await keep(`/transactions/${payment.id}`);
        if (payment.receipt) await keep(`/transactions/${payment.receipt}`);
        const entries = await keep(`/entries?transaction=${id}`);
        equal(entries.data.length, payment.receipt ? 1 : 0, `entries of ${payment.id}`);
        await keep(`/entries?transaction=${payment.id}`);
        const list = await keep(`/deliveries?transaction=${id}`);
        for (const delivery of list.data) await keep(`/deliveries/${delivery.id}`);
        const query = await operator.query(id);
        equal(query.json.ResponseCode, '0', `ResponseCode of the query of ${id}`);
        all[`query ${id}`] = `${query.status} ${query.text}`;
        const again = await operator.approve(id, '1234', 0);
        all[`approve ${id}`] = `${again.status} ${again.text}`;
    }
    await keep('/transactions?limit=2');
    await keep('/transactions?limit=2&starting_after=txn_3');
    await keep('/deliveries?limit=3');
    for (const state of ['waiting', 'delivered', 'dead']) await keep(`/deliveries?state=${state}`);
    await keep('/organisations/174379');
    const again = await fund(operator);
    all.fund = `${again.status} ${again.text}`;
    const other = await fund(operator, 6000);
    all.otherFund = `${other.status} ${other.text}`;
    return all;
}

async function allLeft(operator) {
    await until(async () => {
        const m = await operator.metrics();
        return m.hakika_payments_left === 4 && m.hakika_keys_left === 1 &&
               m.hakika_payments_in_memory === 0;
    }, 'four payments and a key have left');
}

// What hakika explain tells of each, but for where the journal ends.
function explained(server, ids) {
    return ids.map((id) => {
        const run = spawnSync(HAKIKA, ['explain', id, '--data', server.data, '--json'], { encoding: 'utf8' });
        equal(run.status, 0, `exit status of hakika explain ${id} (${run.stderr})`);
        const { head, ...told } = JSON.parse(run.stdout);
        check(head > 0 && told.steps.length > 2, `hakika explain ${id}: ${run.stdout}`);
        return told;
    });
}

function same(before, after, what) {
    for (const path of Object.keys(before)) equal(after[path], before[path], `${what}: ${path}`);
}

async function verified(server) {
    equal(await server.stop(), 0, 'exit status');
    const proof = spawnSync(HAKIKA, ['verify', server.data], { encoding: 'utf8' });
    equal(proof.status, 0, `exit status of hakika verify (${proof.stdout}${proof.stderr})`);
    proved('hakika verify follows what left and what came home');
}

await story('closed payments leave memory, and every answer stays the same', async (scene) => {
    const listener = await Listener.open(scene);
    const server = await Server.open(scene, FLAGS);
    const checkouts = await live(server, listener);
    await server.operator.untilIdle();
    const before = await answers(server.operator, checkouts);
    check(Object.keys(before).length > 30, 'too few answers were compared');
    for (const text of Object.values(before)) check(!text.startsWith('5'), `an answer is ${text}`);
    equal((await server.operator.metrics()).hakika_payments_left, 0, 'payments that left');
    const ids = [...checkouts, 'txn_1', (await server.operator.transaction('txn_1')).receipt];
    const told = explained(server, ids);
    await server.operator.advance(25 * HOUR);
    await allLeft(server.operator);
    same(before, await answers(server.operator, checkouts), 'from the index');
    equal(explained(server, ids), told, 'what hakika explain tells of those that left');
    proved(`${Object.keys(before).length} answers are the same bytes from the index`);

    await server.kill();
    await server.start();
    await allLeft(server.operator);
    same(before, await answers(server.operator, checkouts), 'after kill -9');
    proved('and after kill -9');

    const unknown = await server.operator.sim('GET', '/transactions/txn_999999');
    equal(unknown.status, 404, 'status for an id that never was');

    const replay = await server.operator.simOk('GET', '/deliveries?state=dead');
    equal(replay.data.length, 1, 'dead letters');
    listener.behave = () => ({ status: 200, body: 'thanks' });
    await server.operator.simOk('POST', `/deliveries/${replay.data[0].id}/replay`, {}, 202);
    const metrics = await server.operator.metrics();
    equal(metrics.hakika_recalled_total, 1, 'payments that came home');
    equal(metrics.hakika_payments_in_memory, 1, 'payments in memory');
    await server.operator.untilIdle();
    const home = await answers(server.operator, checkouts);
    const now = JSON.parse(home[`/deliveries/${replay.data[0].id}`].slice(4));
    check(now.attempts.length > replay.data[0].attempts.length, 'the replay left no attempt');
    proved('a dead letter that had left is sent again by hand: it comes home with its history');

    equal(await server.stop(), 0, 'exit status');
    await server.start();
    same(home, await answers(server.operator, checkouts), 'after a stop, from the snapshot');
    await server.operator.advance(25 * HOUR);
    await allLeft(server.operator);
    same(home, await answers(server.operator, checkouts), 'after it left again');
    proved('and leaves again');
    await verified(server);
});

// The texts of a record that names this reference say that they are longer than the record is.
function spoil(file, reference) {
    const bytes = readFileSync(file);
    const text = Buffer.from(reference);
    const held = openSync(file, 'r+');
    const undo = [];
    for (let at = bytes.indexOf(text); at > 0; at = bytes.indexOf(text, at + 1)) {
        writeSync(held, Buffer.from([0xff, 0xff]), 0, 2, at - 2);
        undo.push(() => writeSync(held, bytes, at - 2, 2, at - 2));
    }
    check(undo.length > 0, `the index names ${reference}`);
    return () => {
        for (const one of undo) one();
        closeSync(held);
    };
}

await story('a list that cannot read what left says so', async (scene) => {
    const listener = await Listener.open(scene);
    const server = await Server.open(scene, FLAGS);
    const { operator } = server;
    const checkouts = await live(server, listener);
    await operator.untilIdle();
    await operator.advance(25 * HOUR);
    await allLeft(operator);
    const before = await answers(operator, checkouts);
    const restore = spoil(join(server.data, 'index.mdb'), 'CANCELLED');
    for (const path of ['/transactions/txn_2', '/transactions', '/transactions?starting_after=txn_3',
                        '/deliveries', '/deliveries?state=delivered', '/entries?transaction=txn_2',
                        `/deliveries?transaction=${checkouts[1]}`]) {
        const answer = await operator.sim('GET', path);
        equal([answer.status, answer.json.code], [503, 'index_unreadable'], path);
    }
    equal((await operator.sim('GET', '/transactions?limit=1')).status, 200, 'a list that needs it not');
    restore();
    same(before, await answers(operator, checkouts), 'when it can be read again');
    proved('what the index cannot give is left out of no list: 503 index_unreadable');
});

await story('an index that is lost, damaged or of another history is built anew', async (scene) => {
    const listener = await Listener.open(scene);
    const server = await Server.open(scene, FLAGS);
    const file = join(server.data, 'index.mdb');
    const checkouts = await live(server, listener);
    await server.operator.untilIdle();
    await server.operator.advance(25 * HOUR);
    await allLeft(server.operator);
    const before = await answers(server.operator, checkouts);
    equal(await server.stop(), 0, 'exit status');
    check(existsSync(file), 'there is no index');
    const backup = scene.path('backup.mdb');
    copyFileSync(file, backup);

    const damages = {
        lost: () => rmSync(file),
        damaged: () => writeFileSync(file, Buffer.alloc(65536, 7)),
        cut: () => writeFileSync(file, Buffer.alloc(0)),
    };
    for (const [name, damage] of Object.entries(damages)) {
        damage();
        await server.start();
        matches(server.errors, /built anew/, `what the start says of an index that is ${name}`);
        await allLeft(server.operator);
        same(before, await answers(server.operator, checkouts), `index ${name}`);
        await server.kill();
        proved(`an index that is ${name} is built anew from the journal`);
    }

    // A reset, new payments, and then the index of the world before.
    await server.start();
    equal(server.errors, '', 'what a start with the index in place says');
    await server.operator.simOk('POST', '/reset', {});
    equal((await server.operator.sim('GET', `/transactions/${checkouts[0]}`)).status, 404,
          'status of a payment from before the reset');
    const others = await live(server, listener);
    await server.operator.untilIdle();
    await server.operator.advance(25 * HOUR);
    await allLeft(server.operator);
    const after = await answers(server.operator, others);
    equal(await server.stop(), 0, 'exit status');
    copyFileSync(backup, file);
    await server.start();
    matches(server.errors, /built anew/, 'what the start says of an old index');
    same(after, await answers(server.operator, others), 'index from before the reset');
    equal((await server.operator.sim('GET', `/transactions/${checkouts[0]}`)).status, 404,
          'status of a payment from before the reset');
    proved('after a reset nothing of the former world is found, whatever index lies there');
    await verified(server);
});
