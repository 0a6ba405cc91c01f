// Adoption without a rewrite (R6.12): Safaricom's own client, mpesa-node 0.1.3, is pointed at the
// merchant's port and pays through the gateway. Its callback comes Daraja-shaped to the URL that it
// gave, at least once, although the application fails twice and the gateway is killed meanwhile.
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { both, PHONE, prompt } from '../lib/gateway.mjs';
import { request } from '../lib/http.mjs';
import { Listener } from '../lib/listener.mjs';
import { PASSKEY, SHORT_CODE } from '../lib/operator.mjs';
import { HAKIKA } from '../lib/server.mjs';
import { check, equal, matches, proved, story, until } from '../lib/story.mjs';

const folder = fileURLToPath(new URL('../clients/mpesa-node/', import.meta.url));
const Mpesa = createRequire(folder)('mpesa-node');

function client(base, key = 'any key') {
    const mpesa = new Mpesa({ consumerKey: key, consumerSecret: 'any secret', environment: 'sandbox',
                              lipaNaMpesaShortCode: SHORT_CODE, lipaNaMpesaShortPass: PASSKEY });
    mpesa.baseURL = base;
    return mpesa;
}

// What a call of the client is refused with.
async function refusal(call) {
    const error = await call.then(() => undefined, (why) => why);
    check(error?.response, 'the call was not refused');
    return { status: error.response.status, ...error.response.data };
}

const items = (callback) => Object.fromEntries(
    callback.CallbackMetadata.Item.map((item) => [item.Name, item.Value]));

await story('mpesa-node pays through the gateway', async (scene) => {
    const server = await both(scene);
    const { gateway, operator } = server;
    const app = await Listener.open(scene);
    const mpesa = client(server.ready.merchant);

    const token = (await mpesa.oAuth()).data;
    matches(token.access_token, /^[A-Za-z0-9]{28}$/, 'access_token');
    equal(token.expires_in, '3599', 'expires_in');
    const push = (await mpesa.lipaNaMpesaOnline(PHONE, 250, app.url, 'INV-1')).data;
    const { CheckoutRequestID: id, MerchantRequestID: merchant } = push;
    equal(push, { MerchantRequestID: merchant, CheckoutRequestID: id, ResponseCode: '0',
                  ResponseDescription: 'Success. Request accepted for processing',
                  CustomerMessage: 'Success. Request accepted for processing' }, 'the push');
    matches(id, /^ws_CO_\d{14}\d{3,}708374149$/, 'CheckoutRequestID');
    const [payment] = (await gateway.ok('GET', '/v1/payments')).data;
    equal([payment.amount, payment.phone], [25000, PHONE], 'it is a payment like any other');
    await gateway.become(payment.id, 'pending');
    const query = (await mpesa.lipaNaMpesaQuery(id)).data;
    equal([query.ResultCode, query.CheckoutRequestID], ['4999', id], 'in flight');
    proved('OAuth, push and query are answered as by Daraja');

    // The application fails twice; in between the gateway is killed.
    app.behave = (_, count) => (count <= 2 ? { status: 500, body: 'down' } : undefined);
    const checkout = await prompt(operator);
    check(checkout !== id, 'the operator has an id of its own');
    const told = await operator.transaction(checkout);
    equal(told.account_reference, 'INV-1', 'the reference that the customer sees');
    await operator.approved(checkout);
    const paid = await gateway.become(payment.id, 'succeeded');
    await until(() => app.received.length === 1, 'a first attempt');
    await server.restart();
    for (let attempts = 1; attempts < 3; attempts = app.received.length) {
        await server.operator.advance(5000);
        await until(async () => {
            await server.operator.advance(1000);
            return app.received.length > attempts;
        }, 'another attempt');
    }
    equal(app.received.length, 3, 'attempts');
    equal(new Set(app.received.map((one) => one.text)).size, 1, 'the same message each time');
    const { Body: { stkCallback: callback } } = app.received[2].json;
    equal([callback.MerchantRequestID, callback.CheckoutRequestID, callback.ResultCode],
          [merchant, id, 0], 'the callback');
    const { Amount, MpesaReceiptNumber, PhoneNumber } = items(callback);
    equal([Amount, MpesaReceiptNumber, PhoneNumber], [250, paid.receipt, PHONE], 'its items');
    const after = (await client(server.ready.merchant).lipaNaMpesaQuery(id)).data;
    equal([after.ResultCode, after.ResultDesc],
          ['0', 'The service request is processed successfully.'], 'the query agrees');
    equal(await server.gateway.balance('wallet'), 25000, 'booked once');
    equal((await server.operator.transactions()).length, 1, 'one push');
    equal(await server.stop(), 0, 'a clean stop');
    execFileSync(HAKIKA, ['verify', server.data]);
    proved('the callback arrives although the application failed twice and the gateway was killed');
});

