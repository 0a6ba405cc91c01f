// Every answer fits the OpenAPI document, and the document has nothing that the server lacks: each
// operation is called, and each answer is validated against the schema of its status.
import http from 'node:http';
import { hold, operationsOf } from '../lib/document.mjs';
import { Listener } from '../lib/listener.mjs';
import { Server } from '../lib/server.mjs';
import { check, equal, proved, story, until, within } from '../lib/story.mjs';

const PHONE = 254711000001;

// A client whose every answer is held against the document.
function watch(document, operator, seen) {
    const call = operator.call.bind(operator);
    operator.call = async (method, path, options) => {
        const answer = await call(method, path, options);
        hold(document, seen, method, path, answer);
        return answer;
    };
}

// A biller, its invoices, and what becomes of them.
async function billManager(operator, listener) {
    const root = '/v1/billmanager-invoice/';
    const invoice = { externalReference: '1', billedFullName: 'J', billedPhoneNumber: '0711000001',
                      billedPeriod: 'August 2021', invoiceName: 'water', dueDate: '2026-10-12',
                      accountReference: 'BILL', amount: '80',
                      invoiceItems: [{ itemName: 'a', amount: 1 }] };
    const biller = { shortcode: 174379, email: 'a@b.c', officialContact: '0710000000',
                     sendReminders: 1, callbackurl: listener.url };
    const calls = [
        ['single-invoicing', invoice], ['optin', biller], ['optin', biller],
        ['change-optin-details', biller], ['single-invoicing', invoice],
        ['single-invoicing', invoice], ['bulk-invoicing', [{ ...invoice, externalReference: '2' }]],
        ['bulk-invoicing', [invoice]], ['update/single-invoicing', invoice],
        ['update/single-invoicing', { ...invoice, externalReference: 'none' }],
        ['cancel-single-invoice', { externalReference: '1' }],
        ['cancel-single-invoice', { externalReference: '1' }],
        ['cancel-bulk-invoices', [{ externalReference: '2' }]],
        ['cancel-bulk-invoices', [{ externalReference: '2' }]],
    ];
    const headers = await operator.bearer();
    for (const [path, body] of calls) {
        await operator.call('POST', root + path, { body, headers });
        await operator.call('POST', root + path, { body });
        await operator.call('POST', root + path, { body, headers: { Authorization: 'Bearer no' } });
    }
    const push = await operator.pushed({ PhoneNumber: PHONE, AccountReference: 'BILL' });
    const { receipt } = await operator.approved(push.CheckoutRequestID);
    const acknowledgement = { paymentDate: '2026-01-01', paidAmount: 10, accountReference: 'BILL',
        transactionId: receipt, phoneNumber: '0711000001', fullName: 'J', invoiceName: 'water',
        externalReference: '1' };
    for (const transactionId of [receipt, 'TK60708BHZ']) {
        await operator.call('POST', `${root}reconciliation`,
                            { body: { ...acknowledgement, transactionId }, headers });
    }
    await operator.sim('GET', '/invoices');
    await operator.sim('GET', '/invoices?starting_after=inv_2');
    await operator.sim('GET', '/invoices?starting_after=nothing');
    await operator.sim('GET', '/deliveries?limit=20');
}

// A standing order that the customer allows and cancels again.
async function standingOrders(operator, listener) {
    const headers = await operator.bearer();
    const path = '/standingorder/v1/createStandingOrderExternal';
    const body = { StandingOrderName: 'Bike', StartDate: '20990101', EndDate: '20990901',
                   BusinessShortCode: 174379, Amount: 5, PartyA: PHONE, Frequency: 4,
                   TransactionType: 'Standing Order Customer Pay Bill',
                   ReceiverPartyIdentifierType: 4, CallBackURL: listener.url,
                   AccountReference: 'A' };
    await operator.call('POST', path, { body, headers });
    await operator.call('POST', path, { body: {}, headers });
    await operator.call('POST', path, { body });
    await operator.call('POST', path, { body, headers: { Authorization: 'Bearer no' } });
    const prompt = await until(async () => (await operator.prompts(PHONE))[0], 'a prompt');
    await operator.approve(prompt.checkout_request_id);
    await operator.sim('GET', '/standing-orders');
    await operator.sim('GET', '/standing-orders?starting_after=sto_1');
    await operator.sim('GET', '/standing-orders?starting_after=nothing');
    await operator.sim('GET', '/standing-orders/sto_1');
    await operator.sim('GET', '/standing-orders/sto_9');
    await operator.sim('POST', '/standing-orders/sto_1/cancel', {});
    await operator.sim('POST', '/standing-orders/sto_1/cancel', {});
    await operator.sim('POST', '/standing-orders/sto_9/cancel', {});
}

