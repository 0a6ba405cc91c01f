// Whom the gateway calls (no private address outside dev: by address, by redirect, by name) and from
// where it takes callbacks (R6.10).
import { both, KEY, prompt } from '../lib/gateway.mjs';
import { request } from '../lib/http.mjs';
import { Listener } from '../lib/listener.mjs';
import { Server } from '../lib/server.mjs';
import { check, equal, matches, proved, story, until } from '../lib/story.mjs';

const PHONE = 254711300001; // approves by hand in every profile
const SANDBOX = ['--profile', 'sandbox'];

const endpoint = (gateway, url) => gateway.call('POST', '/v1/webhook_endpoints', { url });

async function pays(server, order_id) {
    const made = await server.gateway.paying({ order_id, phone: String(PHONE) });
    await server.gateway.become(made.id, 'pending');
    await server.operator.approved(await prompt(server.operator, PHONE));
    return server.gateway.become(made.id, 'succeeded');
}

await story('outside dev no private address is called', async (scene) => {
    const shop = await Listener.open(scene);
    const server = await both(scene);
    equal((await endpoint(server.gateway, shop.url)).status, 201, 'in dev, a shop on this machine');
    await pays(server, 'DEV');
    await shop.find((one) => one.json.type === 'payment.succeeded', 'its webhook');
    const heard = shop.received.length;

    // The same data under the sandbox profile: what was registered before is not called, either.
    await server.restart(['--book', 'both', '--clock', 'virtual', ...SANDBOX, '--merchant-port',
                          new URL(server.ready.merchant).port]);
    for (const url of [shop.url, shop.url.replace('127.0.0.1', '[::1]'), 'http://10.0.0.1/',
                       'http://169.254.169.254/latest/', 'http://192.168.1.1/', 'http://2130706433/',
                       shop.url.replace('127.0.0.1', 'localhost'), 'http://shop.localhost/',
                       'http://[::ffff:127.0.0.1]/']) {
        const refused = await endpoint(server.gateway, url);
        equal([refused.status, refused.json.code], [422, 'invalid_url'], `a webhook to ${url}`);
    }
    const provider = await server.gateway.call('POST', '/v1/providers', {
        kind: 'paystack', secret_key: 'sk_test_0123456789', base_url: shop.url });
    equal([provider.status, provider.json.code], [422, 'invalid_base_url'], 'a provider');
    equal((await endpoint(server.gateway, 'https://shop.example.com/hooks')).status, 201, 'a public one');
    proved('private addresses and names are refused when they are registered');

    const paid = await pays(server, 'SANDBOX');
    check(paid.receipt, 'the operator next door is reached all the same');
    const dead = await until(async () => {
        await server.operator.advance(3600 * 1000 * 24);
        const list = (await server.gateway.ok('GET', '/v1/dead_letters')).data;
        return list.find((one) => one.url === shop.url);
    }, 'the webhook to a private address is given up', 20);
    equal([dead.last_status, dead.last_error], [null, 'address not allowed as a target'], 'why');
    equal(shop.received.length, heard, 'the shop was not called');
    proved('what resolves to a private address is not connected to, but for the book next door');

    await server.restart(['--book', 'both', '--clock', 'virtual', ...SANDBOX,
                          '--allow-private-targets', '--merchant-port',
                          new URL(server.ready.merchant).port]);
    await pays(server, 'ALLOWED');
    await shop.find((one) => one.json.type === 'payment.succeeded' &&
                             one.json.data.order_id === 'ALLOWED', 'a webhook again');
    const strict = await Server.refused(scene, ['--book', 'both', '--profile', 'daraja-strict',
                                                '--allow-private-targets'],
                                        { data: scene.path('other') });
    matches(strict.errors, /--allow-private-targets/, 'not in strict profiles');
    proved('the sandbox may be told to allow them');
});

await story('a redirect is not followed', async (scene) => {
    const inside = await Listener.open(scene);
    const shop = await Listener.open(scene);
    shop.behave = () => ({ status: 302, headers: { Location: inside.url } });
    const server = await both(scene);
    equal((await endpoint(server.gateway, shop.url)).status, 201, 'registered');
    await server.gateway.paying({ order_id: 'MOVED', phone: String(PHONE) });
    await shop.find(() => true, 'the first try');
    await server.operator.advance(3600 * 1000);
    await until(() => shop.received.length > 1, 'it is tried again, as a failure is');
    equal(inside.received.length, 0, 'nobody followed the redirect');
    proved('a redirect is a failed delivery, wherever it points');
});

