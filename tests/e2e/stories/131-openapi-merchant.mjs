// The merchant's OpenAPI document against the router and against the running gateway: the same
// routes, each called; each answer, also each refusal that it lists, with exactly the members of its
// schema. What cannot be provoked here is named below, and nothing else is let off.
import { createHmac } from 'node:crypto';
import { hold, operationsOf } from '../lib/document.mjs';
import { both, eventually, Gateway, prompt } from '../lib/gateway.mjs';
import { request } from '../lib/http.mjs';
import { Listener } from '../lib/listener.mjs';
import { Operator, password, PASSKEY, SHORT_CODE } from '../lib/operator.mjs';
import { routesOfRouter } from '../lib/routes.mjs';
import { check, equal, matches, proved, story, until } from '../lib/story.mjs';

const PHONE = 254711500001;
const SECRET = 'sk_test_0123456789abcdef';

// Only a journal that cannot keep up, or a full disk, brings these.
const OUT_OF_REACH = /^(?!GET \/readyz).* 503$|^GET \/readyz 503$/;

// A client whose every answer is held against the document.
function watched(document, seen, gateway) {
    const call = gateway.call.bind(gateway);
    gateway.call = async (method, path, body, headers) => {
        const answer = await call(method, path, body, headers);
        hold(document, seen, method, path, answer);
        return answer;
    };
    return gateway;
}

const key = (text) => ({ 'Idempotency-Key': text });

// What each operation refuses whoever asks, made from the document.
async function refusals(document, gateway, stranger) {
    for (const { method, pattern, operation } of operationsOf(document)) {
        if (!pattern.startsWith('/v1/')) continue;
        const path = pattern.replace(/\{[^}]+\}/g, 'nothing_1');
        const json = operation.requestBody?.content['application/json'];
        await stranger.call(method, path);
        if (operation.responses['404']) await gateway.call(method, path, json && {}, key('x'));
        if (json) {
            await gateway.call(method, path, '{', key('broken'));
            await gateway.call(method, path, '{}', { ...key('typed'), 'Content-Type': 'text/plain' });
            await gateway.call(method, path, {}, key('empty'));
        }
        const names = (operation.parameters ?? []).map((one) => one.name);
        if (names.includes('starting_after')) await gateway.call(method, `${path}?starting_after=1`);
        if (names.includes('limit')) await gateway.call(method, `${path}?limit=0`);
    }
}

async function payments({ gateway, operator }, shop) {
    const endpoint = (await gateway.call('POST', '/v1/webhook_endpoints', { url: shop.url })).json;
    await gateway.call('POST', '/v1/webhook_endpoints', { url: 'nowhere' });
    await gateway.call('POST', '/v1/webhook_endpoints', { url: shop.url, events: ['payment.created'] });
    await gateway.call('POST', `/v1/webhook_endpoints/${endpoint.id}/rotate`);
    await gateway.call('GET', '/v1/webhook_endpoints');
    const fields = { order_id: 'INV-1', phone: String(PHONE), capture: 'escrow', amount: 20000 };
    const made = await gateway.paying(fields);
    await gateway.pay(fields);
    await gateway.pay({ ...fields, amount: 1 });
    await gateway.pay(fields, 'another');
    await gateway.call('POST', '/v1/payments', {});
    await gateway.call('GET', `/v1/payments/${made.id}?wait=99`);
    await gateway.call('POST', `/v1/payments/${made.id}/resolve`);
    await gateway.call('POST', `/v1/payments/${made.id}/release`);
    await gateway.call('POST', `/v1/payments/${made.id}/refund`);
    await gateway.call('POST', `/v1/payments/${made.id}/refund`, undefined, key('early'));
    await gateway.become(made.id, 'pending');
    await operator.approved(await prompt(operator, PHONE));
    await gateway.become(made.id, 'succeeded');
    await gateway.call('GET', '/v1/accounts/escrow');
    await gateway.call('POST', `/v1/payments/${made.id}/release`);
    await gateway.timeline(made.id);
    await gateway.call('GET', '/v1/payments?order_id=INV-1');
    for (const account of ['wallet', 'fees', 'suspense', 'clearing_174379']) {
        await gateway.call('GET', `/v1/accounts/${account}`);
    }
    const [event] = (await gateway.call('GET', '/v1/events?after_seq=0')).json.data;
    await gateway.call('GET', `/v1/events/${event.id}`);
    await gateway.call('GET', '/v1/notices');
    await shop.find(() => true, 'the first webhook');
    await until(async () => (await gateway.call('POST', `/v1/events/${event.id}/replay`)).status === 202,
                'the event is sent again');
    return { made, endpoint, event };
}

