// Payments that ended leave the merchant's memory once the index has them. Nobody outside can tell:
// answers are the same bytes, a callback again does nothing twice, an order stays paid, a refund
// works; after a restart from a small snapshot, a kill, and a lost index (docs/decisions/0011).
import { spawnSync } from 'node:child_process';
import { readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { both, eventually, PHONE } from '../lib/gateway.mjs';
import { HAKIKA } from '../lib/server.mjs';
import { check, equal, matches, proved, story, until } from '../lib/story.mjs';

const PAYMENTS = 40;
const AMOUNT = 15000;
const HOUR = 3600 * 1000;

async function figure(gateway, name) {
    const { text } = await gateway.call('GET', '/metrics');
    return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1]);
}

const left = (gateway, count) => until(async () =>
    await figure(gateway, 'hakika_payments_left') === count, `${count} payments have left`);

function snapshotBytes(server) {
    const folder = join(server.data, 'merchant');
    const sizes = readdirSync(folder).filter((name) => name.endsWith('.snap')).sort()
        .map((name) => statSync(join(folder, name)).size);
    return sizes.at(-1);
}

// Everything that is about old payments, as text.
async function answers(gateway, ids) {
    const all = {};
    const keep = async (path, agent = gateway) => {
        const answer = await agent.call('GET', path);
        all[path] = `${answer.status} ${answer.text}`;
        return answer.json;
    };
    for (const id of ids) {
        const payment = await keep(`/v1/payments/${id}`);
        await keep(`/v1/payments/${id}/timeline`);
        await keep(`${new URL(payment.checkout_url).pathname}/state`);
    }
    await keep('/v1/payments?limit=7');
    await keep('/v1/payments?limit=7&starting_after=pay_20');
    await keep('/v1/payments?order_id=INV-3');
    await keep('/v1/notices?limit=5&starting_after=ntc_10');
    await keep('/v1/events?after_seq=3&limit=20');
    await keep('/v1/accounts/wallet');
    const made = Date.parse((await gateway.payment(ids[0])).created_at) + 3 * HOUR; // in Kenya
    await keep(`/v1/reconciliations/rec_${new Date(made).toISOString().slice(0, 10).replaceAll('-', '')}`);
    return all;
}

function same(before, after, what) {
    for (const path of Object.keys(before)) equal(after[path], before[path], `${what}: ${path}`);
}

await story('a merchant\'s payments leave memory, and nobody can tell', async (scene) => {
    const server = await both(scene);
    const ids = [];
    await server.operator.simOk('PUT', '/rules', { rules: [
        { name: 'paid', match: { api: 'stk_push' }, then: { prompt: { act: 'approve', delay_ms: 1000 } } }] });
    for (let i = 1; i <= PAYMENTS; i++) {
        const made = await server.gateway.paying({ order_id: `INV-${i}`, phone: String(PHONE + i % 9) });
        ids.push(made.id);
        await server.operator.advance(2000);
        await eventually(server.operator, async () =>
            (await server.gateway.payment(made.id)).status === 'succeeded', `${made.id} is paid`);
    }
    const before = await answers(server.gateway, ids);
    for (const [path, text] of Object.entries(before)) check(text.startsWith('200'), `${path}: ${text}`);
    equal(await figure(server.gateway, 'hakika_payments_left'), 0, 'payments that left');
    equal(await server.stop(), 0, 'exit status');
    const large = snapshotBytes(server);
    await server.start();
    await server.operator.advance(2 * HOUR);
    await left(server.gateway, PAYMENTS);
    equal(await figure(server.gateway, 'hakika_payments_in_memory'), 0, 'payments in memory');
    same(before, await answers(server.gateway, ids), 'from the index');
    proved(`${Object.keys(before).length} answers are the same bytes from the index`);

    equal(await server.stop(), 0, 'exit status');
    const small = snapshotBytes(server);
    check(small * 2 < large, `the snapshot has ${small} bytes, ${large} when all was in memory`);
    await server.start();
    equal(await figure(server.gateway, 'hakika_payments_in_memory'), 0, 'payments in memory');
    same(before, await answers(server.gateway, ids), 'from a small snapshot');
    await server.kill();
    rmSync(join(server.data, 'merchant-index'), { recursive: true });
    await server.start();
    matches(server.errors, /built anew/, 'what the start says');
    same(before, await answers(server.gateway, ids), 'from an index built anew');
    proved(`a snapshot of ${small} bytes instead of ${large}, a kill, a lost index: the same answers`);

    const { gateway, operator } = server;
    const checkout = (await gateway.payment(ids[4])).checkout_request_id;
    const [callback] = await operator.deliveriesOf(checkout);
    await operator.simOk('POST', `/deliveries/${callback.id}/replay`, {}, 202);
    await until(async () => await figure(gateway, 'hakika_payments_in_memory') === 1, 'one came home');
    equal(await gateway.balance('wallet'), PAYMENTS * AMOUNT, 'the wallet');
    equal((await gateway.types(ids[4])).filter((type) => type === 'payment.succeeded').length, 1, 'told once');
    const notices = (await gateway.timeline(ids[4])).filter((step) => step.notice);
    equal(notices.map((step) => step.notice.repeats), [1], 'the same notice, once more');
    proved('the callback again: recognised, counted, and nothing happens twice');

    const again = await gateway.pay({ order_id: 'INV-7', phone: String(PHONE + 7) });
    equal([again.status, again.json.id, again.headers['idempotent-replayed']], [201, ids[6], 'true'],
          'the same call with the same key');
    const other = await gateway.pay({ order_id: 'INV-8' }, 'another key');
    equal([other.status, other.json.code, other.json.payment], [409, 'order_already_paid', ids[7]],
          'another payment for its order');
    const refund = await gateway.call('POST', `/v1/payments/${ids[8]}/refund`, {}, { 'Idempotency-Key': 'back' });
    equal(refund.status, 201, `status of the refund: ${refund.text}`);
    await operator.advance(5000);
    await eventually(operator, async () =>
        (await gateway.payment(ids[8])).status === 'reversed', 'it is given back');
    equal(await gateway.balance('wallet'), (PAYMENTS - 1) * AMOUNT, 'the wallet after the refund');
    proved('the same call is answered as before, the order stays paid, and a refund goes out');

    await operator.advance(2 * HOUR);
    await left(gateway, PAYMENTS + 1); // the refund, too
    equal(await server.stop(), 0, 'exit status');
    const proof = spawnSync(HAKIKA, ['verify', server.data], { encoding: 'utf8' });
    equal(proof.status, 0, `exit status of hakika verify (${proof.stdout}${proof.stderr})`);
    proved('hakika verify follows what left and what came home');
});
