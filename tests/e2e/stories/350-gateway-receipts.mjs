// Customers who pay by themselves (C2B) at the gateway: URLs are registered with the operator next
// door, validations answered by rule, and of 120 orders, paid by push or by paybill, with
// confirmations before callbacks, after them, late, thrice, or in place of them, each is credited
// once (R5.1, R5.2). Over real HTTP and in virtual time.
import { execFileSync } from 'node:child_process';
import { both, eventually } from '../lib/gateway.mjs';
import { request } from '../lib/http.mjs';
import { HAKIKA } from '../lib/server.mjs';
import { check, equal, proved, story, until } from '../lib/story.mjs';

const CODE = 174379;
const KINDS = 6;
const ORDERS = 120;

const phone = (i) => String(254711200000 + i);
const amount = (i) => 10000 + 100 * (i % KINDS);
const order = (i) => `ORDER-${String(i).padStart(3, '0')}`;

async function paybill(operator, fields) {
    const headers = await operator.bearer();
    const body = { ShortCode: CODE, CommandID: 'CustomerPayBillOnline', ...fields };
    const answer = await until(async () => {
        const one = await operator.call('POST', '/mpesa/c2b/v2/simulate', { headers, body });
        return one.json?.errorCode !== '500.003.02' && one;
    }, 'the operator is not busy any more');
    equal(answer.status, 200, `status of a simulated payment: ${answer.text}`);
}

async function all(gateway, path) {
    const found = [];
    for (let after = ''; ;) {
        const page = await gateway.ok('GET', `${path}${path.includes('?') ? '&' : '?'}limit=100${after}`);
        found.push(...page.data);
        if (!page.has_more) return found;
        after = `&starting_after=${page.data.at(-1).id}`;
    }
}

async function registered({ gateway, operator }, fields = {}) {
    const asked = await gateway.ok('POST', '/v1/providers/prov_1/c2b', fields, 202);
    equal(asked.c2b.status, 'asked', 'asked');
    return eventually(operator, async () => {
        const [provider] = (await gateway.ok('GET', '/v1/providers')).data;
        return provider.c2b.status === 'registered' && provider;
    }, 'the URLs are registered');
}

await story('validation by rule', async (scene) => {
    const server = await both(scene);
    const { gateway, operator } = server;
    equal((await gateway.call('POST', '/v1/providers/prov_9/c2b', {})).status, 404, 'another account');
    equal((await gateway.call('POST', '/v1/providers/prov_1/c2b', { accept: 'x' })).status, 422, 'a rule');
    const { c2b } = await registered(server, { accept: 'known_orders', unanswered: 'cancel' });
    equal([c2b.accept, c2b.unanswered], ['known_orders', 'cancel'], 'what it is registered with');
    await operator.simOk('PATCH', `/organisations/${CODE}`, { external_validation: true });
    await operator.simOk('PUT', '/rules', { rules: [
        { name: 'no', match: { api: 'stk_push' }, then: { prompt: { act: 'cancel' } } }] });
    const { id } = await gateway.paying({ order_id: 'KNOWN-1' });
    await gateway.become(id, 'cancelled');
    const fields = { Amount: 150, Msisdn: Number(phone(0)) };
    await paybill(operator, { ...fields, BillRefNumber: 'UNKNOWN' });
    await paybill(operator, { ...fields, BillRefNumber: 'KNOWN-1' });
    const [receipt] = await until(async () => {
        const list = await all(gateway, '/v1/receipts');
        return list.length > 0 && list;
    }, 'the receipt of the one that was let through');
    equal([receipt.account_reference, receipt.status, receipt.order_id, receipt.amount],
          ['KNOWN-1', 'assigned', 'KNOWN-1', 15000], 'it');
    const requests = (await operator.simOk('GET', '/requests')).data;
    equal(requests.map((one) => one.result_code).sort(), ['0', 'C2B00012'], 'and the other was refused');
    await registered(server);
    await paybill(operator, { ...fields, BillRefNumber: 'UNKNOWN' });
    await until(async () => (await all(gateway, '/v1/receipts?status=suspense')).length === 1,
                'let through now');
    proved('a payment is validated by rule before it moves');
});

