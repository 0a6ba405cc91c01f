// Two merchants on one gateway (OWASP API1). One has one of everything; the other knows all its ids
// and asks with a key of its own, on every route of the OpenAPI document: whatever names a thing of
// the first is "not found", nothing of the first is in any answer, and nothing of the first has
// changed afterwards. The calls are made from the document: a new route whose scope nobody thought
// of fails here, and so does one whose path or body names something that this story cannot fill in.
import { operationsOf } from '../lib/document.mjs';
import { both, eventually, Gateway, prompt } from '../lib/gateway.mjs';
import { request } from '../lib/http.mjs';
import { Listener } from '../lib/listener.mjs';
import { Operator, PASSKEY, password, SHORT_CODE } from '../lib/operator.mjs';
import { check, equal, proved, story, until } from '../lib/story.mjs';

const PHONE = 254711600001;
const THEIR_PHONE = 254711600099;
const THEIR_CODE = 600000;
const CSV = { 'Content-Type': 'text/csv' };

const statement = (code, receipt = 'TK60708BHZ') => [`Short Code:,${code}`,
    'Receipt No.,Completion Time,Initiation Time,Details,Transaction Status,Paid In,Withdrawn,' +
    'Balance,Balance Confirmed,Reason Type,Other Party Info,Linked Transaction ID,A/C No.',
    `${receipt},01-01-2026 00:00:01,01-01-2026 00:00:01,Pay Bill from customer,Completed,70.00,,` +
    `570.00,,Pay Bill Online,254711600009 - NYAMBURA,,NO-${receipt}`, ''].join('\n');

async function paid({ gateway, operator }, order_id) {
    const made = await gateway.paying({ order_id, amount: 123400, phone: String(PHONE) });
    await gateway.become(made.id, 'pending');
    await operator.approved(await prompt(operator, PHONE));
    return gateway.become(made.id, 'succeeded');
}

// One of everything; the ids by the collection of their path.
async function furnish(server, shop) {
    const { gateway, operator } = server;
    shop.behave = () => ({ status: 500 });
    const endpoint = await gateway.ok('POST', '/v1/webhook_endpoints', { url: shop.url }, 201);
    const first = await paid(server, 'ORDER-1ST');
    const second = await paid(server, 'ORDER-2ND');
    const payout = await gateway.ok('POST', '/v1/payouts',
        { amount: 7700, phone: String(PHONE), reference: 'SALARY-77' }, 201, { 'Idempotency-Key': 'p' });
    const refund = await gateway.ok('POST', `/v1/payments/${second.id}/refund`, undefined, 201,
                                    { 'Idempotency-Key': 'r' });
    await gateway.ok('POST', '/v1/statements', statement(SHORT_CODE), 200, CSV);
    const [receipt] = (await gateway.ok('GET', '/v1/receipts')).data;
    const [discrepancy] = (await gateway.ok('GET', '/v1/discrepancies')).data;
    const [provider] = (await gateway.ok('GET', '/v1/providers')).data;
    const letter = await eventually(operator, async () => {
        await operator.advance(24 * 3600_000);
        return (await gateway.ok('GET', '/v1/dead_letters')).data[0];
    }, 'a dead letter');
    const [event] = (await gateway.ok('GET', '/v1/events')).data;
    return { payments: first.id, payouts: payout.id, refunds: refund.id, receipts: receipt.id,
             discrepancies: discrepancy.id, providers: provider.id, dead_letters: letter.id,
             events: event.id, webhook_endpoints: endpoint.id, accounts: `clearing_${SHORT_CODE}`,
             reconciliations: 'rec_20260101' };
}

// What is everybody's: it names no single thing of a merchant.
const SHARED = new Set(['reconciliations']);

// A path of the document with the ids filled in.
function filled(pattern, ids) {
    const collection = pattern.split('/')[2];
    if (!pattern.includes('{')) return pattern;
    check(ids[collection], `${pattern}: this story has no id for it; give it one in furnish()`);
    return pattern.replace(/\{[^}]+\}/, ids[collection]);
}

// What every reading route of the document tells the first merchant.
async function everything(document, gateway, ids) {
    const told = {};
    for (const { name, method, pattern } of operationsOf(document)) {
        if (method !== 'GET' || !pattern.startsWith('/v1/')) continue;
        const answer = await gateway.call('GET', filled(pattern, ids));
        equal(answer.status, 200, `${name} by its owner: ${answer.text}`);
        const empty = answer.json.object === 'list' && answer.json.data.length === 0;
        check(!empty, `${name}: its owner has none, so that nothing is shown by it`);
        told[name] = answer.text;
    }
    return told;
}