// What organisations ask for; `paid` is a payment's CheckoutRequestID.
async function askForOrganisations(operator, listener, paid) {
    const headers = await operator.bearer();
    const body = { Initiator: 'testapi', SecurityCredential: 'AAAA', PartyA: 174379,
                   IdentifierType: 4, Remarks: 'OK', QueueTimeOutURL: `${listener.url}/late`,
                   ResultURL: `${listener.url}/result`, ReceiverParty: 174379, Amount: 10,
                   TransactionID: 'TK60708BHZ', OriginalConversationID: paid, PartyB: 600000,
                   SenderIdentifierType: 4, RecieverIdentifierType: 4, AccountReference: 'A' };
    const calls = [['/mpesa/accountbalance/v1/query', 'AccountBalance'],
                   ['/mpesa/transactionstatus/v1/query', 'TransactionStatusQuery'],
                   ['/mpesa/reversal/v1/request', 'TransactionReversal'],
                   ['/mpesa/b2b/v1/paymentrequest', 'BusinessPayBill'],
                   ['/mpesa/b2b/v1/remittax', 'PayTaxToKRA']];
    for (const [path, CommandID] of calls) {
        const PartyB = CommandID === 'PayTaxToKRA' ? 572572 : body.PartyB;
        await operator.call('POST', path, { body: { ...body, CommandID, PartyB }, headers });
        await operator.call('POST', path, { body: {}, headers });
        await operator.call('POST', path, { body: {} });
        await operator.call('POST', path, { body, headers: { Authorization: 'Bearer no' } });
    }
    await operator.sim('PATCH', '/organisations/5551234', { nominated_msisdn: PHONE });
    await operator.sim('PATCH', '/organisations/5551234', {});
    await operator.sim('PATCH', '/organisations/5551234', { nominated_msisdn: 254799999999 });
    const express = { primaryShortCode: 5551234, receiverShortCode: 174379, amount: 5,
                      paymentRef: 'A', callbackUrl: listener.url, partnerName: 'V',
                      RequestRefID: 'one' };
    await operator.call('POST', '/v1/ussdpush/get-msisdn', { body: express, headers });
    const prompt = await until(async () => (await operator.prompts(PHONE))[0], 'a prompt');
    await operator.approve(prompt.checkout_request_id);
    await operator.approve(prompt.checkout_request_id);
    await standingOrders(operator, listener);
    await billManager(operator, listener);
    await operator.sim('POST', '/organisations/600000/settle', {});
    await operator.sim('POST', '/organisations/600000/settle', { amount: 0 });
    await operator.sim('GET', '/requests');
    await operator.sim('GET', '/requests?starting_after=req_2');
    await operator.sim('GET', '/requests?starting_after=nothing');
    await operator.sim('GET', '/requests/req_1');
    await operator.sim('GET', '/requests/req_999');
    await operator.sim('GET', '/deliveries?transaction=req_1');
}

// Customers who pay by themselves, and what their organisations register for that.
async function customersPay(operator, listener) {
    const ask = async (path, body, method = 'POST') =>
        operator.call(method, path, { body, headers: await operator.bearer() });
    for (const version of ['v1', 'v2']) {
        for (const url of [listener.url, 'nowhere']) {
            await ask(`/mpesa/c2b/${version}/registerurl`, { ShortCode: '600984',
                ResponseType: 'Completed', ConfirmationURL: url, ValidationURL: url });
        }
        for (const Amount of [5, 0]) {
            await ask(`/mpesa/c2b/${version}/simulate`, { ShortCode: 600984, Amount,
                CommandID: 'CustomerPayBillOnline', Msisdn: PHONE, BillRefNumber: 'A' });
        }
    }
    for (const change of [{ external_validation: true }, { external_validation: 1 }]) {
        await operator.sim('PATCH', '/organisations/600984', change);
    }
    for (const [phone, pin] of [[PHONE, '1234'], [PHONE, 1234], [254799999999, '1234']]) {
        await operator.sim('POST', `/subscribers/${phone}/pay`,
                           { short_code: 600984, amount: 100, reference: 'A', pin });
    }
    const row = { ShortCode: '600984', RequestType: 'Pull', NominatedNumber: String(PHONE),
                  CallBackURL: listener.url, StartDate: '2020-01-01 00:00:00',
                  EndDate: '2099-01-01 00:00:00' };
    for (const path of ['/pulltransactions/v1/register', '/pulltransactions/v1/query']) {
        await ask(path, row);
        await ask(path, row);
        await ask(path, {});
    }
    await ask('/pulltransactions/v1/query', row, 'GET');
    const push = await operator.pushed({ BusinessShortCode: 600984, PartyB: 600984,
        PhoneNumber: PHONE, CallBackURL: listener.url, AccountReference: 'C2B' });
    await operator.approved(push.CheckoutRequestID);
    const { json } = await operator.sim('GET', '/deliveries?limit=20');
    const kinds = new Set(json.data.map((one) => one.kind));
    for (const kind of ['result', 'validation', 'c2b_confirmation', 'stk_callback']) {
        check(kinds.has(kind), `a delivery of kind ${kind}: ${[...kinds]}`);
    }
}