await story('other callback URLs', async (scene) => {
    const server = await both(scene);
    const { operator } = server;
    const provider = async () => (await server.gateway.ok('GET', '/v1/providers')).data[0];
    const change = (what) => server.gateway.call('POST', `/v1/providers/prov_1/${what}_callbacks`, {});
    const confirm = async (url, TransID) => {
        const { origin, pathname } = new URL(`${url}/confirmation`);
        const body = { TransactionType: 'Pay Bill', TransID, TransTime: '20260131093000', TransAmount: '10.00',
            BusinessShortCode: String(CODE), BillRefNumber: 'X', MSISDN: phone(1), FirstName: 'A' };
        return (await request(origin, 'POST', pathname, { body })).status;
    };
    const refusals = async (reason) => {
        const { text } = await request(server.ready.merchant, 'GET', '/metrics');
        return Number(text.match(new RegExp(`refused_total\\{reason="${reason}"\\} (\\d+)`))[1]);
    };
    const first = (await provider()).callback_url;
    equal((await change('retire')).json.code, 'no_previous_callbacks', 'nothing to retire');
    const rotated = (await change('rotate')).json;
    equal([rotated.previous_callback_url, rotated.callback_url === first], [first, false], 'another one');
    equal((await change('rotate')).json.code, 'previous_callbacks_live', 'two at most');
    equal((await server.gateway.call('POST', '/v1/providers/prov_9/rotate_callbacks', {})).status, 404, 'no account');
    equal([await confirm(first, 'UA1C000001'), await confirm(rotated.callback_url, 'UA1C000002')], [200, 200], 'both');
    await registered(server);
    await paybill(operator, { Amount: 10, Msisdn: Number(phone(1)), BillRefNumber: 'NEW' });
    await eventually(operator, async () => (await all(server.gateway, '/v1/receipts')).length === 3, 'to the new one');
    equal((await change('retire')).json.previous_callback_url, null, 'retired');
    await server.kill();
    await server.start();
    equal([await confirm(first, 'UA1C000003'), await refusals('retired_url'), await refusals('unknown_url')],
          [404, 1, 0], 'like an unknown one, and counted');
    equal([await confirm(first.replace(/.{4}$/, '0000'), 'UA1C000003'), await refusals('unknown_url')], [404, 1],
          'an unknown one');
    equal(await confirm((await provider()).callback_url, 'UA1C000003'), 200, 'the new one stays');
    equal((await all(server.gateway, '/v1/receipts')).length, 4, 'nothing came by the old one');
    proved('callback URLs are rotated without losing a message, and retired');
});

await story('an order that was paid by paybill', async (scene) => {
    const server = await both(scene);
    const { gateway, operator } = server;
    await registered(server);
    await operator.simOk('PUT', '/rules', { rules: [
        { name: 'no', match: { api: 'stk_push' }, then: { prompt: { act: 'cancel', delay_ms: 1000 } } }] });
    const refused = async (fields, code, facts) => {
        const { status, json } = await gateway.pay(fields, `ask-${Math.random()}`);
        equal([status, json.code, json.receipt, json.received, json.waiting], [409, code, ...facts],
              `a push for ${fields.order_id}`);
    };
    const pays = (shillings, BillRefNumber) => paybill(operator,
        { Amount: shillings, Msisdn: Number(phone(1)), BillRefNumber });
    const arrived = (count) => eventually(operator,
        async () => (await all(gateway, '/v1/receipts')).length === count, `${count} have come`);

    const { id } = await gateway.paying({ order_id: 'SHOP-1' });
    await eventually(operator, async () => {
        await operator.advance(1000);
        return (await gateway.payment(id)).status === 'cancelled';
    }, 'the prompt is cancelled');
    await pays(50, 'SHOP-1');
    await arrived(1);
    await refused({ order_id: 'SHOP-1' }, 'order_partly_paid', ['rcp_1', 5000, 0]);
    await refused({ order_id: 'SHOP-1', amount: 5000 }, 'order_already_paid', ['rcp_1', 5000, 0]);
    await pays(100, 'SHOP-1');
    await arrived(2);
    await refused({ order_id: 'SHOP-1' }, 'order_already_paid', ['rcp_2', 15000, 0]);
    await refused({ order_id: 'SHOP-1', override_receipt: 'rcp_1' }, 'order_already_paid', ['rcp_2', 15000, 0]);
    equal((await gateway.pay({ order_id: 'SHOP-1', override_receipt: 'pay_1' }, 'x')).status, 422, 'no receipt');
    equal((await gateway.pay({ order_id: 'SHOP-2', override_receipt: 'rcp_2' }, 'y')).json.code,
          'not_overridable', 'another order');

    await pays(150, 'TYPO'); // by hand it becomes the money of another order
    await arrived(3);
    await refused({ order_id: 'TYPO' }, 'order_money_waiting', ['rcp_3', 0, 15000]);
    await gateway.ok('POST', '/v1/receipts/rcp_3/assign', { order_id: 'SHOP-3' });
    await refused({ order_id: 'SHOP-3' }, 'order_already_paid', ['rcp_3', 15000, 0]);
    await server.kill();
    await server.start();
    const again = server.gateway;
    equal((await again.pay({ order_id: 'SHOP-3' }, 'z')).json.receipt, 'rcp_3', 'after a kill -9');
    await again.paying({ order_id: 'TYPO' });
    const more = await again.paying({ order_id: 'SHOP-1', override_receipt: 'rcp_2' }, 'more');
    equal(more.override_receipt, 'rcp_2', 'an act of the caller');
    equal((await again.pay({ order_id: 'SHOP-1', override_receipt: 'rcp_2' }, 'more')).json.id, more.id,
          'and the same again');
    equal((await again.pay({ order_id: 'SHOP-1' }, 'more')).status, 422, 'with the same key another request');
    proved('R2.9: an order that was paid by paybill takes no push but by an act of the caller');
});

