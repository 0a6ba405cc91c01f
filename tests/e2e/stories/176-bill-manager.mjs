// Bill manager over HTTP: opting in, invoices one by one and in bulk, what cannot be, payments that
// pay them and are pushed to the biller, the acknowledgement; and a kill -9 in between.
import { spawnSync } from 'node:child_process';
import { Listener } from '../lib/listener.mjs';
import { SHORT_CODE } from '../lib/operator.mjs';
import { HAKIKA, Server } from '../lib/server.mjs';
import { check, equal, matches, proved, story, until } from '../lib/story.mjs';

const ROOT = '/v1/billmanager-invoice/';
const ANNA = 254711000001;

async function open(scene) {
    const listener = await Listener.open(scene);
    const server = await Server.open(scene, ['--clock', 'virtual']);
    await server.operator.openSubscriber(ANNA, 1000000);
    return { listener, server, get operator() { return server.operator; } };
}

async function call(world, path, body, headers = {}) {
    return world.operator.call('POST', ROOT + path,
        { body, headers: { ...await world.operator.bearer(), ...headers } });
}

const biller = (world, fields = {}) => ({
    shortcode: String(SHORT_CODE), email: 'youremail@gmail.com', officialContact: '0710000000',
    sendReminders: '1', logo: 'image', callbackurl: `${world.listener.url}/bill`, ...fields });

const invoice = (fields = {}) => ({
    externalReference: '#9932340', billedFullName: 'John Doe', billedPhoneNumber: '0711000001',
    billedPeriod: 'August 2021', invoiceName: 'Jentrys', dueDate: '2026-10-12',
    accountReference: '1ASD678H', amount: '800',
    invoiceItems: [{ itemName: 'food', amount: '700' }, { itemName: 'water', amount: '100' }],
    ...fields });

async function pay(world, account, amount) {
    await world.operator.simOk('POST', `/subscribers/${ANNA}/pay`,
        { short_code: SHORT_CODE, amount: amount * 100, reference: account, pin: '1234' }, 201);
    await world.operator.untilIdle();
}

const pushed = (world) => world.listener.received.filter((c) => c.path.endsWith('/bill'));

