// Customers who pay by themselves (C2B): the organisation registers where it is asked and told, and
// pulls what it missed. Every documented error of these calls, too.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { Listener } from '../lib/listener.mjs';
import { HAKIKA, Server } from '../lib/server.mjs';
import { check, equal, proved, story, until } from '../lib/story.mjs';

const ANNA = 254711000001;
const CODE = 600984;
const SHILLING = 100;

async function daraja(operator, path, body, method = 'POST') {
    return operator.call(method, path, { body, headers: await operator.bearer() });
}

async function register(operator, listener, fields = {}, version = 'v2') {
    return daraja(operator, `/mpesa/c2b/${version}/registerurl`, {
        ShortCode: String(CODE), ResponseType: 'Completed',
        ConfirmationURL: listener.url.replace('callback', 'confirmation'),
        ValidationURL: listener.url.replace('callback', 'validation'), ...fields });
}

async function simulate(operator, fields = {}, version = 'v2') {
    return daraja(operator, `/mpesa/c2b/${version}/simulate`, {
        ShortCode: CODE, CommandID: 'CustomerPayBillOnline', Amount: 5, Msisdn: ANNA,
        BillRefNumber: 'Sample Transaction', ...fields });
}

const told = (listener, path) =>
    listener.received.filter((m) => m.path.endsWith(path)).map((m) => m.json);

function verified(server) {
    const run = spawnSync(HAKIKA, ['verify', server.data], { encoding: 'utf8', timeout: 60000 });
    equal(run.status, 0, `hakika verify: ${run.stdout.slice(0, 2000)} ${run.stderr}`);
}

await story('a payment is confirmed, after its validation when that is enabled', async (scene) => {
    const listener = await Listener.open(scene);
    const server = await Server.open(scene, ['--clock', 'virtual']);
    const { operator } = server;
    await operator.simOk('POST', '/subscribers',
                         { msisdn: String(ANNA), name: 'Anna Wanjiru', balance: 1000 * SHILLING }, 201);
    const registered = await register(operator, listener);
    equal(registered.status, 200, 'status of the registration');
    equal([registered.json.ResponseCode, registered.json.ResponseDescription], ['0', 'Success'], 'it');
    check(registered.json.OriginatorCoversationID, 'the misspelt id is there');
    const before = await operator.simOk('GET', `/organisations/${CODE}`);
    equal(before.external_validation, false, 'validation is off at first');
    const { utility } = before.accounts;

    const simulated = await simulate(operator);
    equal([simulated.status, simulated.json.ResponseDescription],
          [200, 'Accept the service request successfully.'], 'the simulation');
    await until(() => told(listener, '/confirmation').length === 1, 'a confirmation');
    const [first] = told(listener, '/confirmation');
    equal({ ...first, TransID: '', TransTime: '' },
          { TransactionType: 'Pay Bill', TransID: '', TransTime: '', TransAmount: '5.00',
            BusinessShortCode: String(CODE), BillRefNumber: 'Sample Transaction', InvoiceNumber: '',
            OrgAccountBalance: ((utility + 500) / 100).toFixed(2), ThirdPartyTransID: '',
            MSISDN: '2547 ***** 001', FirstName: 'Anna', MiddleName: '', LastName: 'Wanjiru' },
          'the confirmation');
    check(/^[A-Z0-9]{10}$/.test(first.TransID) && /^\d{14}$/.test(first.TransTime), 'id and time');
    equal(told(listener, '/validation').length, 0, 'nobody was asked');

    const changed = await operator.simOk('PATCH', `/organisations/${CODE}`, { external_validation: true });
    equal(changed.external_validation, true, 'the setting');
    listener.behave = ({ path }) => path.endsWith('/validation')
        ? { status: 200, body: '{"ResultCode":"0","ResultDesc":"Accepted","ThirdPartyTransID":"TP-9"}' }
        : undefined;
    await simulate(operator);
    await until(() => told(listener, '/confirmation').length === 2, 'the second confirmation');
    const [question] = told(listener, '/validation');
    const second = told(listener, '/confirmation')[1];
    equal([question.OrgAccountBalance, question.TransID], ['', second.TransID], 'the question');
    equal(second.ThirdPartyTransID, 'TP-9', 'what the receiver added');

    listener.behave = ({ path }) => path.endsWith('/validation')
        ? { status: 200, body: '{"ResultCode":"C2B00012","ResultDesc":"Rejected"}' } : undefined;
    const paid = await operator.simOk('POST', `/subscribers/${ANNA}/pay`,
        { short_code: CODE, amount: 700, reference: 'INV-1', pin: '1234' }, 201);
    const refused = await until(async () => {
        const it = await operator.simOk('GET', `/requests/${paid.id}`);
        return it.status === 'FAILED' && it;
    }, 'the refusal');
    equal([refused.result_code, refused.type, refused.receipt], ['C2B00012', 'c2b', null], 'refused');
    equal(await operator.balance(ANNA), 990 * SHILLING, 'only two payments moved money');

    listener.behave = ({ path }) => path.endsWith('/validation') ? 'reset' : undefined;
    await simulate(operator); // no answer, and ResponseType is Completed
    await until(() => told(listener, '/confirmation').length === 3, 'the third confirmation');
    await register(operator, listener, { ResponseType: 'Cancelled' });
    await simulate(operator);
    await until(async () => (await operator.simOk('GET', '/requests')).data[0].reason
        ?.includes('ResponseType is Cancelled'), 'it is cancelled');
    equal(told(listener, '/validation').length, 4, 'each was asked about once');
    const wrong = await operator.simOk('POST', `/subscribers/${ANNA}/pay`,
        { short_code: CODE, amount: 700, reference: 'INV-1', pin: '9999' }, 201);
    await until(async () => (await operator.simOk('GET', `/requests/${wrong.id}`)).result_code
        === '2001', 'a wrong PIN');

    await server.restart();
    const { data } = await server.operator.simOk('GET', '/requests');
    equal(data.map((r) => r.id), [wrong.id, 'req_5', 'req_4', 'req_3', 'req_2', 'req_1'], 'the list');
    const next = await server.operator.simOk('GET', '/requests?starting_after=req_4');
    equal(next.data.map((r) => r.id), ['req_3', 'req_2', 'req_1'], 'and on');
    const organisation = await server.operator.simOk('GET', `/organisations/${CODE}`);
    equal(organisation.external_validation, true, 'the setting survives a kill');
    const asked = await server.operator.simOk('GET', '/deliveries?transaction=req_2');
    equal(asked.data.map((d) => d.kind).sort(), ['result', 'validation'], 'question and confirmation');
    await server.stop();
    verified(server);
    proved('confirmed with a rising balance; asked first when enabled; a rejection, a silent URL and ' +
           'a wrong PIN move nothing that they should not; proved by verify');
});

