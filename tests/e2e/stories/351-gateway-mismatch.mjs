// Money that is not as we asked (R6.10), and a person who decides: accepted with what came, given
// back, rejected. Whatever is decided, clearing is what lies at the operator, to the cent; the same
// decision again, also after a kill -9, answers as before.
import { execFileSync } from 'node:child_process';
import { both, eventually, PHONE } from '../lib/gateway.mjs';
import { request } from '../lib/http.mjs';
import { HAKIKA } from '../lib/server.mjs';
import { equal, proved, story, until } from '../lib/story.mjs';

const CODE = 174379;
const decision = (fields) => ({ owner: 'Wanjiru', note: 'the customer agreed by phone', ...fields });

async function paybill(operator, fields) {
    const headers = await operator.bearer();
    const answer = await operator.call('POST', '/mpesa/c2b/v2/simulate', { headers,
        body: { ShortCode: CODE, CommandID: 'CustomerPayBillOnline', Msisdn: PHONE, ...fields } });
    equal(answer.status, 200, `a simulated payment: ${answer.text}`);
}

// A push that nobody answers, and its callback as the provider might send it.
async function claimed(server, order_id, claim) {
    const { gateway, operator } = server;
    const phone = 254711200000 + Number(order_id.slice(-1)); // one prompt each
    const { id } = await gateway.paying({ order_id, phone: String(phone) });
    const payment = await gateway.become(id, 'pending');
    const push = (await operator.transactions()).find((one) =>
        one.checkout_request_id === payment.checkout_request_id);
    const item = (name, Value) => ({ Name: name, Value });
    const body = { Body: { stkCallback: { MerchantRequestID: payment.merchant_request_id,
        CheckoutRequestID: payment.checkout_request_id, ResultCode: 0,
        ResultDesc: 'The service request is processed successfully.',
        CallbackMetadata: { Item: [item('Amount', claim.amount), item('MpesaReceiptNumber', claim.receipt),
                                   item('TransactionDate', 20260131093000), item('PhoneNumber', phone)] } } } };
    const { origin, pathname } = new URL(push.callback_url);
    equal((await request(origin, 'POST', pathname, { body })).status, 200, 'the callback is taken');
    return gateway.become(id, 'mismatched');
}

await story('decisions about mismatches', async (scene) => {
    const server = await both(scene);
    let { gateway } = server;
    const { operator } = server;
    const before = await operator.utility();
    const decide = (id, fields) => gateway.call('POST', `/v1/payments/${id}/decide`, decision(fields));
    const clearing = async (what) => {
        const lies = await operator.utility() - before;
        equal(await gateway.balance(`clearing_${CODE}`), lies, `clearing, ${what}`);
        return lies;
    };
    await gateway.ok('POST', '/v1/providers/prov_1/c2b', {}, 202);
    await eventually(operator, async () =>
        (await gateway.ok('GET', '/v1/providers')).data[0].c2b.status === 'registered', 'registered');
    await operator.simOk('PUT', '/rules', { rules: [
        { name: 'silent', match: { api: 'stk_push' }, then: { prompt: { act: 'ignore' }, callback: { never: true } } }] });

    // It came under a receipt of its own, with less than was asked for.
    await paybill(operator, { Amount: 149, BillRefNumber: 'LESS' });
    const [receipt] = await until(async () => {
        const list = (await gateway.ok('GET', '/v1/receipts')).data;
        return list.length > 0 && list;
    }, 'its confirmation');
    await clearing('in suspense');
    const less = await claimed(server, 'ORDER-1', { amount: 149, receipt: receipt.receipt });
    equal([less.claimed_amount, less.paid_amount, less.decision, less.attention], [14900, null, null, true], 'it waits');
    equal((await decide(less.id, { decision: 'maybe' })).json.code, 'invalid_decision', 'no decision');
    equal((await decide(less.id, { decision: 'accept' })).json.code, 'invalid_amount', 'no amount');
    equal((await decide(less.id, { decision: 'accept', amount: 14900, note: '' })).json.code, 'invalid_owner', 'no reason');
    equal((await decide(less.id, { decision: 'accept', amount: 15000 })).json.code, 'amount_differs', 'not what came');
    equal((await decide(less.id, { decision: 'reject' })).json.code, 'money_came', 'its receipt is in the book');
    equal((await decide('pay_99', { decision: 'reject' })).status, 404, 'another payment');
    for (let twice = 0; twice < 2; twice++) {
        const { status, json } = await decide(less.id, { decision: 'accept', amount: 14900 });
        equal([status, json.status, json.amount, json.paid_amount, json.receipt, json.decision.owner],
              [200, 'succeeded', 15000, 14900, receipt.receipt, 'Wanjiru'], 'accepted');
        await server.kill();
        await server.start();
        gateway = server.gateway;
    }
    equal((await decide(less.id, { decision: 'refund', amount: 14900 })).json.code, 'already_decided', 'otherwise');
    equal(await clearing('accepted'), 14900, 'booked');
    const [told] = (await gateway.events()).filter((event) => event.type === 'payment.succeeded');
    equal([told.data.amount, told.data.paid_amount], [15000, 14900], 'both amounts are told');
    proved('accepted with what came: once, whatever is asked again and killed');

    // Given back.
    await paybill(operator, { Amount: 200, BillRefNumber: 'MORE' });
    const more = await until(async () => (await gateway.ok('GET', '/v1/receipts')).data
        .find((one) => one.account_reference === 'MORE'), 'the next confirmation');
    const wrong = await claimed(server, 'ORDER-2', { amount: 200, receipt: more.receipt });
    equal((await decide(wrong.id, { decision: 'refund', amount: 20000 })).json.status, 'succeeded', 'to be given back');
    equal((await gateway.types(wrong.id)).slice(-2), ['payment.succeeded', 'refund.proposed'], 'told');
    await clearing('before it is given back');
    const refund = await gateway.call('POST', `/v1/payments/${wrong.id}/refund`, {}, { 'Idempotency-Key': 'r' });
    equal([refund.status, refund.json.amount], [201, 20000], 'what came');
    await eventually(operator, async () => (await gateway.payment(wrong.id)).status === 'reversed', 'given back');
    equal(await clearing('given back'), 14900, 'only the first is left');
    proved('given back: what came, through a refund');

    // Nothing came.
    const lie = await claimed(server, 'ORDER-3', { amount: 1, receipt: 'UA1A0LIE01' });
    const rejected = (await decide(lie.id, { decision: 'reject' })).json;
    equal([rejected.status, rejected.reason, rejected.paid_amount], ['failed', 'person', null], 'rejected');
    equal((await decide(lie.id, { decision: 'accept', amount: 100 })).json.code, 'already_decided', 'and decided');
    equal(await clearing('rejected'), 14900, 'nothing was booked');
    const other = await claimed(server, 'ORDER-4', { amount: 150, receipt: receipt.receipt });
    equal((await decide(other.id, { decision: 'accept', amount: 15000 })).json.code, 'not_ours', 'a used receipt');
    equal((await decide(less.id, { decision: 'reject' })).json.code, 'already_decided', 'the first stands');
    proved('what did not come is never booked');

    await server.kill();
    const report = JSON.parse(execFileSync(HAKIKA, ['verify', server.data, '--json'], { encoding: 'utf8' }));
    equal([report.ok, report.merchant.ok], [true, true], 'every proof holds in both books');
    proved('hakika verify proves it');
});