async function bought({ gateway, operator }, order_id, amount) {
    const made = await gateway.paying({ order_id, amount, phone: String(PHONE) });
    await gateway.become(made.id, 'pending');
    await operator.approved(await prompt(operator, PHONE));
    return gateway.become(made.id, 'succeeded');
}

async function moneyOut({ gateway, operator }, made) {
    const payout = { amount: 5000, phone: String(PHONE), reference: 'SALARY-1' };
    await gateway.call('POST', '/v1/payouts', payout);
    await gateway.call('POST', '/v1/payouts', { ...payout, amount: 1 }, key('p-0'));
    await gateway.call('POST', '/v1/payouts', { ...payout, amount: 90_000_000 }, key('p-1'));
    const out = (await gateway.call('POST', '/v1/payouts', payout, key('p-2'))).json;
    await gateway.call('POST', '/v1/payouts', { ...payout, amount: 100 }, key('p-2'));
    await gateway.call('GET', `/v1/payouts/${out.id}?wait=99`);
    await eventually(operator, async () =>
        (await gateway.call('GET', `/v1/payouts/${out.id}`)).json.status === 'succeeded', 'paid out');
    await gateway.call('GET', `/v1/payouts/${out.id}/timeline`);
    await gateway.call('GET', '/v1/payouts');
    await gateway.call('POST', `/v1/payments/${made.id}/refund`, undefined, key('r-1')); // too little
    const second = await bought({ gateway, operator }, 'INV-2', 15000);
    const refund = (await gateway.call('POST', '/v1/refunds', { payment: second.id }, key('r-2'))).json;
    await gateway.call('POST', '/v1/refunds', { payment: second.id }, key('r-3'));
    await gateway.call('POST', '/v1/refunds', { payment: 'pay_999' }, key('r-4'));
    await gateway.call('POST', '/v1/refunds', { payment: second.id });
    await gateway.call('POST', `/v1/payments/${made.id}/refund`, undefined, key('r-2'));
    await gateway.call('GET', `/v1/refunds/${refund.id}?wait=99`);
    await eventually(operator, async () =>
        (await gateway.call('GET', `/v1/refunds/${refund.id}`)).json.status === 'succeeded', 'given back');
    await gateway.call('GET', `/v1/refunds/${refund.id}/timeline`);
    await gateway.call('GET', '/v1/refunds');
    const third = await bought({ gateway, operator }, 'INV-3', 15000);
    const back = await gateway.call('POST', `/v1/payments/${third.id}/refund`, undefined, key('r-5'));
    equal(back.status, 201, 'a refund by the payment\'s own path');
}

// Asked twice at once, until the second finds the first under way.
const refusedOnce = (ask) => until(async () => {
    const answers = await Promise.all([ask(), ask(), ask()]);
    return answers.some((one) => one.status === 409);
}, 'one of them is refused');

