// The provider's own books against ours, over real HTTP and in virtual time: a push whose answer and
// callback are both lost is found by pull, or by a statement, and credited once (R2.9, R5.4); what
// does not match becomes a discrepancy that a person resolves; what is open for long is asked about
// by itself (R2.7), and over 0.1 % of repairs is told by webhook.
import { execFileSync } from 'node:child_process';
import { both, eventually } from '../lib/gateway.mjs';
import { request } from '../lib/http.mjs';
import { Listener } from '../lib/listener.mjs';
import { HAKIKA } from '../lib/server.mjs';
import { kenyan, portal } from '../lib/statement.mjs';
import { check, equal, proved, story, until } from '../lib/story.mjs';

const CODE = 174379;
const PHONE = 254711300000;
const AMOUNT = 15000;

const statement = (gateway, text) => gateway.call('POST', '/v1/statements', text,
                                                  { 'Content-Type': 'text/csv' });

await story('answer and callback are both lost', async (scene) => {
    const server = await both(scene);
    const { gateway, operator } = server;
    const listener = await Listener.open(scene);
    await gateway.ok('POST', '/v1/webhook_endpoints',
                     { url: listener.url, events: ['alert.repair_rate', 'payment.succeeded'] }, 201);
    const provider = async () => (await gateway.ok('GET', '/v1/providers')).data[0];
    await gateway.ok('POST', '/v1/pull', { hours: 49 }, 422);
    await gateway.ok('POST', '/v1/pull', { short_code: 600000 }, 422);
    await gateway.ok('POST', '/v1/pull', {}, 202);
    const refused = await eventually(operator, async () => {
        const { pull } = await provider();
        return pull.status === 'failed' && pull;
    }, 'no pull before it is registered');
    check(refused.answer, 'with what was answered');
    await gateway.ok('POST', '/v1/pull/register', { phone: '0722000000' }, 202);
    await eventually(operator, async () => (await provider()).pull.status === 'done', 'registered');
    await operator.simOk('PUT', '/rules', { rules: [{ name: 'lost', match: { api: 'stk_push' },
        then: { answer: { connection: 'half_body' }, prompt: { act: 'approve', delay_ms: 3000 },
                callback: { never: true } } }] });
    const lost = [];
    for (let i = 0; i < 3; i++) {
        lost.push(await gateway.paying({ order_id: `LOST-${i}`, phone: String(PHONE + i) }));
    }
    for (const one of lost) {
        await eventually(operator, async () => (await gateway.payment(one.id)).status === 'unconfirmed',
                         `nobody knows of ${one.id}`);
    }
    await operator.advance(4000);
    const paid = await until(async () => {
        const list = (await operator.transactions()).filter((one) => one.receipt);
        return list.length === 3 && list;
    }, 'all were paid at the operator');
    await operator.advance(45 * 60_000); // before it is pulled by itself
    for (const one of lost) {
        equal((await gateway.payment(one.id)).status, 'unconfirmed', 'much later');
        const again = await gateway.pay({ order_id: one.order_id, phone: String(one.phone) }, `again-${one.id}`);
        equal([again.status, again.json.code], [409, 'order_in_progress'], 'no second push');
    }
    equal((await operator.transactions()).length, 3, 'and none was sent');

    // The first by a line of a statement, sent twice; the second line is nobody's money.
    const receipt = (i) => paid.find((one) => one.account_reference === `LOST-${i}`).receipt;
    const at = kenyan(lost[0].created_at);
    const rows = [[receipt(0), at, AMOUNT, PHONE, 'LOST-0'],
                  ['TK60708BHZ', at, 7000, PHONE + 9, 'WHO-KNOWS']];
    const first = await statement(gateway, portal(rows, 500));
    equal(first.status, 200, first.text);
    equal([first.json.rows, first.json.applied, first.json.new_receipts, first.json.new_discrepancies,
           first.json.proof.variance, first.json.proof.gaps], [2, 2, 1, 1, 0, 0], first.text);
    const again = await statement(gateway, portal(rows, 500));
    equal([again.json.applied, again.json.confirmed, again.json.new_discrepancies], [0, 2, 0], 'again');
    const done = await gateway.payment(lost[0].id);
    equal([done.status, done.source, done.receipt], ['succeeded', 'statement', receipt(0)], 'found');
    proved('found by a statement, credited once');

    // The others by pull.
    await gateway.ok('POST', '/v1/pull', {}, 202);
    for (const one of lost.slice(1)) {
        equal((await gateway.become(one.id, 'succeeded')).source, 'pull', 'found by pull');
    }
    await eventually(operator, async () => (await provider()).pull.status === 'done', 'to the end of the list');
    equal((await provider()).pull.rows, 3, 'rows of it');
    equal(await gateway.balance('wallet'), 3 * AMOUNT, 'credited once each');
    await gateway.ok('POST', '/v1/pull', {}, 202);
    await eventually(operator, async () => (await provider()).pull.status === 'done', 'once more');
    equal(await gateway.balance('wallet'), 3 * AMOUNT, 'and nothing twice');
    const paidAlready = await gateway.pay({ order_id: 'LOST-1', phone: String(PHONE + 1) }, 'late');
    equal(paidAlready.json.code, 'order_already_paid', 'no second push afterwards either');
    proved('found by pull, credited once; a second push was refused all the while');

    // Over 0.1 % were repaired: told by webhook, once.
    await operator.advance(30 * 60 * 1000);
    const alert = await until(() => listener.received.map((one) => one.json)
        .find((one) => one.type === 'alert.repair_rate'), 'the alert arrives');
    equal([alert.data.object, alert.data.short_code], ['alert', CODE], 'the alert');
    const report = await gateway.ok('GET', `/v1/reconciliations/${alert.data.reconciliation}`);
    equal([report.alert, report.accounts[0].repaired, report.accounts[0].causes],
          [true, 3, { pull: 2, statement: 1 }], 'the report that it names');
    proved('over 0.1 % repaired: an alert by webhook');

    // What nobody knows waits for a person, has an owner, and ends when its receipt has an order.
    const [open] = (await gateway.ok('GET', '/v1/discrepancies?status=open')).data;
    equal([open.kind, open.reference, open.theirs, open.reason],
          ['unknown_account', 'TK60708BHZ', 7000, 'open'], 'the discrepancy');
    check(open.age_s >= 1800, 'its age');
    const owned = await gateway.ok('POST', `/v1/discrepancies/${open.id}/resolve`, { owner: 'Wanjiku' });
    equal([owned.status, owned.owner], ['open', 'Wanjiku'], 'an owner');
    await gateway.ok('POST', `/v1/discrepancies/${open.id}/resolve`, { reason: 'explained' }, 422);
    await gateway.ok('POST', `/v1/receipts/${open.receipt_id}/assign`, { order_id: 'LOST-9' });
    equal((await gateway.ok('GET', '/v1/discrepancies')).data[0].reason, 'assigned', 'ended by itself');

    // A statement whose balances do not follow, and one without a header.
    const gap = portal([[receipt(0), at, AMOUNT, PHONE, 'LOST-0'], [receipt(1), at, AMOUNT, PHONE + 1, 'LOST-1']])
        .replace('300.00', '290.00');
    const broken = await statement(gateway, gap);
    equal([broken.json.new_discrepancies, broken.json.proof.gaps], [1, 1], broken.text);
    const [balance] = (await gateway.ok('GET', '/v1/discrepancies?status=open')).data;
    equal(balance.kind, 'balance_gap', 'a gap');
    const resolved = await gateway.ok('POST', `/v1/discrepancies/${balance.id}/resolve`,
                                      { reason: 'explained', note: 'a row was cut out', owner: 'Otieno' });
    equal([resolved.status, resolved.reason, resolved.note], ['resolved', 'explained', 'a row was cut out'],
          'resolved by a person');
    await gateway.ok('POST', `/v1/discrepancies/${balance.id}/resolve`, { reason: 'explained', note: 'x' }, 409);
    equal((await statement(gateway, 'not,a,statement')).status, 422, 'no statement');
    equal((await gateway.call('POST', '/v1/discrepancies/dis_99/resolve', { owner: 'x' })).status, 404, 'none');

    await server.kill();
    const proof = JSON.parse(execFileSync(HAKIKA, ['verify', server.data, '--json'], { encoding: 'utf8' }));
    equal([proof.ok, proof.merchant.ok], [true, true], 'every proof holds in both books');
    await server.start();
    equal((await server.gateway.ok('GET', '/v1/discrepancies')).data.map((one) => one.status),
          ['resolved', 'resolved'], 'after a kill -9');
    equal(await server.gateway.balance('wallet'), 3 * AMOUNT + 7000, 'the wallet, too');
    proved('discrepancies have age, owner and reason, and survive a kill -9');
});