// What organisations pay out, and what is looked up: each once well, once badly, once uninvited.
async function payOutAndLookUp(operator, listener) {
    const headers = await operator.bearer();
    const payout = { OriginatorConversationID: 'pay-1', InitiatorName: 'testapi', Amount: 100,
                     SecurityCredential: 'AAAA', CommandID: 'BusinessPayment', PartyA: 600999,
                     PartyB: PHONE, Remarks: 'wages', QueueTimeOutURL: listener.url,
                     ResultURL: listener.url };
    const qr = { MerchantName: 'Duka', RefNo: 'INV 7', Amount: 250, TrxCode: 'PB', CPI: '174379',
                 Size: '300' };
    const calls = [
        ['/mpesa/b2c/v1/paymentrequest', { ...payout, OriginatorConversationID: undefined }],
        ['/mpesa/b2c/v3/paymentrequest', payout], ['/mpesa/b2c/v3/paymentrequest', payout],
        ['/mpesa/b2pochi/v1/paymentrequest', { ...payout, CommandID: 'BusinessPayToPochi',
            OriginatorConversationID: 'pay-2' }],
        ['/mpesa/qrcode/v1/generate', qr],
        ['/imsi/v1/checkATI', { customerNumber: PHONE }],
        ['/imsi/v2/checkATI', { customerNumber: PHONE }],
        ['/sfcverify/v1/query/info', { IdentifierType: '4', Identifier: '174379' }],
        ['/sfcverify/v1/query/info', { IdentifierType: '2', Identifier: '174379' }],
        ['/mpesa/queryorginfo/v1/query', { IdentifierType: 2, Identifier: 5551234 }],
        ['/mpesa/queryorginfo/v1/query', { IdentifierType: 4, Identifier: 5551234 }],
    ];
    for (const [path, body] of calls) {
        await operator.call('POST', path, { body, headers });
        await operator.call('POST', path, { body: {}, headers });
        await operator.call('POST', path, { body });
        await operator.call('POST', path, { body, headers: { Authorization: 'Bearer no' } });
    }
    await operator.sim('GET', '/certificate');
}

// What the console reads, and the console itself.
async function lookAtAll(operator, id) {
    for (const query of ['', '?limit=1', '?limit=0', `?starting_after=${PHONE}`, '?starting_after=1']) {
        await operator.sim('GET', `/subscribers${query}`);
    }
    await operator.sim('GET', '/organisations');
    await operator.sim('GET', `/entries?transaction=${id}`);
    await operator.sim('GET', '/entries');
    await operator.sim('GET', '/money');
    await operator.call('GET', '/');
    await operator.call('POST', '/sink', { body: {} });
    for (const path of ['/console.js', '/console.css']) {
        const { headers } = await operator.call('GET', path, { headers: { 'Accept-Encoding': 'gzip' } });
        await operator.call('GET', path, { headers: { 'Accept-Encoding': 'gzip',
                                                      'If-None-Match': headers.etag ?? '' } });
        await operator.call('GET', path);
    }
}