await story('much money needs the provider\'s own word', async (scene) => {
    const server = await both(scene, ['--confirm-from', '15000']);
    const { gateway, operator } = server;
    const begin = async (order_id, amount) => {
        const made = await gateway.paying({ order_id, amount, phone: String(PHONE) });
        return gateway.become(made.id, 'pending');
    };
    const told = async (id) => (await gateway.timeline(id)).filter((one) => one.notice)
        .map((one) => [one.notice.source, one.notice.status]);
    const little = await begin('LITTLE', 14900);
    await operator.approved(little.checkout_request_id);
    equal((await gateway.become(little.id, 'succeeded')).source, 'callback', 'below it counts');

    // Forged: everything right but that nobody paid. Whoever has a payment's URL has them all.
    const forge = async (payment, door, body) => {
        const { callback_url } = await operator.transaction(payment.checkout_request_id);
        const path = new URL(callback_url).pathname.replace(/[^/]*$/, door);
        const answer = await request(server.ready.merchant, 'POST', path, { body });
        equal(answer.status, 200, `what was forged at ${door} is taken`);
    };
    const lie = (payment) => forge(payment, 'stk', { Body: { stkCallback: {
        MerchantRequestID: payment.merchant_request_id,
        CheckoutRequestID: payment.checkout_request_id, ResultCode: 0, ResultDesc: 'Done.',
        CallbackMetadata: { Item: [{ Name: 'Amount', Value: 150 },
                                   { Name: 'MpesaReceiptNumber', Value: 'UA1FORGED0' },
                                   { Name: 'PhoneNumber', Value: PHONE }] } } } });
    const much = await begin('MUCH', 15000);
    await lie(much);
    await until(async () => (await told(much.id)).length === 2, 'the provider is asked');
    equal(await told(much.id), [['callback', 'to_be_confirmed'], ['query', 'in_flight']],
          'and knows of no money');
    equal((await gateway.payment(much.id)).status, 'pending', 'no success');
    await forge(much, 'status', { Result: {
        ResultType: 0, ResultCode: 0, ResultDesc: 'Done.', OriginatorConversationID: 'x',
        ConversationID: 'y', TransactionID: '0000000000',
        ResultParameters: { ResultParameter: [
            { Key: 'DebitPartyName', Value: `${PHONE} - Nobody` },
            { Key: 'CreditPartyName', Value: '174379 - Us' },
            { Key: 'ConversationID', Value: much.checkout_request_id },
            { Key: 'TransactionStatus', Value: 'Completed' }, { Key: 'Amount', Value: 150 },
            { Key: 'ReceiptNo', Value: 'UA1FORGED1' }] } } });
    await forge(much, 'confirmation', {
        TransactionType: 'Pay Bill', TransID: 'UA1FORGED2', TransTime: '20260131100000',
        TransAmount: '150.00', BusinessShortCode: '174379', BillRefNumber: 'MUCH',
        InvoiceNumber: '', OrgAccountBalance: '', ThirdPartyTransID: '', MSISDN: String(PHONE),
        FirstName: 'No', MiddleName: '', LastName: 'Body' });
    equal((await told(much.id)).filter(([source]) => source !== 'query'),
          [['callback', 'to_be_confirmed'], ['status', 'to_be_confirmed'],
           ['callback', 'to_be_confirmed']], 'at every door of the payment');
    equal((await gateway.payment(much.id)).status, 'pending', 'still no success');
    await operator.cancel(much.checkout_request_id);
    await gateway.become(much.id, 'cancelled');
    proved('a forged callback of much money moves nothing');

    const true_ = await begin('TRUE', 15000);
    await operator.approved(true_.checkout_request_id);
    const paid = await gateway.become(true_.id, 'succeeded');
    equal([paid.source, paid.receipt],
          ['query', (await operator.transaction(true_.checkout_request_id)).receipt],
          'asked, and with the receipt of the callback');
    equal(await told(true_.id), [['callback', 'to_be_confirmed'], ['query', 'applied']], 'so');
    // "Reversed" is two claims, and both are heard. Of much money nobody believes it unsigned.
    const reversed = (payment, amount, receipt) => forge(payment, 'status', { Result: {
        ResultType: 0, ResultCode: 0, ResultDesc: 'Done.', OriginatorConversationID: 'x',
        ConversationID: 'y', TransactionID: '0000000000',
        ResultParameters: { ResultParameter: [
            { Key: 'DebitPartyName', Value: `${PHONE} - Nobody` },
            { Key: 'CreditPartyName', Value: '174379 - Us' },
            { Key: 'TransactionStatus', Value: 'Reversed' }, { Key: 'Amount', Value: amount },
            { Key: 'ReceiptNo', Value: receipt }] } } });
    await reversed(true_, 150, paid.receipt);
    equal((await told(true_.id)).slice(-2), [['status', 'confirms'], ['status', 'contradicts']],
          'much money');
    equal((await gateway.payment(true_.id)).status, 'succeeded', 'nothing moved');
    const odd = (await gateway.ok('GET', '/v1/discrepancies')).data[0];
    equal([odd.kind, odd.payment, odd.reference], ['unlinked_reversal', true_.id, paid.receipt],
          'a person gets it to see');
    await reversed(little, 149, (await gateway.payment(little.id)).receipt);
    equal((await told(little.id)).slice(-2), [['status', 'confirms'], ['status', 'applied']],
          'little money');
    equal((await gateway.payment(little.id)).status, 'reversed', 'it went back');
    equal(await gateway.balance('wallet'), 15000, 'and is booked');
    proved('"reversed" is heard as both claims, and of much money not believed unsigned');

    const day = await gateway.ok('POST', '/v1/reconciliations/run');
    equal([day.accounts[0].repaired, day.accounts[0].late_callbacks], [0, 1], 'it is no repair');
    proved('a true one counts as soon as the provider says the same');

    // Beside a forged one: the money is the payment's, under the number that is true.
    const both_ = await begin('BESIDE', 15000);
    await lie(both_);
    await until(async () => (await told(both_.id)).length === 2, 'the provider is asked, too early');
    await operator.approved(both_.checkout_request_id);
    await gateway.become(both_.id, 'succeeded');
    const { receipt } = await operator.transaction(both_.checkout_request_id);
    const known = await until(async () => {
        const payment = await gateway.payment(both_.id);
        return payment.receipt && payment;
    }, 'the receipt is asked for');
    equal(known.receipt, receipt, 'the true one');
    proved('a forged receipt number beside the true one is not believed');
});