await story('from opting in to the acknowledgement', async (scene) => {
    const world = await open(scene);
    const opted = await call(world, 'optin', biller(world));
    equal([opted.status, Object.keys(opted.json), opted.json.resmsg, opted.json.rescode],
          [200, ['app_key', 'resmsg', 'rescode'], 'Success', '200'], 'opting in');
    matches(opted.json.app_key, /^AG_\d{10}_\d{9}KJ$/, 'app_key');
    equal((await call(world, 'change-optin-details', biller(world, { sendReminders: 0 }))).json,
          { resmsg: 'Success', rescode: '200' }, 'changing it');
    const sent = { Status_Message: 'Invoice sent successfully', resmsg: 'Success', rescode: '200' };
    equal((await call(world, 'single-invoicing', invoice())).json, sent, 'one invoice');
    const bulk = [1, 2, 3].map((n) => invoice({ externalReference: `B${n}`, amount: 50 * n,
        dueDate: '2026-09-15 00:00:00.00', accountReference: `ACC${n}`, invoiceItems: undefined }));
    equal((await call(world, 'bulk-invoicing', bulk, { appKey: opted.json.app_key })).json, sent,
          'three in bulk');
    equal((await call(world, 'update/single-invoicing', invoice({ amount: '900' }))).json, sent,
          'a changed one');
    const list = (await world.operator.simOk('GET', '/invoices')).data;
    equal(list.map((i) => [i.external_reference, i.amount, i.status]),
          [['B3', 15000, 'sent'], ['B2', 10000, 'sent'], ['B1', 5000, 'sent'],
           ['#9932340', 90000, 'sent']], 'the invoices');
    equal(list[3].items, [{ itemName: 'food', amount: '700' }, { itemName: 'water', amount: '100' }],
          'items');
    await world.server.restart();
    await pay(world, '1ASD678H', 400);
    const first = pushed(world)[0];
    const request = (await world.operator.simOk('GET', '/requests')).data[0];
    equal(first.json, { transactionId: request.receipt, paidAmount: '400', msisdn: String(ANNA),
                        dateCreated: '2026-01-01', accountReference: '1ASD678H',
                        shortCode: String(SHORT_CODE) }, 'the push');
    const status = async () => (await world.operator.simOk('GET', '/invoices')).data.at(-1);
    equal([(await status()).status, (await status()).paid], ['partly_paid', 40000], 'a part');
    equal((await call(world, 'cancel-single-invoice', { externalReference: '#9932340' })).json,
          { Status_Message: 'Partially or fully paid invoices cannot be cancelled.',
            resmsg: 'Conflict', rescode: '409', errors: [] }, 'cancelling a paid one');
    await pay(world, '1ASD678H', 500);
    equal((await status()).status, 'paid', 'the rest');
    const acknowledgement = { paymentDate: '2026-01-01', paidAmount: '400',
        accountReference: '1ASD678H', transactionId: request.receipt, phoneNumber: '0711000001',
        fullName: 'John Doe', invoiceName: 'Jentrys', externalReference: '#9932340' };
    equal((await call(world, 'reconciliation', acknowledgement)).json,
          { resmsg: 'Success', rescode: '200' }, 'the acknowledgement');
    const cancelled = { Status_Message: 'Invoice cancelled successfully.', resmsg: 'Success',
                        rescode: '200', errors: [] };
    equal((await call(world, 'cancel-single-invoice', { externalReference: 'B1' })).json, cancelled,
          'cancelling one');
    equal((await call(world, 'cancel-bulk-invoices',
                      [{ externalReference: 'B2' }, { externalReference: 'B3' }])).json, cancelled,
          'cancelling two');
    const push = await world.operator.pushed({ PhoneNumber: ANNA, AccountReference: 'ANY' });
    await world.operator.approved(push.CheckoutRequestID);
    await until(() => pushed(world).length === 3, 'an STK payment is pushed, too');
    const listed = () => world.operator.deliveriesOf(push.CheckoutRequestID);
    const [callback, notice] = await listed();
    equal([callback.kind, notice.kind], ['stk_callback', 'bill_payment'], 'what is listed of it');
    equal((await world.operator.deliveriesOf(request.id)).map((one) => one.kind), ['bill_payment'],
          'and of a payment by C2B');
    const copy = await world.operator.simOk('POST', `/deliveries/${notice.id}/replay`, { body: '{}' }, 202);
    equal((await listed()).map((one) => one.id), [callback.id, notice.id, copy.id], 'an edited copy, too');
    await world.server.stop();
    const run = spawnSync(HAKIKA, ['verify', world.server.data], { encoding: 'utf8' });
    equal(run.status, 0, `hakika verify: ${run.stdout.slice(0, 2000)} ${run.stderr}`);
    proved('invoices are sent, changed, paid in parts, cancelled; each payment is pushed');
});

await story('documented errors, and five tries', async (scene) => {
    const world = await open(scene);
    const forbidden = (message) => ({ Status_Message: message, resmsg: 'Action Forbidden',
                                      rescode: '409' });
    const refused = async (path, body, message, headers) => {
        const answer = await call(world, path, body, headers);
        equal([answer.status, answer.json], [409, forbidden(message)], `${path}: ${message}`);
    };
    await refused('single-invoicing', invoice(), 'Invalid consumerkey/shortcode');
    await refused('change-optin-details', biller(world), 'Invalid consumerkey/shortcode');
    await call(world, 'optin', biller(world));
    await refused('optin', biller(world), 'Biller already Registered');
    await refused('single-invoicing', invoice(), 'Invalid consumerkey/shortcode', { appKey: 'AG_1' });
    await refused('single-invoicing', invoice({ billedPhoneNumber: '123' }),
                  'Incorrect phone number format');
    await refused('single-invoicing', invoice({ dueDate: '12/10/2026' }), 'Incorrect due date format');
    await call(world, 'single-invoicing', invoice());
    const taken = 'Another entry exists with the same externalReference number';
    await refused('single-invoicing', invoice(), taken);
    await refused('bulk-invoicing', [invoice({ externalReference: 'new' }), invoice()], taken);
    await refused('bulk-invoicing', ['X', 'Y', 'X'].map((name) => invoice({ externalReference: name })),
                  taken);
    equal((await world.operator.simOk('GET', '/invoices')).data.length, 1, 'all of a list or none');
    for (const name of ['externalReference', 'billedFullName', 'billedPhoneNumber', 'billedPeriod',
                        'invoiceName', 'dueDate', 'accountReference', 'amount']) {
        const answer = await call(world, 'single-invoicing', invoice({ [name]: undefined }));
        equal([answer.status, answer.json.errorMessage], [400, `Bad Request - Invalid ${name}`], name);
    }
    for (const name of ['shortcode', 'email', 'officialContact', 'sendReminders', 'callbackurl']) {
        const answer = await call(world, 'optin', biller(world, { [name]: undefined }));
        equal([answer.status, answer.json.errorMessage], [400, `Bad Request - Invalid ${name}`], name);
    }
    equal((await call(world, 'cancel-single-invoice', { externalReference: 'none' })).status, 404,
          'an invoice of nobody');
    equal((await call(world, 'bulk-invoicing', {})).json.errorCode, '400.002.05', 'no list');
    equal((await call(world, 'nothing', {})).json.errorCode, '404.001.01', 'no such call');
    const bare = await world.operator.call('POST', `${ROOT}optin`, { body: biller(world) });
    equal([bare.status, bare.json.errorCode], [404, '404.001.04'], 'no token');
    const wrong = await call(world, 'optin', biller(world), { Authorization: 'Bearer none' });
    equal([wrong.status, wrong.json.errorCode], [401, '401.002.01'], 'a token of nobody');
    world.listener.behave = () => ({ status: 500 });
    await pay(world, 'A', 10);
    equal(pushed(world).length, 5, 'tries');
    check(new Set(pushed(world).map((c) => c.text)).size === 1, 'all of the same payment');
    proved('each documented error in its words, whole lists or nothing, and five tries of a push');
});

