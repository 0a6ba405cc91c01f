// An application that speaks Daraja pays out and reverses through the gateway (R6.12): mpesa-node
// 0.1.3, unmodified, and B2C v3 by hand. Each is held, sent once under an id of ours and found out
// when no result comes; Results and QueueTimeOuts come Daraja-shaped under the ids that the
// application knows, at least once.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { both, PHONE, prompt } from '../lib/gateway.mjs';
import { request } from '../lib/http.mjs';
import { Listener } from '../lib/listener.mjs';
import { Operator, PASSKEY, SHORT_CODE } from '../lib/operator.mjs';
import { HAKIKA } from '../lib/server.mjs';
import { check, equal, matches, proved, story, until } from '../lib/story.mjs';

const folder = fileURLToPath(new URL('../clients/mpesa-node/', import.meta.url));
const Mpesa = createRequire(folder)('mpesa-node');
const ACCEPTED = 'Accept the service request successfully.';

async function client(scene, { operator, ready }) {
    const certificate = scene.path('certificate.pem');
    writeFileSync(certificate, (await operator.sim('GET', '/certificate')).text);
    const mpesa = new Mpesa({ consumerKey: 'any key', consumerSecret: 'any secret',
                              environment: 'sandbox', shortCode: SHORT_CODE,
                              lipaNaMpesaShortCode: SHORT_CODE, lipaNaMpesaShortPass: PASSKEY,
                              initiatorName: 'testapi', certPath: certificate,
                              securityCredential: 'Safaricom999!*!' });
    mpesa.baseURL = ready.merchant;
    return mpesa;
}

// A payment of this many shillings through the gateway; its receipt.
async function sold(server, mpesa, app, shillings, reference) {
    await mpesa.lipaNaMpesaOnline(PHONE, shillings, app.url, reference);
    const [made] = (await server.gateway.ok('GET', '/v1/payments')).data;
    await server.gateway.become(made.id, 'pending');
    await server.operator.approved(await prompt(server.operator));
    return (await server.gateway.become(made.id, 'succeeded')).receipt;
}

const results = (app, conversation) => app.received.map((one) => one.json.Result)
    .filter((one) => one?.ConversationID === conversation);
const result = (app, conversation) =>
    until(() => results(app, conversation)[0], `the Result of ${conversation}`);
const parameters = (one) => Object.fromEntries(
    [one.ResultParameters.ResultParameter].flat().map((item) => [item.Key, item.Value]));