await story('120 orders, one credit each', async (scene) => {
    const server = await both(scene);
    const { gateway, operator } = server;
    await registered(server);
    const before = (await operator.accounts()).utility;
    const push = (kind, prompt, callback) => ({ name: `kind ${kind}`,
        match: { api: 'stk_push', amount: amount(kind) }, then: { prompt, ...callback } });
    const approve = { act: 'approve', delay_ms: 1000 };
    await operator.simOk('PUT', '/rules', { rules: [
        push(0, approve),
        push(1, approve, { callback: { delay_ms: 60_000 } }), // the confirmation comes first
        push(2, approve, { callback: { never: true } }),
        push(3, { act: 'cancel', delay_ms: 1000 }),
        push(4, { act: 'ignore' }),
        { name: 'thrice', match: { api: 'c2b', amount: amount(3) },
          then: { callback: { times: 3, spacing_ms: 1000 } } },
        { name: 'late', match: { api: 'c2b', amount: amount(5) },
          then: { callback: { delay_ms: 300_000 } } }] });

    const made = {};
    for (let i = 0; i < ORDERS; i++) {
        if (i % KINDS === 5) continue;
        made[i] = (await gateway.paying({ order_id: order(i), amount: amount(i), phone: phone(i) })).id;
    }
    const each = (kind, act) => Promise.all(
        Array.from({ length: ORDERS }, (_, i) => i).filter((i) => i % KINDS === kind).map(act));
    const receipts = (query) => all(gateway, `/v1/receipts${query}`);
    for (const id of Object.values(made)) {
        await eventually(operator, async () =>
            !['created', 'submitted'].includes((await gateway.payment(id)).status),
                         `${id} has reached the operator`);
    }
    await operator.advance(2000);
    await each(0, (i) => gateway.become(made[i], 'succeeded'));
    await each(3, (i) => gateway.become(made[i], 'cancelled'));
    // Those whose prompt was cancelled, or is still there, pay by paybill; and some name no order.
    const pays = (i, BillRefNumber) => paybill(operator,
        { Amount: amount(i) / 100, Msisdn: Number(phone(i)), BillRefNumber });
    await each(3, (i) => pays(i, order(i)));
    await each(4, (i) => pays(i, order(i)));
    await each(5, (i) => pays(i, `TYPO-${i}`));
    await until(async () => (await receipts('?status=assigned')).length === ORDERS / KINDS,
                'those of cancelled prompts are assigned');
    // Kept back while a push for the same order and amount is open: kinds 1, 2 and 4.
    const waiting = await until(async () => {
        const list = await receipts('?status=suspense');
        return list.length === 3 * ORDERS / KINDS && list;
    }, 'confirmations that came before callbacks wait');
    check(waiting.every((one) => one.suggested_payment && one.payer.includes('*')), 'with a suggestion');
    await operator.advance(62_000);
    await each(4, (i) => gateway.become(made[i], 'expired'));
    await each(1, (i) => gateway.become(made[i], 'succeeded'));
    equal((await gateway.payment(made[1])).source, 'callback', 'after its confirmation');
    await operator.advance(30_000);
    await each(2, (i) => gateway.become(made[i], 'succeeded'));
    await operator.advance(30_000);
    const found = await gateway.payment(made[2]);
    equal([found.source, Boolean(found.receipt)], ['query', true], 'paid by query, its receipt by C2B');
    // Of kind 0 a confirmation may have come first as well: both leave at the same moment.
    const back = new Set((await receipts('?status=taken_back')).map((one) => one.payment));
    await each(1, (i) => check(back.has(made[i]), `${made[i]} took its receipt back`));
    await each(2, (i) => check(back.has(made[i]), `${made[i]} took its receipt back`));
    const told = await gateway.types(made[1]);
    equal(told.filter((type) => type === 'payment.succeeded').length, 1, 'told once');
    await operator.advance(200_000);
    await until(async () => (await receipts('?status=suspense')).length === 2 * ORDERS / KINDS,
                'the late ones have come');

    // A person says which order the others are for; once, whatever is asked again.
    for (const one of await receipts('?status=suspense')) {
        const order_id = one.account_reference.replace('TYPO-', 'ORDER-').replace(/-(\d+)$/,
            (_, digits) => `-${digits.padStart(3, '0')}`);
        for (let twice = 0; twice < 2; twice++) {
            const assigned = await gateway.ok('POST', `/v1/receipts/${one.id}/assign`, { order_id });
            equal([assigned.status, assigned.order_id, assigned.assigned_by_person],
                  ['assigned', order_id, true], 'assigned');
        }
    }
    const [any] = await receipts('?status=assigned');
    equal((await gateway.call('POST', `/v1/receipts/${any.id}/assign`, { order_id: 'other' })).json.code,
          'not_in_suspense', 'no second order');
    equal((await gateway.call('POST', `/v1/receipts/${any.id}/assign`, {})).status, 422, 'no order');
    equal((await gateway.call('GET', '/v1/receipts/rcp_9999')).status, 404, 'no such receipt');

    // Everything once more: confirmations and callbacks are sent again.
    const notices = (await all(gateway, '/v1/notices')).length;
    const repeats = async () => (await all(gateway, '/v1/notices'))
        .reduce((sum, one) => sum + one.repeats, 0);
    const earlier = await repeats();
    const sent = (await operator.wholeList('/deliveries')).filter((one) => one.state === 'delivered');
    check(sent.length >= ORDERS, 'as many messages at least as orders');
    for (const one of sent) {
        await operator.simOk('POST', `/deliveries/${one.id}/replay`, {}, 202);
    }
    await until(async () => await repeats() >= earlier + sent.length, 'all have come again');
    equal((await all(gateway, '/v1/notices')).length, notices, 'nothing new');

    const audit = async (now) => {
        const payments = (await all(now, '/v1/payments')).filter((one) => one.status === 'succeeded');
        const arrived = await all(now, '/v1/receipts?status=assigned');
        const credits = [...payments, ...arrived];
        for (let i = 0; i < ORDERS; i++) {
            const own = credits.filter((one) => one.order_id === order(i));
            equal(own.map((one) => one.amount), [amount(i)], `credits of ${order(i)}`);
        }
        equal(new Set(credits.map((one) => one.receipt)).size, ORDERS, 'receipt numbers');
        const sum = credits.reduce((total, one) => total + one.amount, 0);
        equal([await now.balance('wallet'), await now.balance('suspense'),
               await now.balance(`clearing_${CODE}`)], [sum, 0, sum], 'the books');
        return sum;
    };
    equal(await audit(gateway), (await operator.accounts()).utility - before, 'to the cent');
    proved('120 orders by push and paybill: one credit each, whatever came how often and when');

    await server.kill();
    const report = JSON.parse(execFileSync(HAKIKA, ['verify', server.data, '--json'], { encoding: 'utf8' }));
    equal([report.ok, report.merchant.ok], [true, true], 'every proof holds in both books');
    await server.start();
    await audit(server.gateway);
    proved('hakika verify proves it, and a kill -9 changes nothing');
});