// Paystack's paths: their refusals, a charge, a page, a refund.
async function paystack(operator, listener) {
    const phone = '254711000031';
    const ask = (method, path, body, key = 'sk_test_document') =>
        operator.call(method, path, { body, headers: { Authorization: `Bearer ${key}` } });
    const business = { secret_key: 'sk_test_document', webhook_url: listener.url };
    await operator.sim('PUT', '/organisations/174379/paystack', business);
    await operator.sim('PUT', '/organisations/600000/paystack', business);
    await operator.sim('PUT', '/organisations/1/paystack', business);
    await operator.sim('PUT', '/organisations/174379/paystack', { secret_key: 'x' });
    const charge = { email: 'a@b.c', amount: 1000, reference: 'doc-1',
                     mobile_money: { phone, provider: 'mpesa' } };
    await ask('POST', '/charge', charge, 'sk_test_nobody');
    await ask('POST', '/charge', { ...charge, amount: 0 });
    await ask('POST', '/charge', charge);
    const prompt = await until(async () => (await operator.prompts(phone))[0], 'a prompt');
    await ask('GET', '/charge/doc-1');
    await ask('GET', '/charge/none');
    await ask('POST', '/refund', { transaction: 'doc-1' });
    await operator.approve(prompt.checkout_request_id);
    await until(async () => (await ask('GET', '/transaction/verify/doc-1')).json.data.status === 'success',
                'the charge is paid');
    await ask('GET', '/transaction/doc-1');
    await ask('GET', '/transaction/verify/none');
    const refund = await ask('POST', '/refund', { transaction: 'doc-1' });
    await ask('GET', `/refund/${refund.json.data.id}`);
    await ask('GET', '/refund/1');
    const begun = await ask('POST', '/transaction/initialize', { email: 'a@b.c', amount: 100 });
    const page = `/checkout/${begun.json.data.access_code}`;
    await operator.call('GET', page);
    await operator.call('POST', page, {
        body: `phone=${phone}`, headers: { 'Content-Type': 'application/x-www-form-urlencoded' } });
}

async function callEverything(operator, listener) {
    await operator.call('GET', '/oauth/v1/generate?grant_type=client_credentials');
    await operator.authorize();
    await operator.sim('POST', '/subscribers', { msisdn: PHONE, name: 'Amina', balance: 500000 });
    await operator.sim('POST', '/subscribers', { msisdn: PHONE });
    await operator.sim('POST', '/subscribers', { msisdn: 'x' });
    await operator.sim('GET', `/subscribers/${PHONE}`);
    await operator.sim('GET', '/subscribers/254799999999');
    await operator.sim('PATCH', `/subscribers/${PHONE}`, { sim_swapped_at: '2026-01-01T00:00:00Z' });
    await operator.sim('PATCH', `/subscribers/${PHONE}`, { adjust_balance: -99999999 });
    await operator.sim('POST', '/organisations', { short_code: 123456, name: 'Duka', passkey: 'k' });
    await operator.sim('POST', '/organisations', { short_code: 123456 });
    await operator.sim('GET', '/organisations/123456');
    await operator.sim('GET', '/organisations/1');
    await operator.sim('POST', '/organisations/123456/fund', { amount: 100 });
    await operator.sim('POST', '/organisations/123456/fund', { amount: -1 });
    const push = { PhoneNumber: PHONE, CallBackURL: listener.url };
    const accepted = await operator.pushed(push);
    const id = accepted.CheckoutRequestID;
    await operator.push(push);
    await operator.push({ ...push, AccountReference: 'OTHER' });
    await operator.push({ ...push, Amount: 0 });
    await operator.query(id);
    await operator.query('ws_CO_1');
    await operator.prompts(PHONE);
    await operator.approve(id);
    await operator.approve(id);
    await operator.sim('POST', `/prompts/${id}/approve`, { pin: '1' });
    await operator.sim('POST', '/prompts/nothing/cancel', {});
    await operator.query(id);
    const second = await operator.pushed({ ...push, AccountReference: 'SECOND' });
    await operator.cancel(second.CheckoutRequestID);
    await operator.sim('GET', `/transactions/${id}`);
    await operator.sim('GET', '/transactions/nothing');
    await operator.sim('GET', '/transactions?limit=1');
    await operator.sim('GET', '/transactions?limit=1000');
    await operator.sim('GET', '/transactions?type=nothing');
    await operator.sim('GET', '/requests?limit=0');
    await until(async () => (await operator.delivery(id)).state === 'delivered', 'delivery');
    const delivery = (await operator.sim('GET', `/deliveries?transaction=${id}`)).json.data[0];
    await operator.sim('GET', '/deliveries?limit=2');
    await operator.sim('GET', '/deliveries?state=lost');
    await operator.sim('GET', `/deliveries/${delivery.id}`);
    await operator.sim('GET', '/deliveries/dlv_999');
    await operator.sim('POST', `/deliveries/${delivery.id}/replay`, {});
    await customersPay(operator, listener);
    const rule = { name: 'one', then: { outcome: { code: '17' } } };
    await operator.sim('PUT', '/rules', { rules: [rule] });
    await operator.sim('PUT', '/rules', { rules: [{}] });
    const ruled = await operator.pushed({ ...push, AccountReference: 'RULED' });
    await operator.sim('GET', `/transactions/${ruled.CheckoutRequestID}`);
    await operator.sim('GET', `/deliveries?transaction=${ruled.CheckoutRequestID}`);
    await operator.sim('GET', '/rules');
    await operator.sim('GET', '/rules/schema');
    await operator.sim('PUT', '/rules', { rules: [] });
    await operator.sim('POST', `/deliveries/${delivery.id}/replay`, { body: { edited: true } });
    await operator.sim('POST', `/deliveries/${delivery.id}/replay`, { url: 'none' });
    await operator.sim('GET', `/deliveries/${delivery.id}/curl`);
    await operator.sim('GET', '/deliveries/dlv_999/curl');
    await operator.sim('GET', '/clock');
    await operator.sim('POST', '/clock', { advance_ms: 1000 });
    await operator.sim('POST', '/clock', { advance_ms: -1 });
    await operator.sim('POST', '/clock/run-until-idle', { max_advance_ms: 1000 });
    await operator.sim('POST', '/clock', { mode: 'real' });
    await operator.sim('POST', '/clock', { advance_ms: 1 });
    await operator.sim('POST', '/clock', { mode: 'virtual' });
    await operator.sim('POST', '/snapshots', { name: 'one' });
    await operator.sim('POST', '/snapshots', { name: 'one' });
    await operator.sim('POST', '/snapshots', { name: 'two', from: 'one' });
    await operator.sim('POST', '/snapshots', { name: 'three', from: 'none' });
    await operator.sim('POST', '/snapshots', { name: '?' });
    await operator.sim('GET', '/snapshots');
    await operator.sim('GET', '/snapshots/one');
    await operator.sim('GET', '/snapshots/none');
    const { bytes } = await operator.sim('GET', '/snapshots/one/file');
    const headers = { 'Content-Type': 'application/octet-stream' };
    for (const [name, body, more] of [['opened', bytes, headers], ['opened', bytes, headers], ['?', bytes, headers],
        ['x', bytes.subarray(0, 99), headers], ['x', bytes, {}]]) {
        await operator.call('POST', `/sim/v1/snapshots/${encodeURIComponent(name)}/file`, { body, headers: more });
    }
    await operator.sim('GET', '/snapshots/none/file');
    await operator.sim('POST', '/snapshots/one/restore', {});
    await operator.sim('POST', '/snapshots/none/restore', {});
    await operator.sim('DELETE', '/snapshots/one');
    await operator.sim('DELETE', '/snapshots/one');
    await askForOrganisations(operator, listener, id);
    await lookAtAll(operator, id);
    await payOutAndLookUp(operator, listener);
    await paystack(operator, listener);
    await operator.sim('POST', '/reset', {});
    for (const path of ['/healthz', '/readyz', '/metrics', '/openapi.json']) {
        await operator.call('GET', path);
    }
}

