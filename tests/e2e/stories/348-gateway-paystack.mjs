// Payments through Paystack (R5.6, R5.1, R6.10): the reference is chosen and stored first, verify is
// the query, webhooks are believed only with Paystack's signature over the raw body. Over real HTTP
// against Paystack's side of the operator next door, in virtual time; amounts in cents.
import { execFileSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { chmodSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { both } from '../lib/gateway.mjs';
import { request } from '../lib/http.mjs';
import { HAKIKA, Server } from '../lib/server.mjs';
import { check, equal, matches, proved, story, until } from '../lib/story.mjs';

const KEY = 'sk_test_0123456789abcdef';
const SHOP = 174379;
const AMOUNT = 15050; // not whole shillings: Paystack takes cents

// A webhook as Paystack would send it.
function sent(server, account, json) {
    const body = JSON.stringify(json);
    return request(server.ready.merchant, 'POST', new URL(account.webhook_url).pathname, {
        body, headers: { 'x-paystack-signature': createHmac('sha512', KEY).update(body).digest('hex') } });
}

await story('payments through Paystack', async (scene) => {
    const server = await both(scene);
    const { gateway, operator } = server;
    const refusedKey = await gateway.call('POST', '/v1/providers', { kind: 'paystack' });
    equal([refusedKey.status, refusedKey.json.code], [422, 'invalid_secret'], 'no key, no account');
    const account = await gateway.ok('POST', '/v1/providers',
                                     { kind: 'paystack', secret_key: KEY }, 201);
    check(!JSON.stringify(account).includes(KEY), 'the key never comes out');
    matches(account.webhook_url, /\/callbacks\/[0-9a-f]{32}\/webhook$/, 'where Paystack sends webhooks');
    const business = (secret_key) => operator.simOk('PUT', `/organisations/${SHOP}/paystack`,
                                                    { secret_key, webhook_url: account.webhook_url });
    await business(KEY);
    const before = (await operator.accounts()).utility;

    let orders = 0;
    const rules = (then, api = 'paystack_charge') => operator.simOk('PUT', '/rules', {
        rules: then ? [{ name: 'rule', match: { api }, then }] : [] });
    const pay = async (fields = {}) => {
        orders++;
        const made = await gateway.pay({ method: 'paystack', email: 'wanjiru@example.com',
                                         amount: AMOUNT, phone: String(254711200000 + orders),
                                         order_id: `ORDER-${orders}`, ...fields });
        equal(made.status, 201, `a payment: ${made.text}`);
        return made.json;
    };
    const after = (seconds) => operator.advance(seconds * 1000);
    const notices = async () => (await gateway.ok('GET', '/v1/notices?limit=100')).data;
    const noticesOf = async (id) => (await gateway.timeline(id))
        .filter((one) => one.notice).map((one) => [one.notice.source, one.notice.status]);
    const webhook = (json) => sent(server, account, json);
    const claim = (reference, fields = {}) => ({ event: 'charge.success', data: {
        id: 4099260516, domain: 'test', status: 'success', reference, amount: AMOUNT,
        currency: 'KES', channel: 'mobile_money', paid_at: '2026-01-01T09:00:00.000Z', ...fields } });

    const unnamed = await gateway.pay({ method: 'paystack', order_id: 'NONE' });
    equal([unnamed.status, unnamed.json.code], [422, 'invalid_email'], 'Paystack needs an email');

    // Paid: the reference is there before anything leaves, and the webhook brings the end.
    await rules({ prompt: { act: 'approve', delay_ms: 5000 } });
    const first = await pay();
    matches(first.checkout_request_id, /^hk-[0-9a-f]{32}$/, 'the reference, at once');
    await gateway.become(first.id, 'pending');
    await after(5);
    const paid = await gateway.become(first.id, 'succeeded');
    equal([paid.source, paid.amount, paid.method, paid.provider],
          ['webhook', AMOUNT, 'paystack', 'paystack'], 'by the signed webhook');
    check(paid.receipt, 'with M-Pesa\'s receipt');
    equal(await gateway.types(first.id), ['payment.created', 'payment.pending', 'payment.succeeded'],
          'what was told');
    equal(await gateway.balance('clearing_paystack'), AMOUNT, 'in cents');
    proved('paid: the reference stored first, the money in cents, by a signed webhook');

    // Failed: Paystack sends nothing, verify finds it.
    await rules({ prompt: { act: 'cancel', delay_ms: 1000 } });
    const cancelled = await pay();
    await gateway.become(cancelled.id, 'pending');
    await after(90);
    const failed = await gateway.become(cancelled.id, 'failed');
    equal([failed.source, failed.result_code, failed.retryable], ['status', 'failed', true],
          'found by verify');
    proved('a failed charge sends no webhook: verify finds it');

    // Paid, and the webhook is lost.
    await rules({ prompt: { act: 'approve', delay_ms: 1000 }, callback: { never: true } });
    const lost = await pay();
    await gateway.become(lost.id, 'pending');
    await after(89);
    equal((await gateway.payment(lost.id)).status, 'pending', 'before 90 s');
    await after(1);
    const found = await gateway.become(lost.id, 'succeeded');
    equal([found.source, found.receipt !== null], ['status', true], 'by verify, with its receipt');
    equal(await noticesOf(lost.id), [['status', 'applied']], 'kept as a notice');
    proved('a lost webhook: verify finds the payment');

    // Paid, and the webhook comes twice.
    await rules({ prompt: { act: 'approve', delay_ms: 1000 },
                  callback: { times: 2, spacing_ms: 1000 } });
    const twice = await pay();
    await gateway.become(twice.id, 'pending');
    await after(3);
    await gateway.become(twice.id, 'succeeded');
    await until(async () => (await notices()).some((one) =>
        one.payment === twice.id && one.repeats === 1), 'the second is counted');
    equal(await noticesOf(twice.id), [['webhook', 'applied']], 'kept once');
    equal(await gateway.balance('clearing_paystack'), 3 * AMOUNT, 'booked once');
    proved('a doubled webhook: one credit, one notice');

    // The answer to the charge is lost: never sent again, asked about by our own reference.
    await rules({ answer: { connection: 'reset' }, prompt: { act: 'approve', delay_ms: 1000 },
                  callback: { never: true } });
    const silent = await pay();
    equal((await gateway.become(silent.id, 'unconfirmed', 'succeeded')).method, 'paystack', 'unknown');
    await after(70);
    equal((await gateway.become(silent.id, 'succeeded')).source, 'status', 'asked by reference');
    proved('a lost answer: the reference that was chosen first finds it');

    // What is not signed, or wrongly, or came changed: refused, and no trace.
    await rules({ prompt: { act: 'ignore' } });
    const forged = await pay();
    await gateway.become(forged.id, 'pending');
    const reference = forged.checkout_request_id;
    const kept = (await notices()).length;
    const path = new URL(account.webhook_url).pathname;
    const text = JSON.stringify(claim(reference));
    const good = createHmac('sha512', KEY).update(text).digest('hex');
    for (const [headers, body, what, at = path] of [
        [{}, text, 'unsigned'],
        [{ 'x-paystack-signature': 'x' }, text, 'no signature'],
        [{ 'x-paystack-signature': createHmac('sha512', 'sk_test_other').update(text).digest('hex') },
         text, 'another key\'s'],
        [{ 'x-paystack-signature': good }, text.replace(String(AMOUNT), '99'), 'a changed body'],
        [{ 'x-paystack-signature': good }, `${text} `, 'one more byte'],
        [{ 'x-paystack-signature': good }, text, 'another door', path.replace('webhook', 'stk')],
    ]) {
        const answer = await request(server.ready.merchant, 'POST', at, { body, headers });
        equal([answer.status, answer.json.code], [401, 'signature_wrong'], what);
    }
    equal((await notices()).length, kept, 'no notice of any of them');
    equal((await gateway.payment(forged.id)).status, 'pending', 'nothing moved');
    proved('unsigned and wrongly signed webhooks are refused without a trace');

    // Signed, but of another amount or currency: a mismatch, never a silent success.
    equal((await webhook(claim(reference, { amount: 100 * AMOUNT }))).status, 200, 'it is taken');
    const wrong = await gateway.become(forged.id, 'mismatched');
    equal([wrong.reason, wrong.attention], ['amount_differs', true], 'for a person');
    const foreign = await pay();
    await gateway.become(foreign.id, 'pending');
    await webhook(claim(foreign.checkout_request_id, { currency: 'NGN' }));
    equal((await gateway.become(foreign.id, 'mismatched')).reason, 'currency_differs', 'naira');
    equal((await webhook(claim('not-ours'))).status, 200, 'a reference that we never gave');
    equal((await notices()).find((one) => one.reference === 'not-ours').status, 'orphan', 'is kept');
    await business('sk_test_another');
    const refused = await pay();
    equal((await gateway.become(refused.id, 'failed')).reason, 'refused', 'an invalid key');
    await business(KEY);
    proved('another amount or currency is a mismatch');

    // A refund: told by webhook; and one whose webhook is lost, found by verify.
    await rules();
    const wallet = await gateway.balance('wallet');
    const back = await gateway.ok('POST', `/v1/payments/${first.id}/refund`, undefined, 201,
                                  { 'Idempotency-Key': 'refund-1' });
    const refundOf = (id) => gateway.ok('GET', `/v1/refunds/${id}`);
    const refundBecomes = (id, status) => until(async () => {
        const refund = await refundOf(id);
        return refund.status === status && refund;
    }, `${id} becomes ${status}`);
    equal((await refundBecomes(back.id, 'succeeded')).source, 'webhook', 'told by webhook');
    await gateway.become(first.id, 'reversed');
    await rules({ callback: { never: true } }, 'paystack_refund');
    const second = await gateway.ok('POST', `/v1/payments/${lost.id}/refund`, undefined, 201,
                                    { 'Idempotency-Key': 'refund-2' });
    await refundBecomes(second.id, 'pending');
    await after(90);
    equal((await refundBecomes(second.id, 'succeeded')).source, 'status', 'found by verify');
    await gateway.become(lost.id, 'reversed');
    equal(await gateway.balance('wallet'), wallet - 2 * AMOUNT, 'both went from the wallet');
    const again = await gateway.call('POST', `/v1/payments/${first.id}/refund`, undefined,
                                     { 'Idempotency-Key': 'refund-3' });
    equal(again.status, 409, 'and once');
    proved('refunds, by webhook and by verify');

    // Paid, the webhook lost, and given back at Paystack by somebody else before verify is asked:
    // verify says "reversed", which is both. The same when the word of the refund comes first.
    const held = await gateway.balance('wallet');
    for (const [told, sources] of [
        [false, [['status', 'applied'], ['status', 'applied']]],
        [true, [['webhook', 'applied'], ['status', 'applied'], ['status', 'confirms']]]]) {
        await operator.simOk('PUT', '/rules', { rules: [
            { name: 'pays', match: { api: 'paystack_charge' },
              then: { prompt: { act: 'approve', delay_ms: 1000 }, callback: { never: true } } },
            ...(told ? [] : [{ name: 'silent', match: { api: 'paystack_refund' },
                               then: { callback: { never: true } } }])] });
        const gone = await pay();
        await gateway.become(gone.id, 'pending');
        await after(10);
        const refund = await request(server.base, 'POST', '/refund', {
            body: JSON.stringify({ transaction: gone.checkout_request_id, amount: AMOUNT }),
            headers: { 'Authorization': `Bearer ${KEY}` } });
        equal([refund.status, refund.json.status], [200, true], `given back: ${refund.text}`);
        if (told) {
            await until(async () => (await noticesOf(gone.id)).length === 1, 'the refund is told');
            equal(await noticesOf(gone.id), [['webhook', 'contradicts']], 'too early');
            const open = (await gateway.ok('GET', '/v1/discrepancies')).data[0];
            equal([open.kind, open.payment, open.status], ['unlinked_reversal', gone.id, 'open'],
                  'for a person, until it is booked');
        }
        await after(90);
        equal((await gateway.become(gone.id, 'reversed')).source, told ? 'webhook' : 'status',
              'who said that it went back');
        await until(async () => (await noticesOf(gone.id)).length === sources.length, 'both claims');
        equal(await noticesOf(gone.id), sources, 'what was claimed');
        equal((await gateway.types(gone.id)).slice(-2), ['payment.succeeded', 'payment.reversed'],
              'what was told');
        equal(await gateway.balance('wallet'), held, 'nothing stays in the wallet');
    }
    equal((await gateway.ok('GET', '/v1/discrepancies')).data[0].status, 'resolved', 'by itself');
    proved('paid and given back unseen: verify tells both, in whatever order they come');

    equal(await gateway.balance('clearing_paystack'), (await operator.accounts()).utility - before,
          'clearing against the operator');
    await server.kill();
    const report = JSON.parse(execFileSync(HAKIKA, ['verify', server.data, '--json'], { encoding: 'utf8' }));
    equal([report.ok, report.merchant.ok], [true, true], 'every proof holds in both books');
    for (const book of ['operator', 'merchant']) {
        for (const file of readdirSync(join(server.data, book))) {
            check(!readFileSync(join(server.data, book, file)).includes(KEY),
                  `${book}/${file} has the secret key in clear`);
        }
    }
    proved('clearing equals the operator\'s account; both journals prove themselves, and hold no key');
});

await story('the secret key comes from a file', async (scene) => {
    const file = scene.path('paystack.key');
    writeFileSync(file, `${KEY}\n`, { mode: 0o600 });
    const server = await both(scene, ['--paystack-key-file', file]);
    const accounts = async () => (await server.gateway.ok('GET', '/v1/providers')).data
        .filter((one) => one.kind === 'paystack');
    const [account] = await accounts();
    await server.operator.simOk('PUT', `/organisations/${SHOP}/paystack`,
                                { secret_key: KEY, webhook_url: account.webhook_url });
    await server.operator.simOk('PUT', '/rules', { rules: [
        { name: 'pays', match: { api: 'paystack_charge' }, then: { prompt: { act: 'approve' } } }] });
    const made = await server.gateway.paying({ method: 'paystack', email: 'a@b.c', order_id: 'FILE' });
    await server.gateway.become(made.id, 'succeeded');
    // What Paystack kept of a payment is booked with it, once.
    await server.operator.simOk('PUT', '/rules', { rules: [] });
    const charged = await server.gateway.paying({ method: 'paystack', email: 'a@b.c', amount: 10000,
                                                  order_id: 'FEE', phone: '254711200099' });
    await server.gateway.become(charged.id, 'pending');
    const whole = { event: 'charge.success', data: {
        id: 5, status: 'success', reference: charged.checkout_request_id, amount: 10000, fees: 150,
        currency: 'KES', receipt_number: 'UA1FEE0001' } };
    const before = await server.gateway.balance('clearing_paystack');
    for (let i = 0; i < 2; i++) {
        equal((await sent(server, account, whole)).status, 200, 'a webhook with fees');
    }
    await server.gateway.become(charged.id, 'succeeded');
    equal([await server.gateway.balance('clearing_paystack') - before,
           await server.gateway.balance('fees')], [9850, -150], 'clearing and fees');
    proved('fees are booked with the success');

    // Less than was asked for, and a fee of it: what a person accepts is what lies there.
    const less = await server.gateway.paying({ method: 'paystack', email: 'a@b.c', amount: 10000,
                                               order_id: 'LESS', phone: '254711200098' });
    await server.gateway.become(less.id, 'pending');
    const part = { event: 'charge.success', data: {
        id: 6, status: 'success', reference: less.checkout_request_id, amount: 9000, fees: 135,
        currency: 'KES', receipt_number: 'UA1FEE0002' } };
    const lay = await server.gateway.balance('clearing_paystack');
    equal((await sent(server, account, part)).status, 200, 'a webhook of less');
    await server.gateway.become(less.id, 'mismatched');
    for (let i = 0; i < 2; i++) {
        const decided = await server.gateway.ok('POST', `/v1/payments/${less.id}/decide`, {
            decision: 'accept', amount: 9000, owner: 'Wanjiru', note: 'the customer agreed' });
        equal([decided.status, decided.paid_amount, decided.decision.owner, decided.decision.note],
              ['succeeded', 9000, 'Wanjiru', 'the customer agreed'], 'accepted');
    }
    equal([await server.gateway.balance('clearing_paystack') - lay,
           await server.gateway.balance('fees')], [8865, -285], 'clearing and fees, accepted');
    proved('fees are booked with what a person accepts');
    await server.restart();
    equal((await accounts()).map((one) => one.id), [account.id], 'opened once');
    chmodSync(file, 0o644);
    const refused = await Server.refused(scene, ['--book', 'both', '--paystack-key-file', file],
                                         { data: scene.path('other') });
    matches(refused.errors, /--paystack-key-file/, 'a file that others may read');
    check(!refused.errors.includes(KEY), 'the key is not repeated');
    proved('a key file opens the account, once; one that others may read is refused');
    await server.kill();
    const report = JSON.parse(execFileSync(HAKIKA, ['verify', server.data, '--json'], { encoding: 'utf8' }));
    check(report.merchant.ok, 'the journal proves itself');
});