// A customer pays by paybill, for no order that is known; and the provider's books.
async function arrivals({ gateway, operator }) {
    await gateway.call('POST', '/v1/providers/prov_1/c2b', { accept: 'x' });
    await refusedOnce(() => gateway.call('POST', '/v1/providers/prov_1/c2b', {}));
    await eventually(operator, async () => (await gateway.call('GET', '/v1/providers')).json.data[0]
        .c2b.status === 'registered', 'the URLs are registered');
    const headers = await operator.bearer();
    await operator.call('POST', '/mpesa/c2b/v2/simulate', { headers, body: {
        ShortCode: SHORT_CODE, CommandID: 'CustomerPayBillOnline', Amount: 70, Msisdn: PHONE,
        BillRefNumber: 'WHO' } });
    const receipt = await eventually(operator, async () =>
        (await gateway.call('GET', '/v1/receipts')).json.data[0], 'a receipt');
    await gateway.call('GET', `/v1/receipts/${receipt.id}`);
    const csv = { 'Content-Type': 'text/csv' };
    await gateway.call('POST', '/v1/statements', 'nothing', csv);
    await gateway.call('POST', '/v1/statements', [`Short Code: ${SHORT_CODE}`,
        'Receipt No.,Completion Time,Initiation Time,Details,Transaction Status,Paid In,Withdrawn,' +
        'Balance,Balance Confirmed,Reason Type,Other Party Info,Linked Transaction ID,A/C No.',
        'TK60708BHZ,01-01-2026 00:00:01,01-01-2026 00:00:01,Pay Bill from customer,Completed,70.00,,' +
        '570.00,,Pay Bill Online,254711500009 - CUSTOMER,,WHO-ELSE', 'bad,row', ''].join('\n'), csv);
    await gateway.call('POST', '/v1/statements', 'x'.repeat(70_000), csv);
    const [discrepancy] = (await gateway.call('GET', '/v1/discrepancies')).json.data;
    const resolve = `/v1/discrepancies/${discrepancy.id}/resolve`;
    await gateway.call('POST', resolve, { owner: 'Amina' });
    await gateway.call('POST', resolve, { reason: 'explained', note: 'she called' });
    await gateway.call('POST', resolve, { reason: 'explained', note: 'she called' });
    const assign = `/v1/receipts/${receipt.id}/assign`;
    await gateway.call('POST', assign, {});
    await gateway.call('POST', assign, '{');
    await gateway.call('POST', assign, '{}', { 'Content-Type': 'text/plain' });
    await gateway.call('POST', '/v1/discrepancies/dis_999/resolve', { owner: 'Amina' });
    await gateway.call('POST', '/v1/pull', { hours: 49 });
    await gateway.call('POST', assign, { order_id: 'INV-9' });
    await gateway.call('POST', assign, { order_id: 'INV-8' });
    await refusedOnce(() => gateway.call('POST', '/v1/pull', {}));
    const numbers = () => gateway.call('POST', '/v1/pull/register', { phone: '0722000000' });
    await eventually(operator, async () => (await numbers()).status === 202, 'the number is told');
    await gateway.call('POST', '/v1/reconciliations/run');
    await gateway.call('GET', '/v1/reconciliations/rec_20260101');
}

// Accounts, keys, Paystack and what comes from providers.
async function accounts({ gateway, operator }, stranger) {
    await gateway.call('POST', '/v1/providers', { short_code: 600000 });
    await gateway.call('POST', '/v1/providers', { short_code: 600000 });
    await gateway.call('POST', '/v1/providers', { short_code: 1 });
    await gateway.call('POST', '/v1/providers/prov_9', { when_unavailable: 'queue' });
    await gateway.call('POST', '/v1/providers/prov_1', { when_unavailable: 'never' });
    await gateway.call('POST', '/v1/providers/prov_1', { when_unavailable: 'queue' });
    const paystack = (await gateway.call('POST', '/v1/providers',
                                         { kind: 'paystack', secret_key: SECRET })).json;
    await gateway.call('GET', '/v1/accounts/clearing_paystack');
    await operator.simOk('PUT', `/organisations/${SHORT_CODE}/paystack`,
                         { secret_key: SECRET, webhook_url: paystack.webhook_url });
    const charged = await gateway.paying({ method: 'paystack', email: 'a@b.c', amount: 12345,
                                           phone: String(PHONE + 1), order_id: 'CARD-1' });
    await gateway.become(charged.id, 'pending');
    const { key: another } = (await gateway.call('POST', '/v1/api_keys', { merchant: 'Another' })).json;
    stranger.key = another;
    await stranger.call('POST', '/v1/api_keys', { merchant: 'A third' });
    await stranger.call('POST', '/v1/payments', { amount: 100, phone: String(PHONE), order_id: 'X' },
                        key('nothing is configured'));
    // Callbacks: unsigned, signed, on no URL, too long, plain.
    const webhook = new URL(paystack.webhook_url).pathname;
    const text = JSON.stringify({ event: 'charge.success', data: { id: 7, status: 'success',
        reference: 'hk-none', amount: 1, currency: 'KES' } });
    const signature = createHmac('sha512', SECRET).update(text).digest('hex');
    await gateway.call('POST', webhook, text);
    await gateway.call('POST', webhook, text, { 'x-paystack-signature': signature });
    await gateway.call('POST', webhook.replace('/webhook', ''), text);
    const [daraja] = (await gateway.call('GET', '/v1/providers')).json.data;
    const plain = new URL(daraja.callback_url).pathname;
    for (const path of [plain, `${plain}/stk`, `${plain}/validation`, `${plain}/payout_timeout`]) {
        await gateway.call('POST', path, '{"not":"known"}');
        await gateway.call('POST', path, 'x'.repeat(9000));
        await gateway.call('POST', path.replace(/[0-9a-f]{32}/, '0'.repeat(32)), '{}');
    }
}

