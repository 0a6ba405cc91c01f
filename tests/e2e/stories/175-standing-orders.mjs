// M-Pesa Ratiba over HTTP: a standing order needs the customer's PIN once, then pays on its dates in
// virtual time, and what the callbacks say is what the books show. Killed in between, it goes on.
import { Listener } from '../lib/listener.mjs';
import { SHORT_CODE } from '../lib/operator.mjs';
import { Server } from '../lib/server.mjs';
import { check, equal, matches, proved, story, until } from '../lib/story.mjs';

const PATH = '/standingorder/v1/createStandingOrderExternal';
const ANNA = 254711000001;
const HOUR_MS = 3600 * 1000;
const DAY_MS = 24 * HOUR_MS;

async function open(scene) {
    const listener = await Listener.open(scene);
    const server = await Server.open(scene, ['--clock', 'virtual']);
    await server.operator.openSubscriber(ANNA, 200000);
    return { listener, server, operator: server.operator };
}

// YYYYMMDD in Kenya, so many days after the book's today.
async function dateAfter(operator, days) {
    const { now } = await operator.simOk('GET', '/clock');
    const eat = new Date(Date.parse(now) + 3 * 3600 * 1000 + days * DAY_MS);
    return eat.toISOString().slice(0, 10).replaceAll('-', '');
}

async function create(world, fields = {}, headers = undefined) {
    const body = {
        StandingOrderName: 'Electric Bike', StartDate: await dateAfter(world.operator, 1),
        EndDate: await dateAfter(world.operator, 3), BusinessShortCode: String(SHORT_CODE),
        TransactionType: 'Standing Order Customer Pay Bill', ReceiverPartyIdentifierType: '4',
        Amount: '450', PartyA: String(ANNA), CallBackURL: `${world.listener.url}/ratiba`,
        AccountReference: 'LOAN-7', TransactionDesc: 'Bike', Frequency: '2', ...fields,
    };
    return world.operator.call('POST', PATH,
                               { body, headers: headers ?? await world.operator.bearer() });
}