await story('mpesa-node pays out and reverses', async (scene) => {
    const server = await both(scene);
    const { gateway, operator } = server;
    const app = await Listener.open(scene);
    const mpesa = await client(scene, server);
    const receipt = await sold(server, mpesa, app, 1000, 'INV-1');

    const before = await operator.balance();
    const { data } = await mpesa.b2c(SHORT_CODE, PHONE, 200, `${app.url}/late`, `${app.url}/result`,
                                     'SalaryPayment', null, 'Wages of March', 'March');
    equal([data.ResponseCode, data.ResponseDescription], ['0', ACCEPTED], 'it is accepted');
    matches(data.ConversationID, /^AG_\d{8}_2010[0-9a-f]{16}$/, 'ConversationID');
    const paid = await result(app, data.ConversationID);
    equal([paid.ResultCode, paid.OriginatorConversationID], [0, data.OriginatorConversationID], 'paid');
    const { TransactionAmount, TransactionReceipt, ReceiverPartyPublicName,
            B2CUtilityAccountAvailableFunds } = parameters(paid);
    equal(TransactionAmount, 200, 'its amount');
    check(ReceiverPartyPublicName.startsWith(String(PHONE)), 'its receiver');
    check(Number.isFinite(B2CUtilityAccountAvailableFunds), 'what the provider adds, too');
    equal(await operator.balance() - before, 20000, 'the person has it');
    equal(await gateway.balance('wallet'), 80000, 'the wallet has not');
    const [payout] = (await gateway.ok('GET', '/v1/payouts')).data;
    equal([payout.status, payout.receipt, payout.description],
          ['succeeded', TransactionReceipt, 'Wages of March'], 'a payout like any other');
    const [seen] = (await operator.simOk('GET', '/requests')).data;
    matches(seen.originator_conversation_id, /^hk-[0-9a-f]{32}$/, 'the provider has it under our id');
    proved('B2C: held, sent under our id, its Result told on with all that the provider said');

    const back = (await mpesa.reversal(receipt, 1000, `${app.url}/late`, `${app.url}/reversed`)
        .then(() => undefined, (error) => error.response));
    equal([back.status, back.data.errorMessage],
          [500, 'The balance is insufficient for the transaction.'], 'what was paid out is not there');
    const second = await sold(server, mpesa, app, 300, 'INV-2');
    const had = await operator.balance();
    const ask = () => mpesa.reversal(second, 300, `${app.url}/late`, `${app.url}/reversed`);
    const reversal = (await ask()).data;
    const reversed = await result(app, reversal.ConversationID);
    equal([reversed.ResultCode, parameters(reversed).OriginalTransactionID], [0, second], 'reversed');
    equal(await operator.balance() - had, 30000, 'the payer has it again');
    equal((await ask()).data, reversal, 'the same again: the same answer');
    const refused = async (...what) => (await mpesa.reversal(...what)
        .then(() => undefined, (error) => error.response)).data.errorMessage;
    equal(await refused(second, 300, app.url, `${app.url}/other`),
          'The transaction has already been reversed', 'for another receiver of results');
    equal(await refused('TK60708BHZ', 300, app.url, app.url), 'The OriginalTransactionID is invalid.',
          'what was not paid here');
    equal(await refused(receipt, 1, app.url, app.url), 'Bad Request - Invalid Amount', 'a part of it');
    equal((await gateway.ok('GET', '/v1/refunds')).data.length, 1, 'one refund');
    equal((await gateway.ok('GET', '/v1/payments')).data.map((one) => one.status),
          ['reversed', 'succeeded'], 'the payments');
    proved('Reversal: through the refund machine, whole and once');

    const third = await sold(server, mpesa, app, 500, 'INV-3');
    const give = () => mpesa.reversal(third, 500, `${app.url}/late`, `${app.url}/again`)
        .then(({ data: told }) => told, (error) => error.response.data);
    await operator.simOk('PUT', '/rules', { rules: [
        { name: 'no', match: { api: 'reversal' }, then: { outcome: { code: '2001' } } }] });
    const failed = await give();
    equal((await result(app, failed.ConversationID)).ResultCode, 2001, 'the provider refuses it');
    await operator.simOk('PUT', '/rules', { rules: [] });
    const drained = (await mpesa.b2c(SHORT_CODE, PHONE, 1000, `${app.url}/late`, `${app.url}/result`,
                                     'SalaryPayment', null, 'Wages', 'April')).data;
    equal((await result(app, drained.ConversationID)).ResultCode, 0, 'the wallet is emptied');
    equal((await give()).errorMessage, 'The balance is insufficient for the transaction.',
          'one that failed is no answer to the next');
    await sold(server, mpesa, app, 900, 'INV-4');
    const anew = await give();
    check(anew.ConversationID && anew.ConversationID !== failed.ConversationID, 'another reversal');
    equal((await result(app, anew.ConversationID)).ResultCode, 0, 'reversed at last');
    proved('Reversal: one that failed is asked for anew, or refused at once, never taken for done');

    // A person accepted less than was asked for: what was paid is given back, and that is its Amount.
    await operator.simOk('PUT', '/rules', { rules: [
        { name: 'silent', match: { api: 'stk_push' }, then: { prompt: { act: 'ignore' }, callback: { never: true } } }] });
    await mpesa.lipaNaMpesaOnline(PHONE, 700, app.url, 'INV-5');
    const { id } = (await gateway.ok('GET', '/v1/payments')).data[0];
    const asked = await gateway.become(id, 'pending');
    const push = (await operator.transactions()).find((one) => one.checkout_request_id === asked.checkout_request_id);
    const paidByHand = await operator.call('POST', '/mpesa/c2b/v2/simulate', { headers: await operator.bearer(),
        body: { ShortCode: SHORT_CODE, CommandID: 'CustomerPayBillOnline', Msisdn: PHONE, Amount: 650, BillRefNumber: 'INV-5' } });
    equal(paidByHand.status, 200, paidByHand.text);
    const { receipt: came } = await until(async () => (await operator.wholeList('/transactions'))
        .find((one) => one.amount === 65000 && one.receipt), 'what was paid');
    const { origin, pathname } = new URL(push.callback_url);
    await request(origin, 'POST', pathname, { body: { Body: { stkCallback: {
        MerchantRequestID: asked.merchant_request_id, CheckoutRequestID: asked.checkout_request_id,
        ResultCode: 0, ResultDesc: 'OK', CallbackMetadata: { Item: [
            { Name: 'Amount', Value: 650 }, { Name: 'MpesaReceiptNumber', Value: came }] } } } } });
    await gateway.become(id, 'mismatched');
    await gateway.ok('POST', `/v1/payments/${id}/decide`,
                     { decision: 'accept', amount: 65000, owner: 'Wanjiru', note: 'agreed' });
    equal(await refused(came, 700, app.url, app.url), 'Bad Request - Invalid Amount', 'what was asked for');
    const less = (await mpesa.reversal(came, 650, `${app.url}/late`, `${app.url}/reversed`)).data;
    equal((await result(app, less.ConversationID)).ResultCode, 0, 'what was paid is reversed');
    equal((await gateway.payment(id)).status, 'reversed', 'whole');
    proved('Reversal: of what a person accepted, with what was paid');
});