// Money that is not as we asked, and a person who decides.
async function mismatch({ gateway, operator }) {
    const made = await gateway.paying({ order_id: 'ODD', phone: String(PHONE + 5) });
    await gateway.become(made.id, 'pending');
    const checkout = await prompt(operator, PHONE + 5);
    const push = await operator.transaction(checkout);
    await gateway.call('POST', new URL(push.callback_url).pathname, { Body: { stkCallback: {
        MerchantRequestID: 'x', CheckoutRequestID: checkout, ResultCode: 0, ResultDesc: 'Done.',
        CallbackMetadata: { Item: [{ Name: 'Amount', Value: 7 },
                                   { Name: 'MpesaReceiptNumber', Value: 'UA1ODD0000' },
                                   { Name: 'PhoneNumber', Value: PHONE + 5 }] } } } });
    await gateway.become(made.id, 'mismatched');
    const path = `/v1/payments/${made.id}/decide`;
    const decision = { decision: 'reject', owner: 'Amina', note: 'nothing came' };
    for (const body of ['{', {}, decision, { ...decision, decision: 'accept', amount: 700 }]) {
        await gateway.call('POST', path, body);
    }
    await gateway.call('POST', path, '{}', { 'Content-Type': 'text/plain' });
}

// What nobody could find out, of money that leaves.
async function unknown({ gateway, operator }) {
    const sold = await bought({ gateway, operator }, 'INV-LOST', 10000);
    await operator.simOk('PUT', '/rules', { rules: ['b2c', 'reversal', 'status'].map((api) => (
        { name: api, match: { api }, then: { answer: { connection: 'half_body' }, callback: { never: true } } })) });
    const out = await gateway.call('POST', '/v1/payouts', { amount: 100, phone: String(PHONE),
                                                            reference: 'LOST' }, key('lost-1'));
    const back = await gateway.call('POST', `/v1/payments/${sold.id}/refund`, undefined, key('lost-2'));
    for (const [path, { amount }, receipt] of [[`/v1/payouts/${out.json.id}`, out.json, 'UA1LOST001'],
                                               [`/v1/refunds/${back.json.id}`, back.json, 'UA1LOST002']]) {
        await until(async () => (await gateway.call('GET', path)).json.status === 'unconfirmed', 'unconfirmed');
        const decision = { decision: 'reject', owner: 'Amina', note: 'seen in the portal' };
        for (const body of ['{', {}, decision, { ...decision, decision: 'accept', amount, receipt }]) {
            await gateway.call('POST', `${path}/decide`, body);
        }
        await gateway.call('POST', `${path}/decide`, '{}', { 'Content-Type': 'text/plain' });
    }
    await operator.simOk('PUT', '/rules', { rules: [] });
}

async function callbackUrls({ gateway }) {
    for (const what of ['rotate', 'rotate', 'retire', 'retire']) {
        await gateway.call('POST', `/v1/providers/prov_1/${what}_callbacks`);
    }
}

async function deadLetters({ gateway, operator }, shop, endpoint) {
    shop.behave = () => ({ status: 500 });
    await gateway.paying({ order_id: 'DEAD', phone: String(PHONE + 2) });
    await until(() => shop.received.length > 0, 'a first try');
    const dead = await eventually(operator, async () => {
        await operator.advance(24 * 3600_000);
        return (await gateway.call('GET', '/v1/dead_letters')).json.data[0];
    }, 'a dead letter');
    await gateway.call('POST', `/v1/dead_letters/${dead.id}/retry`);
    await gateway.call('POST', `/v1/dead_letters/${dead.id}/retry`);
    await gateway.call('DELETE', `/v1/webhook_endpoints/${endpoint.id}`);
    const all = (await gateway.call('GET', '/v1/webhook_endpoints')).json.data;
    for (const one of all) await gateway.call('DELETE', `/v1/webhook_endpoints/${one.id}`);
    const [event] = (await gateway.call('GET', '/v1/events')).json.data;
    await gateway.call('POST', `/v1/events/${event.id}/replay`);
    for (let i = all.length; i < 17; i++) { // more than a merchant may have
        await gateway.call('POST', '/v1/webhook_endpoints', { url: shop.url });
    }
}

