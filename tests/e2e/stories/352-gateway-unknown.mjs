// Nobody could find out what became of it (R4.4): the answer was lost, no result came, and the
// provider does not say. A person looks into the provider's own books and decides: it is there under
// a receipt, or it is not. A hold ends once; the application is told; whatever is asked again, also
// after a kill -9, answers as before.
import { execFileSync } from 'node:child_process';
import { both, PHONE, prompt } from '../lib/gateway.mjs';
import { request } from '../lib/http.mjs';
import { Listener } from '../lib/listener.mjs';
import { Operator, SHORT_CODE } from '../lib/operator.mjs';
import { HAKIKA } from '../lib/server.mjs';
import { equal, matches, proved, story, until } from '../lib/story.mjs';

const HOURS = 3600_000;
const LOST = { answer: { connection: 'half_body' }, callback: { never: true } };
const key = (text) => ({ 'Idempotency-Key': text });

await story('what nobody could find out', async (scene) => {
    const server = await both(scene);
    let { gateway } = server;
    const { operator } = server;
    const app = await Listener.open(scene);
    const silence = (...apis) => operator.simOk('PUT', '/rules', { rules: apis.map((api) => (
        { name: `nothing of ${api}`, match: { api }, then: LOST })) });
    const become = (path, ...states) => until(async () => {
        const one = await gateway.ok('GET', path);
        return states.includes(one.status) && one;
    }, `${path} becomes ${states.join(' or ')}`);
    const decide = (path, fields) => gateway.call('POST', `${path}/decide`,
        { owner: 'Wanjiru', note: 'seen in the portal', ...fields });
    const again = async () => {
        await server.kill();
        await server.start();
        gateway = server.gateway;
    };
    // After so many lost answers the provider counts as out, and is tried again a while later.
    const paying = (fields) => until(async () => {
        const answer = await gateway.pay(fields);
        if (answer.status === 503) await operator.advance(60000);
        return answer.status === 201 && answer.json;
    }, 'a payment is taken');
    const paid = async (order_id) => {
        const made = await paying({ order_id, amount: 100000 });
        await gateway.become(made.id, 'pending');
        await operator.approved(await prompt(operator));
        return gateway.become(made.id, 'succeeded');
    };
    // Asked on every rung, and in vain: some 40 hours.
    const givenUp = async (path) => {
        for (let i = 0; i < 4; i++) await operator.advance(24 * HOURS);
        await until(async () => {
            const one = await gateway.ok('GET', path);
            return one.attention && !one.querying;
        }, `${path} is left to a person`);
    };
    const sale = await paid('INV-1');
    await silence('b2c', 'reversal', 'stk_push', 'stk_query', 'status');

    // A payout that the provider carried out.
    const had = await operator.balance();
    const { json: made } = await gateway.call('POST', '/v1/payouts',
        { amount: 5000, phone: String(PHONE), reference: 'WAGE-1' }, key('p-1'));
    const payout = `/v1/payouts/${made.id}`;
    await become(payout, 'unconfirmed');
    equal(await operator.balance() - had, 5000, 'the person has it, and nobody said so');
    const { receipt } = (await operator.simOk('GET', '/requests')).data.find((one) => one.type === 'b2c');
    const right = { decision: 'accept', amount: 5000, receipt };
    for (const [fields, status, code] of [
        [{ decision: 'reject' }, 409, 'still_asked'],
        [{ decision: 'refund', amount: 5000, receipt }, 422, 'invalid_decision'],
        [{ decision: 'accept', amount: 5000 }, 422, 'invalid_receipt'],
        [{ ...right, receipt: receipt.toLowerCase() }, 422, 'invalid_receipt'],
        [{ ...right, receipt: 7 }, 422, 'invalid_receipt'],
        [{ ...right, receipt: sale.receipt }, 409, 'not_ours'],
        [{ ...right, amount: 4900 }, 409, 'amount_differs'],
        [{ ...right, owner: '' }, 422, 'invalid_owner'],
    ]) {
        const answer = await decide(payout, fields);
        equal([answer.status, answer.json.code], [status, code], `refused: ${JSON.stringify(fields)}`);
    }
    equal((await gateway.ok('GET', '/v1/accounts/wallet')).held, 5000, 'it is still held');
    for (let twice = 0; twice < 2; twice++) {
        const { status, json } = await decide(payout, right);
        equal([status, json.status, json.reason, json.source, json.receipt, json.decision.owner],
              [200, 'succeeded', 'person', null, receipt, 'Wanjiru'], 'accepted');
        await again();
    }
    equal((await decide(payout, { ...right, receipt: `${receipt}X` })).json.code, 'already_decided', 'otherwise');
    const { posted, held } = await gateway.ok('GET', '/v1/accounts/wallet');
    equal([posted, held], [95000, 0], 'posted, once');
    proved('a payout that arrived is accepted under the receipt that the provider shows');

    // One that it did not carry out, asked for by an application that speaks Daraja.
    await operator.simOk('PATCH', `/subscribers/${PHONE}`, { status: 'suspended' });
    const asked = await request(server.ready.merchant, 'POST', '/mpesa/b2c/v3/paymentrequest', {
        headers: await new Operator(server.ready.merchant).bearer(),
        body: { OriginatorConversationID: 'wage-2', InitiatorName: 'testapi', SecurityCredential: 'AAAA',
                CommandID: 'SalaryPayment', Amount: 60, PartyA: SHORT_CODE, PartyB: PHONE,
                Remarks: 'wages', QueueTimeOutURL: `${app.url}/late`, ResultURL: `${app.url}/result` } });
    equal(asked.status, 200, 'it is accepted');
    const second = `/v1/payouts/${(await gateway.ok('GET', '/v1/payouts')).data[0].id}`;
    await become(second, 'unconfirmed');
    equal((await decide(second, { decision: 'reject' })).json.code, 'still_asked', 'not yet');
    await givenUp(second);
    equal((await gateway.ok('GET', '/v1/accounts/wallet')).held, 6000, 'held all the time');
    for (let twice = 0; twice < 2; twice++) {
        const { status, json } = await decide(second, { decision: 'reject' });
        equal([status, json.status, json.reason, json.attention, json.decision.decision],
              [200, 'failed', 'person', false, 'reject'], 'rejected');
        await again();
    }
    equal((await gateway.ok('GET', '/v1/accounts/wallet')).available, 95000, 'released');
    const result = await until(() => app.received.map((one) => one.json.Result)
        .find((one) => one?.OriginatorConversationID === 'wage-2'), 'its Result');
    equal(result.ResultCode === 0, false, 'it is told that it failed');
    await operator.simOk('PATCH', `/subscribers/${PHONE}`, { status: 'active' });
    proved('one that did not is rejected when nobody is asked any more, and its money is free');

    // A refund goes the same way, and its payment with it.
    await operator.simOk('PUT', '/rules', { rules: [] });
    const other = await paid('INV-2');
    await silence('reversal', 'status');
    const { json: back } = await gateway.call('POST', `/v1/payments/${other.id}/refund`, undefined, key('r-1'));
    const refund = `/v1/refunds/${back.id}`;
    await become(refund, 'unconfirmed');
    const reversal = (await operator.simOk('GET', '/requests')).data.find((one) => one.type === 'reversal');
    matches(reversal.receipt, /^[A-Z0-9]{10}$/, 'the provider carried it out');
    const done = await decide(refund, { decision: 'accept', amount: 100000, receipt: reversal.receipt });
    equal([done.status, done.json.status], [200, 'succeeded'], 'accepted');
    equal((await gateway.payment(other.id)).status, 'reversed', 'its payment is given back');
    equal(await gateway.balance('wallet'), 95000, 'once');
    proved('a refund is accepted, and its payment is reversed with it');

    // A push of which nothing came but the customer's word.
    await silence('stk_push', 'stk_query');
    const push = `/v1/payments/${(await paying({ order_id: 'INV-3', amount: 7000 })).id}`;
    await become(push, 'unconfirmed');
    await operator.approved(await prompt(operator));
    const shown = (await operator.transactions()).find((one) => one.type === 'stk_push' && one.amount === 7000);
    const taken = await decide(push, { decision: 'accept', amount: 7000, receipt: shown.receipt });
    equal([taken.status, taken.json.status, taken.json.paid_amount], [200, 'succeeded', 7000], 'accepted');
    equal(await gateway.balance('wallet'), 102000, 'booked');
    const kenya = new Date(Date.parse((await operator.clock()).now) + 3 * HOURS);
    const day = await gateway.ok('GET',
        `/v1/reconciliations/rec_${kenya.toISOString().slice(0, 10).replaceAll('-', '')}`);
    equal([day.accounts[0].repaired, day.accounts[0].causes], [1, { person: 1 }], 'a repair, by a person');
    proved('a push is accepted under the receipt on the customer\'s phone');

    const told = (await gateway.events()).map((event) => event.type);
    for (const type of ['payout.stuck', 'payout.failed', 'payout.succeeded', 'refund.succeeded',
                        'payment.reversed']) {
        equal(told.filter((one) => one === type).length, 1, `${type} is told once`);
    }
    await server.kill();
    const report = JSON.parse(execFileSync(HAKIKA, ['verify', server.data, '--json'], { encoding: 'utf8' }));
    equal([report.ok, report.merchant.ok], [true, true], 'every proof holds in both books');
    proved('hakika verify proves it');
});