await story('every answer fits the document', async (scene) => {
    const listener = await Listener.open(scene);
    const server = await Server.open(scene, ['--clock', 'virtual']);
    const document = (await server.operator.call('GET', '/openapi.json')).json;
    const seen = new Set();
    watch(document, server.operator, seen);
    await callEverything(server.operator, listener);
    for (const { name, pattern } of operationsOf(document)) {
        const streamed = name === 'GET /sim/v1/events';
        // A build without Node.js has no page, and says so with 404.
        const built = !pattern.startsWith('/console.') || seen.has(`${name} 304`);
        check(streamed || !built || [...seen].some((one) => one.startsWith(`${name} 2`)),
              `${name}: never answered with success`);
    }
    proved(`${seen.size} kinds of answers fit the OpenAPI document, each operation among them`);
});

// Reads server-sent events into {id, event, data} until told to stop.
function listen(server, query, onEvent) {
    const { hostname, port } = new URL(server.base);
    const call = http.get({ hostname, port, path: `/sim/v1/events${query}` }, (answer) => {
        let rest = '';
        answer.on('data', (part) => {
            rest += part;
            const blocks = rest.split('\n\n');
            rest = blocks.pop();
            for (const block of blocks) {
                if (block.startsWith(':')) continue;
                const lines = block.split('\n').map((line) => line.split(/: (.*)/s));
                const event = Object.fromEntries(lines);
                onEvent({ ...event, data: JSON.parse(event.data) });
            }
        });
    });
    call.on('error', () => {});
    return () => call.destroy();
}