// Without an API key: the payer's page, Daraja's paths, what tells how the program is.
async function open(server, seen, document) {
    const { gateway } = server;
    const base = gateway.base;
    const ask = async (method, path, options) => {
        const answer = await request(base, method, path, options);
        hold(document, seen, method, path, answer);
        return answer;
    };
    const [{ id }] = (await gateway.call('GET', '/v1/payments')).json.data;
    const page = new URL((await gateway.payment(id)).checkout_url).pathname;
    for (const path of [page, `${page}/state`]) {
        await ask('GET', path);
        await ask('GET', path.replace(/[0-9a-f]{32}/, '0'.repeat(32)));
    }
    for (const path of ['/pay/checkout.js', '/pay/checkout.css', '/', '/healthz', '/readyz',
                        '/metrics', '/openapi.json']) {
        await ask('GET', path);
    }
    for (const path of ['/console.js', '/console.css']) {
        const headers = { 'Accept-Encoding': 'gzip' };
        const { headers: given } = await ask('GET', path, { headers });
        await ask('GET', path, { headers: { ...headers, 'If-None-Match': given.etag ?? '' } });
        await ask('GET', path);
    }
    await ask('POST', '/sink', { body: {} });
    const sold = await bought(server, 'INV-4', 1000);
    await daraja(ask, sold.receipt);
}

async function daraja(ask, receipt) {
    const oauth = '/oauth/v1/generate?grant_type=client_credentials';
    const basic = (text) => ({ headers: { Authorization: `Basic ${btoa(text)}` } });
    const token = (await ask('GET', oauth, basic('key:secret'))).json.access_token;
    await ask('GET', oauth, basic('invalid:secret'));
    await ask('GET', '/oauth/v1/generate', basic('key:secret'));
    const headers = { Authorization: `Bearer ${token}` };
    const body = new Operator('http://127.0.0.1').pushBody({ PhoneNumber: PHONE + 3 });
    const push = '/mpesa/stkpush/v1/processrequest';
    const { CheckoutRequestID } = (await ask('POST', push, { headers, body })).json;
    await ask('POST', push, { headers, body: { ...body, Password: 'x' } });
    const query = { BusinessShortCode: SHORT_CODE, Timestamp: '20260101120000',
                    Password: password(SHORT_CODE, '20260101120000', PASSKEY), CheckoutRequestID };
    const path = '/mpesa/stkpushquery/v1/query';
    await ask('POST', path, { headers, body: query });
    await ask('POST', path, { headers, body: { ...query, Password: 'x' } });
    for (const version of ['v1', 'v2']) {
        const one = `/mpesa/c2b/${version}/registerurl`;
        const url = 'http://127.0.0.1:9/c2b';
        const register = { ShortCode: SHORT_CODE, ResponseType: 'Completed', ConfirmationURL: url,
                           ValidationURL: url };
        equal((await ask('POST', one, { headers, body: register })).status, 200, one);
        await ask('POST', one, { headers, body: { ...register, ShortCode: 600001 } });
        await ask('POST', one, { headers: { Authorization: 'Bearer no' }, body: register });
    }
    const payout = { OriginatorConversationID: 'wage-1', InitiatorName: 'testapi', Initiator: 'testapi',
                     SecurityCredential: 'AAAA', Amount: 10, PartyA: SHORT_CODE, PartyB: PHONE,
                     ReceiverParty: SHORT_CODE, RecieverIdentifierType: '11', Remarks: 'wages',
                     QueueTimeOutURL: 'http://127.0.0.1:9/late', ResultURL: 'http://127.0.0.1:9/result' };
    const asked = [];
    for (const [one, CommandID, fields] of [
        ['/mpesa/b2c/v1/paymentrequest', 'BusinessPayment'],
        ['/mpesa/b2c/v3/paymentrequest', 'BusinessPayment'],
        ['/mpesa/reversal/v1/request', 'TransactionReversal', { TransactionID: receipt, Amount: 10 }],
    ]) {
        asked.push(one);
        const whole = { ...payout, CommandID, ...fields };
        equal((await ask('POST', one, { headers, body: whole })).status, 200, `${one} is accepted`);
        await ask('POST', one, { headers, body: { ...whole, Initiator: 'x', InitiatorName: 'x' } });
        await ask('POST', one, { body: whole });
    }
    for (const one of [push, path, ...asked]) {
        await ask('POST', one, { headers, body: {} });
        await ask('POST', one, { body: {}, headers: { Authorization: 'Bearer no' } });
    }
}

