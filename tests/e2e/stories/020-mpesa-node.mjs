// Safaricom's own client, mpesa-node 0.1.3, drives a payment from the token to the callback. Nothing
// in it is changed but the address that it calls, which is all that an integration has to change.
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { Listener } from '../lib/listener.mjs';
import { PASSKEY, PHONE, SHORT_CODE } from '../lib/operator.mjs';
import { Server } from '../lib/server.mjs';
import { check, equal, matches, proved, story, until } from '../lib/story.mjs';

const folder = fileURLToPath(new URL('../clients/mpesa-node/', import.meta.url));
const Mpesa = createRequire(folder)('mpesa-node');

function client(base) {
    const mpesa = new Mpesa({ consumerKey: 'any key', consumerSecret: 'any secret',
                              environment: 'sandbox', lipaNaMpesaShortCode: SHORT_CODE,
                              lipaNaMpesaShortPass: PASSKEY });
    mpesa.baseURL = base;
    return mpesa;
}

for (const profile of ['dev', 'sandbox', 'daraja-strict']) {
    await story(`mpesa-node pays, profile ${profile}`, async (scene) => {
        const flags = ['--profile', profile];
        if (profile === 'daraja-strict') flags.push('--callback-allow', '127.0.0.0/8');
        const listener = await Listener.open(scene);
        const { base, operator } = await Server.open(scene, flags);
        const mpesa = client(base);
        if (profile === 'daraja-strict') {
            await operator.simOk('POST', '/organisations', {
                short_code: 600123, name: 'Duka', passkey: PASSKEY, consumer_key: 'any key',
                consumer_secret: 'any secret' }, 201);
            mpesa.configs.lipaNaMpesaShortCode = 600123;
        }
        const shortCode = mpesa.configs.lipaNaMpesaShortCode;
        const utility = await operator.utility(shortCode);
        const token = (await mpesa.oAuth()).data;
        matches(token.access_token, /^[A-Za-z0-9]{28}$/, 'access_token');
        equal(token.expires_in, '3599', 'expires_in');
        proved('OAuth gives a token of 28 characters that expires in "3599"');

        const push = (await mpesa.lipaNaMpesaOnline(PHONE, 250, listener.url, 'INV-1')).data;
        const { CheckoutRequestID: id, MerchantRequestID: merchant } = push;
        equal(push, { MerchantRequestID: merchant, CheckoutRequestID: id, ResponseCode: '0',
                      ResponseDescription: 'Success. Request accepted for processing',
                      CustomerMessage: 'Success. Request accepted for processing' },
              'the answer to the push');
        proved(`lipaNaMpesaOnline is accepted as ${id}`);

        if (profile !== 'sandbox') { // there, the test number approves by itself
            const open = (await mpesa.lipaNaMpesaQuery(id)).data;
            equal([open.ResponseCode, open.ResultCode, open.ResultDesc],
                  ['0', '4999', 'The transaction is still under processing'],
                  'the query while the prompt is open');
            const approval = await operator.approve(id);
            equal(approval.json.status, 'SUCCESS', 'the payment after the PIN');
            proved('lipaNaMpesaQuery says 4999 while the prompt is open');
        }
        const result = await listener.callback(id);
        const items = Object.fromEntries(result.CallbackMetadata.Item.map((i) => [i.Name, i.Value]));
        equal([result.MerchantRequestID, result.ResultCode, result.ResultDesc, items.Amount,
               items.PhoneNumber],
              [merchant, 0, 'The service request is processed successfully.', 250, PHONE],
              'the callback');
        const call = listener.received[0];
        equal([call.method, call.path, call.headers['content-type']],
              ['POST', '/callback', 'application/json'], 'the callback as a request');
        equal(listener.received.length, 1, 'callbacks');
        proved(`the callback came once, ResultCode 0, receipt ${items.MpesaReceiptNumber}`);

        const query = (await mpesa.lipaNaMpesaQuery(id)).data;
        equal(query, { ResponseCode: '0',
                       ResponseDescription: 'The service request has been accepted successsfully',
                       MerchantRequestID: merchant, CheckoutRequestID: id, ResultCode: '0',
                       ResultDesc: 'The service request is processed successfully.' },
              'the answer to the query');
        equal(await operator.utility(shortCode), utility + 25000, 'what the merchant has');
        equal(await operator.balance(), 10000000 - 25000, 'what the payer has');
        proved('lipaNaMpesaQuery says "0", and the money moved once');

        if (profile === 'daraja-strict') {
            const stranger = client(base);
            stranger.configs.consumerKey = 'someone else';
            const refusal = await stranger.oAuth().then(() => undefined, (error) => error.response);
            check(refusal, 'unknown credentials got a token');
            equal([refusal.status, refusal.data], [400, ''], 'OAuth with unknown credentials');
            proved('unknown credentials get 400 and an empty body, as on the real network');
        }
    });
}