await story('ends that are no success, and who may not call', async (scene) => {
    const server = await both(scene);
    const { gateway, operator } = server;
    const app = await Listener.open(scene);
    const mpesa = client(server.ready.merchant);
    const pushed = async (reference) => {
        const { CheckoutRequestID: id } =
            (await mpesa.lipaNaMpesaOnline(PHONE, 100, app.url, reference)).data;
        const [made] = (await gateway.ok('GET', '/v1/payments')).data;
        return { id, payment: made.id };
    };
    const callback = (id) => until(() => app.received.map((one) => one.json.Body.stkCallback)
        .find((one) => one.CheckoutRequestID === id), `the callback of ${id}`);

    // Cancelled, and then the same reference again: with Daraja that is another payment.
    const first = await pushed('SAME');
    await gateway.become(first.payment, 'pending');
    await operator.cancel(await prompt(operator));
    const cancelled = await callback(first.id);
    equal([cancelled.ResultCode, cancelled.ResultDesc, 'CallbackMetadata' in cancelled],
          [1032, 'Request cancelled by user', false], 'cancelled');
    const second = await pushed('SAME');
    await gateway.become(second.payment, 'pending');
    await operator.approved(await prompt(operator));
    equal((await callback(second.id)).ResultCode, 0, 'paid');
    // The operator next door knows fingerprints (R1.4): surely refused, told as not sent.
    const repeated = await pushed('SAME');
    equal((await gateway.become(repeated.payment, 'failed')).result_code, '409.001.01', 'refused');
    equal((await callback(repeated.id)).ResultCode, 1025, 'a prompt that could not be sent');
    const third = await pushed('OTHER');
    await gateway.become(third.payment, 'pending');
    await operator.advance(60 * 1000);
    equal((await callback(third.id)).ResultCode, 1037, 'nobody answered');
    equal((await mpesa.lipaNaMpesaQuery(third.id)).data.ResultCode, '1037', 'the query agrees');
    proved('a cancelled and an unanswered prompt are told as Daraja tells them');

    // The provider's callback is lost: in flight as long as nobody knows, never failed.
    await operator.simOk('PUT', '/rules', { rules: [{
        name: 'lost', match: { api: 'stk_push' },
        then: { prompt: { act: 'approve', delay_ms: 5000 }, callback: { never: true } } }] });
    const lost = await pushed('LOST');
    await gateway.become(lost.payment, 'pending');
    await operator.advance(89 * 1000);
    equal((await mpesa.lipaNaMpesaQuery(lost.id)).data.ResultCode, '4999', 'not known yet');
    await operator.advance(2000);
    const found = await callback(lost.id);
    equal([found.ResultCode, items(found).Amount], [0, 100], 'found by query, and told');
    proved('a payment whose callback was lost is told to the application all the same');

    equal((await refusal(client(server.ready.merchant, 'invalid').oAuth())).status, 400, 'a wrong key');
    const stranger = client(server.ready.merchant);
    stranger.configs.lipaNaMpesaShortPass = 'another passkey';
    equal((await refusal(stranger.lipaNaMpesaOnline(PHONE, 1, app.url, 'X'))).errorCode,
          '500.001.1001', 'a wrong passkey');
    stranger.configs.lipaNaMpesaShortCode = 600000;
    equal((await refusal(stranger.lipaNaMpesaOnline(PHONE, 1, app.url, 'X'))).errorMessage,
          'Merchant does not exist', 'a short code that the gateway has no account for');
    equal((await refusal(mpesa.lipaNaMpesaQuery('ws_CO_010120260000000019708374149'))).status, 400,
          'an id that was not given');
    const { status, json } = await request(server.ready.merchant, 'POST',
                                           '/mpesa/qrcode/v1/generate', { body: {} });
    equal([status, json.errorMessage], [404, 'Resource not found'], 'what is not forwarded');
    equal((await gateway.ok('GET', '/v1/payments')).data.length, 5, 'no payment of those');

    // One app of Daraja with two short codes, and another one.
    for (const [short_code, consumer_key] of [[600801, 'one-app'], [600802, 'one-app'], [600803, 'another']]) {
        const account = { kind: 'daraja', short_code, consumer_key, consumer_secret: 'any secret', passkey: PASSKEY };
        equal((await gateway.call('POST', '/v1/providers', account)).status, 201, `account ${short_code}`);
    }
    const app1 = client(server.ready.merchant, 'one-app');
    for (const [short_code, taken] of [[600801, true], [600802, true], [600803, false]]) {
        app1.configs.lipaNaMpesaShortCode = short_code;
        const words = await app1.lipaNaMpesaOnline(PHONE, 1, app.url, `S${short_code}`)
            .then(({ data }) => data.ResponseCode, (why) => why.response.data.errorMessage);
        equal(words, taken ? '0' : 'Merchant does not exist', `a token of the app for ${short_code}`);
    }
    proved('a token is good for every short code of its app, and for no other');
    proved('wrong keys, passkeys and short codes are refused in Daraja\'s words');
});