// The payment's deadline passes while the process is stopped: when it goes on, the cancellation is read
// first and sees the invoice unpaid, and the decision about it comes after the payment.
await story('a payment that came first, and one twice in a list', async (scene) => {
    const listener = await Listener.open(scene);
    const server = await Server.open(scene, []);
    const world = { listener, server, operator: server.operator };
    await server.operator.openSubscriber(ANNA, 1000000);
    await call(world, 'optin', biller(world));
    for (const externalReference of ['A', 'B']) {
        await call(world, 'single-invoicing', invoice({ externalReference, accountReference: `ACC${externalReference}` }));
    }
    equal((await call(world, 'cancel-bulk-invoices', [{ externalReference: 'B' }, { externalReference: 'B' }])).status, 200,
          'twice in a list');
    await server.operator.simOk('PUT', '/rules', { rules: [{ name: 'later', match: { api: 'stk_push' },
        then: { prompt: { act: 'approve', delay_ms: 2000 } } }] });
    const { CheckoutRequestID: id } = await server.operator.pushed({ PhoneNumber: ANNA, AccountReference: 'ACCA', Amount: 10 });
    const due = Date.parse((await server.operator.transaction(id)).created_at) + 2200;
    const answer = await server.allAtOnce(1, async () => {
        await until(() => Date.now() > due, 'the payment is due');
        return call(world, 'cancel-single-invoice', { externalReference: 'A' });
    });
    equal([answer.status, answer.json.Status_Message],
          [409, 'Partially or fully paid invoices cannot be cancelled.'], 'not cancelled');
    const states = async () => (await server.operator.simOk('GET', '/invoices')).data.map(
        (one) => `${one.external_reference} ${one.status}`);
    equal((await states()).at(-1), 'A partly_paid', 'the invoice');
    proved('a cancellation that a payment was ahead of is refused');

    for (const externalReference of ['C', 'D']) {
        await call(world, 'single-invoicing', invoice({ externalReference, accountReference: `ACC${externalReference}` }));
    }
    const { CheckoutRequestID: next } = await server.operator.pushed({ PhoneNumber: ANNA, AccountReference: 'ACCD', Amount: 10 });
    const nextDue = Date.parse((await server.operator.transaction(next)).created_at) + 2200;
    const list = await server.allAtOnce(1, async () => {
        await until(() => Date.now() > nextDue, 'the payment is due');
        return call(world, 'cancel-bulk-invoices', [{ externalReference: 'C' }, { externalReference: 'D' }]);
    });
    equal([list.status, list.json.Status_Message],
          [409, 'Partially or fully paid invoices cannot be cancelled.'], 'the list is refused');
    equal((await states()).slice(0, 2), ['D partly_paid', 'C sent'], 'and nothing of it is cancelled');
    proved('of a list none is cancelled when a payment was ahead of one');
});