await story('an STK payment is confirmed, too, and both can be pulled for 48 hours', async (scene) => {
    const listener = await Listener.open(scene);
    const server = await Server.open(scene, ['--clock', 'virtual']);
    const { operator } = server;
    await operator.openSubscriber(ANNA, 1000 * SHILLING);
    const row = { ShortCode: String(CODE), RequestType: 'Pull', NominatedNumber: String(ANNA),
                  CallBackURL: listener.url };
    const pull = (fields = {}, method = 'GET') => daraja(operator, '/pulltransactions/v1/query', {
        ShortCode: String(CODE), StartDate: '2020-01-01 8:36:00', EndDate: '2099-12-31 10:10:00',
        OffSetValue: '0', ...fields }, method);
    equal((await register(operator, listener, { ValidationURL: undefined }, 'v1')).status, 200, 'v1');
    equal((await pull()).status, 400, 'not registered to pull');
    equal((await daraja(operator, '/pulltransactions/v1/register', row)).json.ResponseStatus, '1000', 'new');
    equal((await daraja(operator, '/pulltransactions/v1/register', row)).json.ResponseStatus, '1001', 'again');
    const none = await pull();
    equal([none.json.ResponseCode, none.json.Response], ['1001', [[]]], 'nothing yet');

    const { CheckoutRequestID: id } = await operator.pushed({
        BusinessShortCode: CODE, PartyB: CODE, PhoneNumber: ANNA, Amount: 100,
        CallBackURL: listener.url });
    await until(async () => (await operator.prompts(ANNA)).length > 0, 'the prompt');
    const paid = await operator.approved(id);
    await until(() => told(listener, '/confirmation').length === 1, 'the confirmation');
    const [confirmed] = told(listener, '/confirmation');
    equal([confirmed.TransID, confirmed.TransAmount], [paid.receipt, '100.00'], 'the same receipt');
    equal((await operator.deliveriesOf(id)).map((d) => d.kind), ['stk_callback', 'c2b_confirmation'],
          'what is listed of it');
    equal(confirmed.MSISDN, createHash('sha256').update(String(ANNA)).digest('hex'), 'hashed in v1');
    await simulate(operator, { BillRefNumber: 'B' }, 'v1');
    await until(() => told(listener, '/confirmation').length === 2, 'the next confirmation');

    const rows = (await pull()).json.Response[0];
    equal(rows.map((r) => [r.billreference, r.amount, r.msisdn, r.transactiontype]),
          [['INV-1', '100.00', 711000001, 'c2b-pay-bill-debit'],
           ['B', '5.00', 711000001, 'c2b-pay-bill-debit']], 'both, in order');
    equal(rows[0].transactionId, paid.receipt, 'its receipt');
    equal((await pull({ OffSetValue: '1' }, 'POST')).json.Response[0].length, 1, 'from row 1, by POST');
    equal((await pull({ EndDate: '2020-01-02 00:00:00' })).json.ResponseCode, '1001', 'an earlier time');
    // The longest texts that there are: an answer holds fewer rows, and who pulls goes on from there.
    const long = { amount: 100, short_code: CODE, reference: '"'.repeat(100), pin: '1234' };
    await operator.simOk('POST', '/subscribers', { msisdn: String(ANNA + 1), name: '"'.repeat(100),
        pin: '1234', balance: 10000000 }, 201);
    for (let n = 0; n < 600; n += 20) {
        await Promise.all(Array.from({ length: 20 }, () =>
            operator.simOk('POST', `/subscribers/${ANNA + 1}/pay`, long, 201)));
    }
    let pulled = 0;
    for (let page = [0]; page.length > 0; pulled += page.length) {
        [page] = (await pull({ OffSetValue: String(pulled) })).json.Response;
    }
    equal(pulled, 602, 'rows in all pages');
    await operator.advance(49 * 3600_000);
    await operator.authorize(); // tokens live an hour
    equal((await pull()).json.Response, [[]], 'after 48 hours');
    await server.stop();
    verified(server);
    proved('the STK payment and the C2B payment are told and can be pulled, for 48 hours');
});