// The name of the book, in the answer's header.
function bookOf(server) {
    return new Promise((resolve, reject) => {
        const call = http.get(`${server.base}/sim/v1/events`, (answer) => {
            answer.on('error', () => {});
            resolve(answer.headers['hakika-book']);
            call.destroy();
        });
        call.on('error', reject);
    });
}

await story('the event stream', async (scene) => {
    const listener = await Listener.open(scene);
    const server = await Server.open(scene, ['--clock', 'virtual']);
    const operator = server.operator;
    const events = [];
    let tell;
    const finished = new Promise((resolve) => { tell = resolve; });
    const stop = listen(server, '?after=1:0', (event) => {
        events.push(event);
        if (event.event === 'delivery_attempted') tell();
    });
    scene.atEnd(stop);
    const { CheckoutRequestID: id } = await operator.pushed({ CallBackURL: listener.url });
    await operator.approved(id);
    await within(finished, 'the last event');
    const names = events.map((event) => event.event);
    const wanted = ['stk_accepted', 'stk_prompted', `pin:${id}`, 'stk_ended', 'delivery_queued',
                    'delivery_attempted'];
    equal(names.filter((name) => wanted.includes(name)), wanted, 'order of events');
    const positions = events.map((event) => event.data.position);
    check(positions.every((p, i) => i === 0 || p >= positions[i - 1]), 'positions never fall');
    check(!JSON.stringify(events).includes('callback'), 'no texts of the merchant are shown');
    proved('a payment is told in journal order, with the signal pin:<CheckoutRequestID>');

    const last = events.find((event) => event.event === 'stk_prompted').id;
    const again = [];
    const seen = new Promise((resolve) => {
        scene.atEnd(listen(server, `?after=${last}`, (event) => {
            again.push(event.event);
            if (event.event === 'delivery_attempted') resolve();
        }));
    });
    await within(seen, 'the same events again');
    check(!again.includes('stk_prompted') && again.includes('stk_ended'), 'starts after the given');
    proved('a client that names a position goes on right after it');

    for (const [i, foreign] of ['1:500000', '7:1'].entries()) {
        const told = [];
        scene.atEnd(listen(server, `?after=${foreign}`, (event) => { told.push(event); }));
        await until(() => told.length > 0, 'an answer');
        equal([told[0].event, told[0].data.reason, told[0].id], ['gap', 'other_book', `1:${told[0].data.to}`], foreign);
        check(told[0].data.to >= positions.at(-1), 'up to the head');
        await operator.openSubscriber(254733000000 + i, 100);
        await until(() => told.length > 1, 'what happens next is told');
    }
    proved('a position of another book is answered with a gap, and the stream goes on from the head');

    const name = await bookOf(server);
    check(/^[0-9a-f]{32}$/.test(name), `the book has a name: ${name}`);
    await server.restart();
    equal(await bookOf(server), name, 'after a restart on the same folder');
    const other = await Server.open(scene, ['--ephemeral']);
    check(await bookOf(other) !== name, 'another book has another name');
    proved('the stream names its book');
});

await story('the events of a world that was left', async (scene) => {
    const server = await Server.open(scene, ['--clock', 'virtual']);
    const operator = server.operator;
    const { CheckoutRequestID: before } = await operator.pushed();
    await operator.approved(before);
    await operator.simOk('POST', '/reset', {});
    const { CheckoutRequestID: now } = await operator.pushed({ Amount: 20 });
    await operator.approved(now);
    const events = [];
    const seen = new Promise((resolve) => {
        scene.atEnd(listen(server, '?after=1:0', (event) => {
            events.push(event);
            if (event.event === 'stk_ended' && event.id.startsWith('2:')) resolve();
        }));
    });
    await within(seen, 'the end of the payment after the reset');
    const opened = events.findIndex((event) => event.event === 'generation_opened' && event.id.startsWith('2:'));
    check(opened > 0, 'the reset is told');
    check(events.every((event, i) => event.id.startsWith(i < opened ? '1:' : '2:')), 'each of its own generation');
    const [old, later] = events.filter((event) => event.event === 'stk_ended');
    equal(['checkout_request_id' in old.data, later.data.checkout_request_id, old.data.status], [false, now, 'SUCCESS'],
          'an end of before is of no payment of now');
    equal(events.filter((event) => event.event.startsWith('pin:')).map((event) => event.event), [`pin:${now}`],
          'one signal');
    proved('events of before a reset name nothing of the world that stands');
});