// Once nothing is under way any more.
async function settled(document, gateway, ids) {
    let before;
    return until(async () => {
        const now = await everything(document, gateway, ids);
        const same = JSON.stringify(now) === JSON.stringify(before);
        before = now;
        return same && now;
    }, 'nothing moves any more');
}

const NAMES_NOBODY = new Set(['peer', 'headers', 'base_url', 'position', 'event', 'kind', 'type',
                              'object', 'seq', 'limit']);
const TIME = /^\d{4}-\d\d-\d\dT/;

// Values that belong to the first merchant alone: with a digit and some length, and no time.
function marks(told) {
    const found = new Set();
    const walk = (value, name) => {
        if (Array.isArray(value)) value.forEach((one) => walk(one, name));
        else if (value && typeof value === 'object') {
            Object.entries(value).forEach(([inside, one]) => walk(one, inside));
        } else if (!NAMES_NOBODY.has(name)) {
            const text = String(value);
            if (text.length >= 5 && /\d/.test(text) && !TIME.test(text)) found.add(text);
        }
    };
    for (const text of Object.values(told)) walk(JSON.parse(text), '');
    return [...found];
}

function marksIn(text, all) {
    return all.filter((mark) => {
        const at = text.indexOf(mark);
        const word = (c) => c !== undefined && /\w/.test(c);
        return at >= 0 && !word(text[at - 1]) && !word(text[at + mark.length]);
    });
}

// A body for each operation, naming things of the first merchant wherever a body can.
const SAMPLES = {
    amount: 100, currency: 'KES', phone: String(THEIR_PHONE), order_id: 'THEIRS', description: 'x',
    method: 'mpesa_stk', email: 'a@b.c', capture: 'wallet', reason: undefined, note: 'x', owner: 'x',
    decision: 'reject', reference: 'THEIRS', url: 'https://example.com/hook', events: ['*'], hours: 1,
    kind: 'daraja', party_b: undefined, is_till: false, production: false, base_url: undefined,
    consumer_key: 'k', consumer_secret: 's', passkey: 'p', initiator: 'i', security_credential: 'c',
    secret_key: 'k', receipt: 'UA1A000009', accept: 'known_orders', when_unavailable: 'queue', unanswered: 'cancel', merchant: undefined,
};
const named = (ids) => ({ payment: ids.payments, override: ids.payments,
                          override_receipt: ids.receipts, short_code: SHORT_CODE });

function bodyOf(name, operation, ids) {
    const schema = operation.requestBody?.content['application/json']?.schema;
    if (!schema) return undefined;
    const values = { ...SAMPLES, ...named(ids) };
    return Object.fromEntries(Object.keys(schema.properties).map((member) => {
        check(member in values, `${name}: this story has no value for ${member}; give it one`);
        return [member, values[member]];
    }));
}