// What ages away between two pages must not move the rows after it.
await story('the pages of one list begin at the same row', async (scene) => {
    const listener = await Listener.open(scene);
    const server = await Server.open(scene, ['--clock', 'virtual']);
    const { operator } = server;
    await operator.openSubscriber(ANNA, 1000 * SHILLING);
    equal((await register(operator, listener, { ValidationURL: undefined }, 'v1')).status, 200, 'v1');
    await daraja(operator, '/pulltransactions/v1/register', { ShortCode: String(CODE), RequestType: 'Pull',
        NominatedNumber: String(ANNA), CallBackURL: listener.url });
    const minutes = (count) => operator.advance(count * 60_000);
    const pay = (reference) => operator.simOk('POST', `/subscribers/${ANNA}/pay`,
        { amount: 100, short_code: CODE, reference, pin: '1234' }, 201);
    const now = async () => Date.parse((await operator.simOk('GET', '/clock')).now);
    await minutes(80 - new Date(await now()).getUTCMinutes());
    for (const reference of ['A', 'B']) { // at minute 20 and 35: 48 h old while the list is read
        await pay(reference);
        await minutes(15);
    }
    await minutes(60);
    for (const reference of ['C', 'D']) { // an hour and a half later
        await pay(reference);
        await minutes(15);
    }
    await minutes(48 * 60 - 5 - 120);
    const kenyan = async (back) => new Date(await now() + (3 - back) * 3600_000)
        .toISOString().slice(0, 19).replace('T', ' ');
    for (const window of [{ StartDate: await kenyan(48), EndDate: await kenyan(0) },
                          { StartDate: await kenyan(48), EndDate: await kenyan(2) }]) {
        const page = async (offset) => {
            await operator.authorize(); // tokens live an hour
            const { json } = await daraja(operator, '/pulltransactions/v1/query',
                { ShortCode: String(CODE), ...window, OffSetValue: String(offset) }, 'GET');
            return json.Response[0].map((row) => row.billreference);
        };
        const whole = await page(0);
        check(whole.at(-1) === 'D', `listed: ${whole}`);
        await minutes(12);
        equal(await page(1), whole.slice(1), 'the rest of it, a while later');
    }
    proved('rows that age away between two pages do not shift what comes after');
});