async function accepted(world, fields) {
    const answer = await create(world, fields);
    const id = answer.json.ResponseHeader?.responseRefID;
    equal(answer.status, 200, answer.text);
    equal(answer.json, {
        ResponseHeader: { responseRefID: id, responseCode: '200',
                          responseDescription: 'Request accepted for processing',
                          ResultDesc: 'The service request is processed successfully.' },
        ResponseBody: { responseDescription: 'Request accepted for processing',
                        responseCode: '200' },
    }, 'the answer');
    matches(id, /^[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\d+$/, 'responseRefID');
    return id;
}

// The nth callback about an order (0: the order itself).
async function told(world, id, nth = 0) {
    const about = () => world.listener.received.filter((c) =>
        (c.json.responseHeader ?? c.json.ResponseHeader)?.requestRefID === id);
    await until(() => about().length > nth, `callback ${nth} of ${id}`);
    return about()[nth].json;
}

async function prompted(operator, phone = ANNA) {
    return (await until(async () => (await operator.prompts(phone))[0], 'a prompt'));
}

// Creates one and gives the PIN; its responseRefID.
async function allowed(world, fields) {
    const id = await accepted(world, fields);
    const prompt = await prompted(world.operator);
    equal((await world.operator.approve(prompt.checkout_request_id)).status, 200, 'the PIN');
    return id;
}

const advance = (operator, ms) => operator.simOk('POST', '/clock', { advance_ms: ms });
const latest = async (operator) => (await operator.simOk('GET', '/standing-orders')).data[0];

await story('a daily order over its three dates', async (scene) => {
    const world = await open(scene);
    const { operator } = world;
    const id = await accepted(world);
    const prompt = await prompted(operator);
    matches(prompt.text, /^You are about to send Ksh 450\.00 by standing order \(daily\) to /, 'text');
    equal((await latest(operator)).status, 'asked', 'before the PIN');
    await operator.approve(prompt.checkout_request_id);
    const callback = await told(world, id);
    const transaction = callback.responseBody.responseData[0].value;
    equal(callback, {
        responseHeader: { responseRefID: id, requestRefID: id, responseCode: '0',
                          responseDescription: 'The service request is processed successfully' },
        responseBody: { responseData: [{ name: 'TransactionID', value: transaction },
                                       { name: 'responseCode', value: '0' },
                                       { name: 'Status', value: 'OKAY' },
                                       { name: 'Msisdn', value: '254******001' }] },
    }, 'the callback of the order');
    matches(transaction, /^[A-Z0-9]{10}$/, 'TransactionID');
    equal(await operator.balance(ANNA), 200000, 'nothing has moved yet');
    const before = (await operator.accounts()).utility;
    await advance(operator, DAY_MS + 7 * HOUR_MS); // the clock began at midnight
    const first = await told(world, id, 1);
    const receipt = first.responseBody.responseData[0].value;
    check(first.responseHeader.responseRefID !== id, 'a payment has an id of its own');
    const request = await operator.simOk('GET', `/requests/${receipt}`);
    equal([request.type, request.status, request.amount, request.receipt],
          ['standing_order_payment', 'SUCCESS', 45000, receipt], 'the payment');
    const entries = (await operator.simOk('GET', `/entries?transaction=${receipt}`)).data;
    equal(entries.map((entry) => [entry.code, entry.amount]), [['standing_order', 45000]],
          'its entries');
    await world.server.restart();
    world.operator = world.server.operator;
    await advance(world.operator, 10 * DAY_MS);
    await told(world, id, 3);
    const order = await latest(world.operator);
    equal([order.status, order.payments, order.paid, order.next_payment_at],
          ['finished', 3, 3, null], 'the order after its end date');
    equal(await world.operator.balance(ANNA), 200000 - 3 * 45000, 'the customer');
    equal((await world.operator.accounts()).utility, before + 3 * 45000, 'the organisation');
    const receipts = new Set(world.listener.received.map((c) =>
        c.json.responseBody.responseData[0].value));
    equal(receipts.size, 4, 'every callback has a TransactionID of its own');
    proved('PIN once, three payments on three days over a kill -9, and none after the end date');
});

await story('what the customer does with the prompt', async (scene) => {
    const world = await open(scene);
    const { operator } = world;
    const ends = [
        ['1032', async () => operator.cancel((await prompted(operator)).checkout_request_id)],
        ['2001', async () => operator.approve((await prompted(operator)).checkout_request_id,
                                              '9999')],
        ['1037', async () => { await prompted(operator); await advance(operator, 61000); }],
    ];
    for (const [code, act] of ends) {
        const id = await accepted(world);
        await act();
        const callback = await told(world, id);
        equal(Object.keys(callback), ['ResponseHeader', 'ResponseBody'], 'capitals');
        equal([callback.ResponseHeader.responseCode, callback.ResponseHeader.requestRefID],
              [code, id], 'the header');
        equal(callback.ResponseBody, { ResponseData: [
            { Name: 'TransactionID', Value: '0000000000' }, { Name: 'responseCode', Value: code },
            { Name: 'Status', Value: 'ERROR' }, { Name: 'Msisdn', Value: '*********001' }] },
              'the body');
        equal((await latest(operator)).status, 'refused', code);
    }
    await allowed(world);
    const twice = await accepted(world);
    equal((await told(world, twice)).ResponseHeader.responseCode, '15', 'a name that is taken');
    const open2 = await operator.pushed({ PhoneNumber: ANNA, Amount: 1 });
    const busy = await accepted(world, { StandingOrderName: 'another' });
    equal((await told(world, busy)).ResponseHeader.responseCode, '1001', 'a busy phone');
    await operator.cancel(open2.CheckoutRequestID);
    proved('cancelled 1032, wrong PIN 2001, no answer 1037 and a taken name 15 are told as failures');
});

await story('too little money, and an order that is cancelled', async (scene) => {
    const world = await open(scene);
    const { operator } = world;
    const id = await allowed(world, { Amount: '3000' }); // 2,000 are there
    await told(world, id);
    await advance(operator, DAY_MS + 15 * HOUR_MS);
    const order = await latest(operator);
    const failed = await told(world, id, 1);
    equal([failed.ResponseHeader.responseCode, failed.ResponseHeader.responseDescription],
          ['1', 'The balance is insufficient for the transaction.'], 'after three tries');
    const run = await operator.simOk('GET', `/requests/${order.last_payment}`);
    equal(Date.parse(run.ended_at) - Date.parse(run.created_at), 8 * 3600 * 1000,
          'tried at 06:00, 10:00 and 14:00');
    await operator.simOk('PATCH', `/subscribers/${ANNA}`, { adjust_balance: 1000000 });
    await advance(operator, DAY_MS);
    equal((await told(world, id, 2)).responseHeader.responseCode, '0', 'the next date');
    const cancelled = await operator.simOk('POST', `/standing-orders/${order.id}/cancel`, {});
    equal([cancelled.status, cancelled.paid], ['cancelled', 1], 'cancelled');
    equal((await operator.sim('POST', `/standing-orders/${order.id}/cancel`, {})).status, 409,
          'only once');
    await advance(operator, 5 * DAY_MS);
    equal(world.listener.received.length, 3, 'no payment any more');
    proved('a date without money is tried three times, told once, and the next date is paid');
});

await story('documented errors', async (scene) => {
    const world = await open(scene);
    const { operator } = world;
    const bad = [
        ['StandingOrderName', { StandingOrderName: '' }], ['StartDate', { StartDate: '2026-01-01' }],
        ['StartDate', { StartDate: '20200101' }], ['EndDate', { EndDate: '20200101' }],
        ['BusinessShortCode', { BusinessShortCode: 'x' }],
        ['TransactionType', { TransactionType: 'CustomerPayBillOnline' }],
        ['ReceiverPartyIdentifierType', { ReceiverPartyIdentifierType: '2' }],
        ['Amount', { Amount: '1.5' }], ['PartyA', { PartyA: '0711000001' }],
        ['CallBackURL', { CallBackURL: 'here' }], ['AccountReference', { AccountReference: '' }],
        ['Frequency', { Frequency: '0' }],
    ];
    for (const [name, fields] of bad) {
        const answer = await create(world, fields);
        equal([answer.status, answer.json.errorCode, answer.json.errorMessage],
              [400, '400.002.02', `Bad Request - Invalid ${name}`], name);
        equal(Object.keys(answer.json), ['requestId', 'errorCode', 'errorMessage'], 'the envelope');
    }
    const cases = [
        [404, '404.001.04', await create(world, {}, {})],
        [401, '401.002.01', await create(world, {}, { Authorization: 'Bearer none' })],
        [405, '405.001', await operator.call('GET', PATH, { headers: await operator.bearer() })],
        [404, '404.001.01', await operator.call('POST', '/standingorder/v1/other',
                                                { headers: await operator.bearer(), body: {} })],
        [400, '400.002.05', await operator.call('POST', PATH,
                                                { headers: await operator.bearer(), body: [] })],
    ];
    for (const [status, code, answer] of cases) {
        equal([answer.status, answer.json.errorCode], [status, code], code);
    }
    equal((await operator.simOk('GET', '/standing-orders')).data, [], 'nothing was accepted');
    equal((await operator.sim('GET', '/standing-orders/sto_1')).status, 404, 'none');
    proved('each field is named when it is wrong, and so are tokens, methods and paths');
});