await story('B2C v3: once for each OriginatorConversationID', async (scene) => {
    const server = await both(scene);
    const { gateway, operator } = server;
    const app = await Listener.open(scene);
    const mpesa = await client(scene, server);
    await sold(server, mpesa, app, 1000, 'INV-1');
    const body = { OriginatorConversationID: 'wage-1', InitiatorName: 'testapi',
                   SecurityCredential: 'AAAA', CommandID: 'BusinessPayment', Amount: 100,
                   PartyA: SHORT_CODE, PartyB: PHONE, Remarks: 'wages',
                   QueueTimeOutURL: `${app.url}/late`, ResultURL: `${app.url}/result` };
    const pay = async (fields = {}) => request(server.ready.merchant, 'POST',
        '/mpesa/b2c/v3/paymentrequest', { headers: await new Operator(server.ready.merchant).bearer(),
                                          body: { ...body, ...fields } });
    for (const [fields, words] of [
        [{ InitiatorName: 'somebody' }, 'The initiator information is invalid.'],
        [{ PartyA: 600000 }, 'Merchant does not exist'],
        [{ Amount: '10.50' }, 'Bad Request - Invalid Amount'],
        [{ Amount: 2000 }, 'The balance is insufficient for the transaction.'],
        [{ ResultURL: 'x' }, 'Bad Request - Invalid ResultURL'],
    ]) {
        equal((await pay(fields)).json.errorMessage, words, JSON.stringify(fields));
    }
    equal((await gateway.ok('GET', '/v1/payouts')).data, [], 'nothing was made of those');

    // Eight at once, the application failing twice, kill -9 in between: one payout, one Result.
    app.behave = (one) => (one.path.endsWith('/result') &&
        results(app, one.json.Result.ConversationID).length <= 2 ? { status: 500 } : undefined);
    const before = await operator.balance();
    const answers = await Promise.all(Array.from({ length: 8 }, () => pay()));
    equal(new Set(answers.map((one) => one.text)).size, 1, 'the same answer to each');
    const { ConversationID } = answers[0].json;
    equal(answers[0].json.OriginatorConversationID, 'wage-1', 'its own id');
    equal((await pay({ Amount: 101 })).json.errorMessage, 'Duplicate OriginatorConversationID.',
          'another payout with it');
    await until(() => results(app, ConversationID).length === 1, 'a first attempt');
    await server.restart();
    await until(async () => {
        await server.operator.advance(1000);
        return results(app, ConversationID).length >= 3;
    }, 'until it is taken');
    const told = results(app, ConversationID);
    equal(new Set(told.map((one) => JSON.stringify(one))).size, 1, 'the same message each time');
    equal([told[0].ResultCode, told[0].OriginatorConversationID], [0, 'wage-1'], 'its Result');
    equal((await pay()).json.ConversationID, ConversationID, 'asked again after all that');
    equal(await server.operator.balance() - before, 10000, 'paid once');
    equal((await server.gateway.ok('GET', '/v1/payouts')).data.length, 1, 'one payout');
    proved('eight requests, a kill and a failing application: one payout, and its Result arrives');

    // It waits in the provider's queue, and then its result is lost: found out, and told.
    app.behave = () => undefined;
    await server.operator.simOk('PATCH', `/organisations/${SHORT_CODE}`, { queue_delay_ms: 40_000 });
    const slow = (await pay({ OriginatorConversationID: 'wage-2' })).json.ConversationID;
    await until(async () => {
        await server.operator.advance(5000);
        return results(app, slow).length >= 2;
    }, 'that it waits, and its Result');
    const [late, end] = results(app, slow);
    equal([late.ResultType, late.OriginatorConversationID, app.received.find((one) =>
        one.json.Result === late).path], [1, 'wage-2', '/callback/late'], 'QueueTimeOut first');
    equal([end.ResultType, end.ResultCode], [0, 0], 'then its Result');
    await server.operator.simOk('PATCH', `/organisations/${SHORT_CODE}`, { queue_delay_ms: 0 });
    await server.operator.simOk('PUT', '/rules', { rules: [
        { name: 'lost', match: { api: 'b2c' }, then: { callback: { never: true } } }] });
    const lost = (await pay({ OriginatorConversationID: 'wage-3' })).json.ConversationID;
    await until(async () => {
        await server.operator.advance(30_000);
        return results(app, lost).length > 0;
    }, 'a Result that the provider never sent');
    const found = results(app, lost)[0];
    equal([found.ResultCode, parameters(found).TransactionAmount], [0, 100], 'found by status');
    await server.operator.simOk('PUT', '/rules', { rules: [] });
    await server.operator.simOk('PATCH', `/subscribers/${PHONE}`, { status: 'suspended' });
    const failed = await result(app, (await pay({ OriginatorConversationID: 'wage-4' })).json.ConversationID);
    check(failed.ResultCode !== 0 && !('ResultParameters' in failed), 'a failure');
    equal(await server.gateway.balance('wallet'), 70000, 'three were paid out, once each');
    equal(await server.operator.balance() - before, 30000, 'and arrived');
    proved('QueueTimeOut, a lost Result and a failure are told as Daraja tells them');
    equal(await server.stop(), 0, 'a clean stop');
    execFileSync(HAKIKA, ['verify', server.data]);
    await server.start();
    equal((await pay()).json.ConversationID, ConversationID, 'and known after a snapshot');
    proved('the journal proves it');
});