await story('everything that moved is in one list', async (scene) => {
    const server = await Server.open(scene, ['--clock', 'virtual']);
    const { operator } = server;
    await operator.openSubscriber(ANNA, 10000 * SHILLING);
    const expected = [];
    for (let n = 1; n <= 4; n++) {
        const { CheckoutRequestID: id } = await operator.pushed(
            { PhoneNumber: ANNA, Amount: n, AccountReference: `L-${n}` });
        await operator.approved(id);
        equal((await operator.simOk('POST', `/subscribers/${ANNA}/pay`,
              { short_code: CODE, amount: 100 * n, reference: `C-${n}`, pin: '1234' }, 201)).type,
              'c2b', 'type');
        await daraja(operator, '/mpesa/accountbalance/v1/query', {
            Initiator: 'testapi', SecurityCredential: 'eA==', CommandID: 'AccountBalance', PartyA: CODE,
            IdentifierType: '4', Remarks: 'r', QueueTimeOutURL: 'http://127.0.0.1:9/',
            ResultURL: 'http://127.0.0.1:9/' });
        expected.unshift(`req_${2 * n - 1}`, `txn_${n}`);
    }
    const all = await operator.wholeList('/transactions');
    equal(all.map((t) => t.id), expected, 'newest first, without the questions');
    equal([all[0].object, all[0].type, all[0].status, all[0].msisdn, all[0].party_b, all[0].amount],
          ['transaction', 'c2b', 'SUCCESS', ANNA, CODE, 400], 'a C2B payment');
    equal(all[0].receipt.length, 10, 'its receipt');
    equal(Object.keys(all[0]).sort(), Object.keys(all[1]).sort(), 'members');
    for (const id of [expected[2], expected[3]]) {
        const page = await operator.simOk('GET', `/transactions?limit=2&starting_after=${id}`);
        const at = expected.indexOf(id) + 1;
        equal([page.data.map((t) => t.id), page.has_more], [expected.slice(at, at + 2), true],
              `a page after ${id}`);
    }
    equal((await operator.transactions()).map((t) => t.id), ['txn_4', 'txn_3', 'txn_2', 'txn_1'],
          'STK payments only');
    equal((await operator.simOk('GET', '/transactions?type=account_balance')).data.length, 4,
          'questions, when they are asked for');
    equal((await operator.simOk('GET', `/transactions/${all[0].receipt}`)).id, 'req_7', 'by receipt');
    const page = await operator.simOk('GET', '/requests?limit=3');
    equal([page.data.map((r) => r.id), page.has_more], [['req_8', 'req_7', 'req_6'], true], '/requests');
    proved('STK payments, C2B and more in one list, page by page; /requests has a limit');
});