await story('pulled by itself', async (scene) => {
    const server = await both(scene);
    const { gateway, operator } = server;
    const pulled = async () => (await gateway.ok('GET', '/v1/providers')).data[0].pull;
    equal((await pulled()).next_at, null, 'not before a number is registered');
    await gateway.ok('POST', '/v1/pull/register', { phone: '0722000000' }, 202);
    await eventually(operator, async () => (await pulled()).next_at, 'registered');
    await operator.simOk('PUT', '/rules', { rules: [{ name: 'lost', match: { api: 'stk_push' },
        then: { answer: { connection: 'half_body' }, prompt: { act: 'approve', delay_ms: 3000 },
                callback: { never: true } } }] });
    const lost = await gateway.paying({ order_id: 'LOST', phone: String(PHONE) });
    await eventually(operator, async () => (await gateway.payment(lost.id)).status === 'unconfirmed', 'lost');
    await operator.advance(4000);
    const headers = await operator.bearer();
    await until(async () => (await operator.call('POST', '/mpesa/c2b/v2/simulate', { headers, body: {
        ShortCode: CODE, CommandID: 'CustomerPayBillOnline', Amount: 70, Msisdn: PHONE + 9,
        BillRefNumber: 'WHO-KNOWS' } })).status === 200, 'money for nobody, and no URL to tell it to');
    await operator.advance(3600_000);
    equal((await gateway.become(lost.id, 'succeeded')).source, 'pull', 'nobody had to ask');
    const [unknown] = await until(async () => {
        const list = (await gateway.ok('GET', '/v1/discrepancies?status=open')).data;
        return list.length > 0 && list;
    }, 'what is nobody\'s');
    await gateway.ok('POST', `/v1/receipts/${unknown.receipt_id}/assign`, { order_id: 'FOUND' });
    const told = (await gateway.events()).filter((event) => event.type.startsWith('discrepancy.'));
    equal(told.map((event) => [event.type, event.object_seq, event.data.id, event.data.status, event.data.reason]),
          [['discrepancy.opened', 1, unknown.id, 'open', undefined],
           ['discrepancy.resolved', 2, unknown.id, 'resolved', 'assigned']], 'told');
    const { text } = await request(server.ready.merchant, 'GET', '/metrics');
    const metric = (name) => Number(text.split('\n').find((one) => one.startsWith(`${name} `)).split(' ')[1]);
    equal([metric('hakika_gateway_discrepancies'), metric('hakika_gateway_discrepancies_total'),
           metric('hakika_gateway_receipts{state="suspense"}'), metric('hakika_gateway_receipts{state="assigned"}')],
          [0, 1, 0, 1], 'counted');
    await server.kill();
    await server.start();
    check((await server.gateway.ok('GET', '/v1/providers')).data[0].pull.next_at, 'goes on after a kill -9');
    proved('the list is pulled every hour by itself; discrepancies are told and counted');
});