await story('C2B: confirmations go on to the application', async (scene) => {
    const server = await both(scene);
    const app = await Listener.open(scene);
    const mpesa = await client(scene, server);
    const registered = async () => (await server.gateway.ok('GET', '/v1/providers')).data[0].c2b;
    const first = (await mpesa.c2bRegister(`${app.url}/old`, `${app.url}/validation`)).data;
    equal([first.ResponseCode, first.ResponseDescription], ['0', 'Success'], 'it is kept');
    await until(async () => (await registered()).status === 'registered', 'the gateway\'s own URLs');
    const wrong = await mpesa.c2bRegister(app.url, app.url, 600000).catch((error) => error.response);
    equal([wrong.status, wrong.data.errorMessage], [400, 'Bad Request - Invalid ShortCode'], 'another code');
    await mpesa.c2bRegister(`${app.url}/confirmation`, `${app.url}/validation`);
    const { status, forwarded_to } = await registered();
    equal([status, forwarded_to], ['registered', `${app.url}/confirmation`], 'the latest URL counts');

    // It comes three times to the gateway, the application fails twice, kill -9 in between.
    const pays = async (BillRefNumber, Amount) => server.operator.call('POST', '/mpesa/c2b/v2/simulate', {
        headers: await server.operator.bearer(),
        body: { ShortCode: SHORT_CODE, CommandID: 'CustomerPayBillOnline', Amount, Msisdn: PHONE,
                BillRefNumber } });
    await server.operator.simOk('PUT', '/rules', { rules: [
        { name: 'thrice', match: { api: 'c2b' }, then: { callback: { times: 3, spacing_ms: 1000 } } }] });
    app.behave = (_, count) => (count <= 2 ? { status: 500 } : undefined);
    equal((await pays('INV-7', 70)).status, 200, 'a customer pays by paybill');
    await until(() => app.received.length === 1, 'a first attempt');
    const receipts = (await server.gateway.ok('GET', '/v1/receipts')).data;
    equal(receipts.map((one) => [one.account_reference, one.amount]), [['INV-7', 7000]],
          'ours is durable before');
    await server.restart();
    await until(async () => {
        await server.operator.advance(1000);
        return app.received.length >= 3;
    }, 'until it is taken');
    await server.operator.advance(60_000);
    equal(new Set(app.received.map((one) => one.text)).size, 1, 'the same message each time');
    equal(app.received.length, 3, 'not again for what came twice');
    const [{ path, json }] = app.received;
    equal([path, json.TransID, json.BillRefNumber, Number(json.TransAmount)],
          ['/callback/confirmation', receipts[0].receipt, 'INV-7', 70], 'as Daraja tells it');
    equal((await server.gateway.ok('GET', '/v1/receipts')).data.length, 1, 'one receipt');
    proved('C2B: durable here first, then told on as it came, at least once');
});