await story('every documented error', async (scene) => {
    const listener = await Listener.open(scene);
    const server = await Server.open(scene, ['--clock', 'virtual']);
    const { operator } = server;
    await operator.openSubscriber(ANNA, 1000 * SHILLING);
    const invalid = (field) => [400, '400.002.02', `Bad Request - Invalid ${field}`];
    const query = { ShortCode: String(CODE), StartDate: '2026-01-01 00:00:00',
                    EndDate: '2026-01-02 00:00:00', OffSetValue: '0' };
    const rows = [
        [() => register(operator, listener, { ShortCode: 'x' }), invalid('ShortCode')],
        [() => register(operator, listener, { ShortCode: '123456' }), invalid('ShortCode')],
        [() => register(operator, listener, { ResponseType: 'completed' }), invalid('ResponseType')],
        [() => register(operator, listener, { ConfirmationURL: 'nowhere' }), invalid('ConfirmationURL')],
        [() => register(operator, listener, { ConfirmationURL: undefined }), invalid('ConfirmationURL')],
        [() => register(operator, listener, { ValidationURL: 'ftp://x' }), invalid('ValidationURL')],
        [() => simulate(operator, { CommandID: 'Pay' }), invalid('CommandID')],
        [() => simulate(operator, { Amount: 0 }), invalid('Amount')],
        [() => simulate(operator, { Amount: '1.50' }), invalid('Amount')],
        [() => simulate(operator, { Msisdn: '0711000001' }), invalid('Msisdn')],
        [() => simulate(operator, { BillRefNumber: '' }), invalid('BillRefNumber')],
        [() => daraja(operator, '/mpesa/c2b/v2/simulate', 'no object'),
         [400, '400.002.05', 'Invalid Request Payload']],
        [() => operator.call('POST', '/mpesa/c2b/v1/registerurl',
                             { body: {}, headers: { Authorization: 'Bearer nonsense' } }),
         [400, '400.003.01', 'Invalid Access Token']],
        [() => operator.call('POST', '/mpesa/c2b/v1/registerurl', { body: {} }),
         [404, '404.001.04', 'Invalid Authenticator Header']],
        [() => daraja(operator, '/mpesa/c2b/v3/registerurl', {}),
         [404, '404.003.01', 'Resource not found']],
        [() => daraja(operator, '/mpesa/c2b/v2/simulate', undefined, 'GET'),
         [405, '405.001', 'GET Method Not Allowed']],
        [() => daraja(operator, '/pulltransactions/v1/register', { ShortCode: String(CODE),
            RequestType: 'Push' }), invalid('RequestType')],
        [() => daraja(operator, '/pulltransactions/v1/query', { ...query, StartDate: 'yesterday' }),
         invalid('StartDate')],
        [() => daraja(operator, '/pulltransactions/v1/query', { ...query, EndDate: '2025-01-01 00:00:00' }),
         invalid('EndDate')],
        [() => daraja(operator, '/pulltransactions/v1/query', { ...query, OffSetValue: '-1' }),
         invalid('OffSetValue')],
    ];
    for (const [ask, expected] of rows) {
        const { status, json } = await ask();
        equal([status, json?.errorCode, json?.errorMessage], expected, String(ask));
    }
    const pay = (fields) => operator.sim('POST', `/subscribers/${ANNA}/pay`,
        { short_code: CODE, amount: 100, reference: 'A', pin: '1234', ...fields });
    for (const [fields, code] of [[{ short_code: 1 }, 'invalid_short_code'],
                                  [{ amount: '5' }, 'invalid_amount'], [{ pin: '12' }, 'invalid_pin'],
                                  [{ reference: 'x'.repeat(101) }, 'invalid_reference']]) {
        const answer = await pay(fields);
        equal([answer.status, answer.json.code], [400, code], code);
    }
    equal((await operator.sim('POST', '/subscribers/254799999999/pay',
                              { short_code: CODE, amount: 100, pin: '1234' })).status, 404, 'nobody');
    equal((await operator.sim('PATCH', '/organisations/123456', { external_validation: true })).status,
          404, 'no organisation');
    equal((await operator.sim('PATCH', '/organisations/174379', {})).status, 400, 'nothing to change');
    for (const change of [{ external_validation: 'yes' }, { external_validation: true, active: false }]) {
        const answer = await operator.sim('PATCH', '/organisations/174379', change);
        equal([answer.status, answer.json.code], [400, 'invalid_external_validation'],
              JSON.stringify(change));
    }
    const shop = await operator.simOk('GET', '/organisations/174379');
    equal([shop.external_validation, shop.active], [false, true], 'as it was');
    proved('each error in Daraja\'s words, or with a stable code of ours');
});

await story('daraja-strict: registered once, one version, no simulation', async (scene) => {
    const listener = await Listener.open(scene);
    const server = await Server.open(scene, ['--clock', 'virtual', '--profile', 'daraja-strict']);
    const { operator } = server;
    const key = 'shop-key-0123456789';
    await operator.simOk('POST', '/organisations', { short_code: CODE, name: 'Shop',
        consumer_key: key, consumer_secret: 'shop-secret-0123456789' }, 201);
    await operator.authorize(key, 'shop-secret-0123456789');
    const urls = { ConfirmationURL: 'https://shop.example.com/c', ValidationURL: 'https://shop.example.com/v' };
    for (const word of ['mpesa', 'M-Pesa', 'safaricom', 'exe', 'exec', 'cmd', 'SQL', 'query']) {
        const { json } = await register(operator, listener,
            { ...urls, ConfirmationURL: `https://shop.example.com/${word}` });
        equal(json.errorMessage, 'Bad Request - Invalid ConfirmationURL', word);
    }
    equal((await register(operator, listener, urls)).status, 200, 'once');
    const again = await register(operator, listener, urls);
    equal([again.status, again.json.errorCode, again.json.errorMessage],
          [500, '500.003.1001', 'Urls are already registered.'], 'twice');
    const other = await register(operator, listener, urls, 'v1');
    equal([other.status, other.json.errorCode], [401, '401.003.01'], 'the other version');
    equal((await simulate(operator)).status, 404, 'no simulation');
    proved('as in production');
});