await story('missing with the provider', async (scene) => {
    const { gateway, operator } = await both(scene);
    await operator.simOk('PUT', '/rules', { rules: [{ name: 'yes', match: { api: 'stk_push' },
        then: { prompt: { act: 'approve', delay_ms: 1000 } } }] });
    const made = [];
    for (let i = 0; i < 3; i++) {
        const { id } = await gateway.paying({ order_id: `M-${i}`, phone: String(PHONE + i) });
        await eventually(operator, async () =>
            !['created', 'submitted'].includes((await gateway.payment(id)).status),
                         'it has reached the operator');
        await operator.advance(60_000);
        made.push(await gateway.become(id, 'succeeded'));
    }
    // All but the one in the middle, and yet the balances follow.
    const rows = [0, 2].map((i) => [made[i].receipt, kenyan(made[i].ended_at), AMOUNT, PHONE + i, `M-${i}`]);
    const answer = await statement(gateway, portal(rows));
    equal([answer.json.confirmed, answer.json.new_discrepancies], [2, 1], answer.text);
    const [missing] = (await gateway.ok('GET', '/v1/discrepancies')).data;
    equal([missing.kind, missing.payment, missing.ours], ['missing_with_provider', made[1].id, AMOUNT],
          'the one that is missing');
    proved('what we booked and a whole statement does not have is a discrepancy');

    // A line that came before its callback made a receipt, which the callback takes back: it is no
    // less in the statement when the file comes again, followed by another row.
    await operator.simOk('PUT', '/rules', { rules: [{ name: 'late', match: { api: 'stk_push' },
        then: { prompt: { act: 'approve', delay_ms: 1000 }, callback: { delay_ms: 40_000 } } }] });
    const late = await gateway.paying({ order_id: 'M-9', phone: String(PHONE + 9) });
    await eventually(operator, async () => (await gateway.payment(late.id)).status === 'pending', 'it is asked');
    await operator.advance(5000);
    const { receipt } = await until(async () => (await operator.transactions())
        .find((one) => one.account_reference === 'M-9' && one.receipt), 'paid');
    const line = [receipt, kenyan(late.created_at), AMOUNT, '2547 ***** 009', 'M-9'];
    equal((await statement(gateway, portal([line]))).json.new_receipts, 1, 'a receipt');
    await operator.advance(60_000);
    const became = await gateway.become(late.id, 'succeeded');
    equal([became.source, became.receipt], ['callback', receipt], 'and then its callback');
    await operator.advance(60_000);
    const { id } = await gateway.paying({ order_id: 'M-10', phone: String(PHONE) });
    await eventually(operator, async () => (await gateway.payment(id)).status === 'pending', 'the next one');
    await operator.advance(60_000);
    const next = await gateway.become(id, 'succeeded');
    const whole = await statement(gateway, portal([line,
        [next.receipt, kenyan(new Date(Date.parse(next.ended_at) + 1000).toISOString()), AMOUNT, PHONE, 'M-10']]));
    equal([whole.json.confirmed, whole.json.new_discrepancies], [2, 0], whole.text);
    proved('what a line told before the callback is not missing');

    // With a second account nobody guesses whose statement it is: money would be booked twice.
    await gateway.ok('POST', '/v1/providers', { short_code: 600777, consumer_key: 'another',
                                                consumer_secret: 'another', passkey: 'another' }, 201);
    for (const [path, body] of [['/v1/statements', portal(rows)], ['/v1/pull', {}]]) {
        const refused = await gateway.call('POST', path, body, path === '/v1/pull' ? {} : { 'Content-Type': 'text/csv' });
        equal([refused.status, refused.json.code], [422, 'unknown_short_code'], refused.text);
    }
    const named = await gateway.call('POST', `/v1/statements?short_code=${CODE}`, portal(rows),
                                     { 'Content-Type': 'text/csv' });
    equal([named.json.confirmed, named.json.new_receipts], [2, 0], named.text);
    proved('of two accounts the one that is meant is named');
});