// Payouts, payments between organisations, balance, status and reversal: with the initiator's
// password really encrypted for the certificate that the server publishes, and with results that
// agree with the accounts.
await story('mpesa-node asks for what organisations ask for', async (scene) => {
    const listener = await Listener.open(scene);
    const { base, operator } = await Server.open(scene);
    const mpesa = client(base);
    const certPath = scene.path('certificate.pem');
    writeFileSync(certPath, (await operator.call('GET', '/sim/v1/certificate')).text);
    Object.assign(mpesa.configs, { certPath, securityCredential: 'Safaricom999!*!',
                                   initiatorName: 'testapi', shortCode: SHORT_CODE });
    const [late, url] = [`${listener.url}/late`, `${listener.url}/result`];
    const bulk = 600999;
    const other = 600000;
    // The result of a call, and its parameters by name.
    const result = async (call) => {
        const { ConversationID, ResponseCode } = (await call).data;
        equal(ResponseCode, '0', 'ResponseCode');
        const find = () => listener.received.find((c) => c.json.Result?.ConversationID ===
                                                         ConversationID);
        await until(() => find(), 'the result arrives');
        const found = find().json.Result;
        const list = [found.ResultParameters?.ResultParameter ?? []].flat();
        return { ...found, code: Number(found.ResultCode),
                 told: Object.fromEntries(list.map((p) => [p.Key, p.Value])) };
    };
    const push = (await mpesa.lipaNaMpesaOnline(PHONE, 250, listener.url, 'INV-1')).data;
    const payment = await operator.approved(push.CheckoutRequestID);

    const payout = await result(mpesa.b2c(bulk, PHONE, 2000, late, url));
    const funds = await operator.accounts(bulk);
    equal([payout.told.B2CUtilityAccountAvailableFunds, payout.told.B2CWorkingAccountAvailableFunds,
           payout.told.B2CChargesPaidAccountAvailableFunds].map((kes) => kes * 100),
          [funds.utility, funds.working, funds.charges_paid], 'b2c: the balances');
    equal(await operator.balance(), 10000000 - 25000 + 200000, 'b2c: what the customer has');

    const bill = await result(mpesa.b2b(SHORT_CODE, other, 239, late, url, 4, 4, null,
                                        'BusinessPayBill', '353353'));
    const working = (await operator.accounts()).working;
    check(bill.told.DebitAccountBalance.includes(`MinimumAmount=${working},`), 'b2b: the balance');
    const legacy = await result(mpesa.b2b(SHORT_CODE, other, 1, late, url));
    equal(legacy.code, 0, 'b2b with the defaults of the library');

    const { told: { AccountBalance } } =
        await result(mpesa.accountBalance(SHORT_CODE, 4, late, url));
    const shown = Object.fromEntries(AccountBalance.split('&').map((account) => {
        const [name, , current] = account.split('|');
        return [name, Math.round(Number(current) * 100)];
    }));
    const { utility, working: left, charges_paid: charges, settlement } = await operator.accounts();
    equal(shown, { 'Working Account': left, 'Float Account': 0, 'Utility Account': utility,
                   'Charges Paid Account': charges,
                   'Organization Settlement Account': settlement }, 'accountBalance');

    const status = await result(mpesa.transactionStatus(payment.receipt, SHORT_CODE, 4, late, url));
    equal([status.told.ReceiptNo, status.told.TransactionStatus, status.told.Amount],
          [payment.receipt, 'Completed', 250], 'transactionStatus');
    const reversal = await result(mpesa.reversal(payment.receipt, 250, late, url));
    equal([reversal.code, reversal.told.OriginalTransactionID], [0, payment.receipt], 'reversal');
    const utilityAfter = await operator.utility();
    equal(reversal.told.DebitAccountBalance.split('|')[2], (utilityAfter / 100).toFixed(2),
          'reversal: the balance');
    equal(utilityAfter, utility - 25000, 'reversal: the money');
    check(/^[A-Z0-9]{10}$/.test(reversal.TransactionID) &&
          new Set([payment.receipt, payout.TransactionID, bill.TransactionID, legacy.TransactionID,
                   reversal.TransactionID]).size === 5, 'each has a receipt of its own');

    mpesa.configs.securityCredential = 'not the password';
    const refused = await result(mpesa.accountBalance(SHORT_CODE, 4, late, url));
    equal(refused.code, 2001, 'a wrong initiator password');
    proved('b2c, b2b, accountBalance, transactionStatus, reversal: ids and balances that agree');
});