await story('an API key reaches its own merchant\'s things only', async (scene) => {
    const server = await both(scene, ['--shadow-of', 'operator']);
    const { gateway, operator } = server;
    const shop = await Listener.open(scene);
    const document = await gateway.ok('GET', '/openapi.json');
    await new Operator(server.ready.merchant).authorize(); // seen in shadow mode
    const ids = await furnish(server, shop);
    const { key } = await gateway.ok('POST', '/v1/api_keys', { merchant: 'Another shop' }, 201);
    const stranger = new Gateway(server.ready.merchant, key);
    scene.atEnd(() => stranger.hangUp());
    await stranger.ok('POST', '/v1/providers', { short_code: THEIR_CODE, consumer_key: 'another',
        consumer_secret: 'another', passkey: PASSKEY }, 201);
    const before = await settled(document, gateway, ids);
    const all = marks(before).filter((mark) => ![...SHARED].some((one) => ids[one] === mark));
    for (const mark of [ids.payments, ids.receipts, String(PHONE), String(SHORT_CODE), 'ORDER-1ST']) {
        check(all.includes(mark) || mark.length < 5, `${mark} is a mark`);
    }

    let calls = 0;
    for (const { name, method, pattern, operation } of operationsOf(document)) {
        if (!pattern.startsWith('/v1/')) continue;
        const collection = pattern.split('/')[2];
        const path = filled(pattern, ids);
        const body = bodyOf(name, operation, ids);
        const csv = operation.requestBody?.content['text/csv'];
        for (const query of ['', '?limit=100', `?short_code=${SHORT_CODE}`, '?after_seq=0',
                             '?order_id=ORDER-1ST', '?status=open']) {
            if (method !== 'GET' && query !== '' && !csv) continue;
            const answer = await stranger.call(method, path + query, csv ? statement(SHORT_CODE, 'TK60708BZZ') : body,
                { 'Idempotency-Key': 'r', ...(csv ? CSV : {}) });
            calls++;
            equal(marksIn(answer.text, all), [], `${name}${query} tells a stranger: ${answer.text}`);
            check(answer.status < 500, `${name}${query}: ${answer.status} ${answer.text}`);
            if (pattern.includes('{') && !SHARED.has(collection)) {
                equal(answer.status, 404, `${name} by a stranger: ${answer.text}`);
            }
        }
    }
    // What a body names, each alone and with nothing else to object to.
    for (const [path, body] of [
        ['/v1/refunds', { payment: ids.payments }],
        ['/v1/payments', { amount: 100, phone: String(THEIR_PHONE), order_id: 'ORDER-1ST',
                           override: ids.payments }],
        ['/v1/payments', { amount: 100, phone: String(THEIR_PHONE), order_id: 'OTHERS',
                           override_receipt: ids.receipts }],
        ['/v1/pull', { short_code: SHORT_CODE }],
        ['/v1/pull/register', { short_code: SHORT_CODE, phone: String(THEIR_PHONE) }],
        ['/v1/providers', { short_code: SHORT_CODE }],
    ]) {
        const answer = await stranger.call('POST', path, body, { 'Idempotency-Key': `alone ${path}` });
        check(answer.status >= 400 && answer.status < 500, `${path} ${JSON.stringify(body)}: ${answer.text}`);
    }
    // The same order and the same key are another merchant's own affair.
    const own = await stranger.pay({ order_id: 'ORDER-1ST', phone: String(THEIR_PHONE) },
                                   'key-ORDER-1ST');
    equal([own.status, own.headers['idempotent-replayed']], [201, undefined], 'an order of its own');

    // Its own callback URL is no way to another's payments, either (R6.10).
    const theirs = (await stranger.ok('GET', '/v1/providers')).data
        .find((one) => one.short_code === THEIR_CODE);
    const { checkout_request_id, merchant_request_id } = JSON.parse(before['GET /v1/payments/{id}']);
    for (const ResultCode of [0, 1032]) {
        const told = await request(server.ready.merchant, 'POST',
            `${new URL(theirs.callback_url).pathname}/stk`, { body: { Body: { stkCallback: {
                MerchantRequestID: merchant_request_id, CheckoutRequestID: checkout_request_id,
                ResultCode, ResultDesc: 'x' } } } });
        equal(told.status, 200, 'a claim on its own URL');
    }
    const after = await settled(document, gateway, ids);
    for (const [name, text] of Object.entries(before)) equal(after[name], text, `${name} afterwards`);
    equal((await operator.transactions()).length, 3, 'pushes: two of one, one of the other');
    proved(`${calls} calls of a stranger with another's ids: not found, nothing told, nothing changed`);
});

await story('nor does a consumer key, on Daraja\'s own paths', async (scene) => {
    const server = await both(scene);
    const { gateway } = server;
    const app = { key: 'key-of-first', secret: 'secret-of-first', code: 600000 };
    const other = { key: 'key-of-other', secret: 'secret-of-other', code: 600999 };
    const { key } = await gateway.ok('POST', '/v1/api_keys', { merchant: 'Another shop' }, 201);
    const stranger = new Gateway(server.ready.merchant, key);
    scene.atEnd(() => stranger.hangUp());
    for (const [who, one] of [[gateway, app], [stranger, other]]) {
        await who.ok('POST', '/v1/providers', { short_code: one.code, consumer_key: one.key,
            consumer_secret: one.secret, passkey: PASSKEY }, 201);
        one.client = new Operator(server.ready.merchant);
        scene.atEnd(() => one.client.hangUp());
        await one.client.authorize(one.key, one.secret);
    }
    const push = { BusinessShortCode: app.code, PhoneNumber: THEIR_PHONE };
    const stamp = '20260101120000';
    const query = (client, CheckoutRequestID, code) => client.query(CheckoutRequestID, {
        BusinessShortCode: code, Password: password(code, stamp) });
    const { CheckoutRequestID } = await app.client.pushed(push);
    equal((await query(app.client, CheckoutRequestID, app.code)).status, 200, 'its own push');
    const refused = await other.client.push(push);
    equal([refused.status, refused.json.errorMessage], [500, 'Merchant does not exist'],
          'a push to another\'s short code');
    for (const code of [app.code, other.code]) {
        const asked = await query(other.client, CheckoutRequestID, code);
        check(asked.status >= 400 && !asked.text.includes('ResultCode'), `by ${code}: ${asked.text}`);
    }
    equal((await stranger.ok('GET', '/v1/payments')).data, [], 'no payment of the other');
    equal((await gateway.ok('GET', '/v1/payments')).data.length, 1, 'one of the first');
    proved('a token of one merchant\'s consumer key neither pushes nor asks for another\'s');
});