await story('callbacks come from listed networks only', async (scene) => {
    const server = await both(scene, ['--callback-from', '196.201.214.0/24,127.0.0.9',
                                      '--trusted-proxies', '127.0.0.1']);
    const { gateway } = server;
    const made = await gateway.paying({ order_id: 'SOURCE', phone: String(PHONE) });
    const pending = await gateway.become(made.id, 'pending');
    const account = (await gateway.ok('GET', '/v1/providers')).data[0];
    const notices = async () => (await gateway.ok('GET', '/v1/notices')).data.length;
    const before = await notices();
    const body = JSON.stringify({ Body: { stkCallback: {
        MerchantRequestID: 'x', CheckoutRequestID: pending.checkout_request_id, ResultCode: 1032,
        ResultDesc: 'Request canceled by user.' } } });
    const send = (forwarded) => request(server.ready.merchant, 'POST',
        `${new URL(account.callback_url).pathname}/stk`,
        { body, headers: forwarded === undefined ? {} : { 'X-Forwarded-For': forwarded } });
    for (const [forwarded, what] of [
        [undefined, 'this machine itself'], ['41.90.1.1', 'a stranger behind the proxy'],
        ['196.201.214.200, 41.90.1.1', 'a stranger who names a provider'],
        ['196.201.214.200, nonsense', 'nonsense'], ['', 'nobody'],
        [['196.201.214.200', '41.90.1.1'], 'the same, when the proxy adds a line of its own'],
        [['196.201.214.200', ''], 'nobody, on the last line'],
    ]) {
        const answer = await send(forwarded);
        equal([answer.status, answer.json.code], [403, 'source_refused'], what);
    }
    equal(await notices(), before, 'no trace of any');
    await request(server.ready.merchant, 'POST', `/callbacks/${'0'.repeat(32)}/stk`,
                  { body, headers: { 'X-Forwarded-For': '196.201.214.200' } });
    const metrics = (await gateway.call('GET', '/metrics')).text;
    for (const [why, count] of [['source', 7], ['unknown_url', 1], ['signature', 0]]) {
        check(metrics.includes(`hakika_gateway_refused_total{reason="${why}"} ${count}\n`),
              `the metrics count ${why}: ${metrics.match(/.*refused_total.*/g)}`);
    }
    equal((await gateway.payment(made.id)).status, 'pending', 'nothing moved');
    equal((await send('41.90.1.1, 196.201.214.200')).status, 200, 'from a provider, by the proxy');
    await gateway.become(made.id, 'cancelled');
    const lines = ['41.90.1.1', '196.201.214.200', '127.0.0.1'];
    equal((await send(lines)).status, 200, 'on a line of its own, by two proxies');
    proved('a stranger\'s callback is refused without a trace; the proxy is believed about its peer');

    const bad = await Server.refused(scene, ['--book', 'both', '--callback-from', 'safaricom'],
                                     { data: scene.path('other') });
    matches(bad.errors, /--callback-from/, 'a list that is none is refused');
    check(KEY.length > 0, 'with the default key');
});