function wellFormed(document) {
    const ids = operationsOf(document).map((one) => one.operation.operationId);
    equal(ids.length, new Set(ids).size, 'each operation has an id of its own');
    for (const { name, pattern, operation } of operationsOf(document)) {
        check(operation.summary && operation.tags?.length === 1, `${name}: summary and tag`);
        const wanted = [...pattern.matchAll(/\{(\w+)\}/g)].map(([, one]) => one).sort();
        const given = (operation.parameters ?? []).filter((one) => one.in === 'path')
            .map((one) => one.name).sort();
        equal(given, wanted, `${name}: parameters of its path`);
    }
    for (const [, name] of JSON.stringify(document).matchAll(/"#\/components\/schemas\/(\w+)"/g)) {
        check(document.components.schemas[name], `the document has no schema ${name}`);
    }
}

await story('the document has the routes of the router', async (scene) => {
    const { gateway } = await both(scene);
    const document = (await gateway.call('GET', '/openapi.json')).json;
    wellFormed(document);
    const documented = operationsOf(document).map((one) => one.name.replace(/\{[^}]+\}/g, '{}'));
    const routes = routesOfRouter();
    equal(routes.filter((one) => !documented.includes(one)), [], 'routes that no document has');
    equal(documented.filter((one) => !routes.includes(one)), [], 'documented, and no route');
    proved(`${documented.length} routes, and no other`);
});

await story('every answer of the gateway fits the document', async (scene) => {
    const server = await both(scene);
    const shop = await Listener.open(scene);
    const document = (await server.gateway.call('GET', '/openapi.json')).json;
    const seen = new Set();
    const stranger = watched(document, seen, new Gateway(server.ready.merchant, 'sk_wrong'));
    scene.atEnd(() => stranger.hangUp());
    watched(document, seen, server.gateway);
    await refusals(document, server.gateway, stranger);
    const { made, endpoint } = await payments(server, shop);
    await moneyOut(server, made);
    await arrivals(server);
    await accounts(server, stranger);
    await open(server, seen, document);
    await mismatch(server);
    await unknown(server);
    await callbackUrls(server);
    await deadLetters(server, shop, endpoint);
    equal((await server.gateway.call('GET', '/v1/shadow')).json.data, [], 'no shadow mode');

    // Shadow mode, and callbacks from listed networks only.
    const shadow = await both(scene, ['--ephemeral', '--shadow-of', 'operator',
                                      '--callback-from', '127.0.0.9']);
    watched(document, seen, shadow.gateway);
    await new Operator(shadow.ready.merchant).authorize();
    await until(async () => (await shadow.gateway.call('GET', '/v1/shadow')).json.data.length > 0,
                'a call was seen');
    for (const door of ['', '/stk']) {
        await shadow.gateway.call('POST', `/callbacks/${'0'.repeat(32)}${door}`, {});
    }
    const missing = operationsOf(document).flatMap(({ name, operation }) =>
        Object.keys(operation.responses).map((status) => `${name} ${status}`))
        .filter((one) => !seen.has(one) && !OUT_OF_REACH.test(one))
        .filter((one) => !/console\.(js|css) (404|2|304|406)/.test(one));
    equal(missing, [], 'answers of the document that were never seen');
    matches([...seen].join('\n'), /GET \/v1\/shadow 200/, 'of shadow mode, too');
    proved(`${seen.size} kinds of answers fit, ${operationsOf(document).length} operations among them`);
});
