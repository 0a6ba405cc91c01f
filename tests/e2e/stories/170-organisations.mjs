// What organisations ask for beside payouts, over HTTP from the request to the result: every number
// in a result is the one that the accounts show.
import { Listener } from '../lib/listener.mjs';
import { PHONE, SHORT_CODE } from '../lib/operator.mjs';
import { Server } from '../lib/server.mjs';
import { check, equal, matches, proved, story, until } from '../lib/story.mjs';

const BULK = 600999;
const TILL = 5551234;
const OTHER = 600000;
const MILLION = 100000000; // cents: what an organisation starts with in each account
const KES = (cents) => (cents / 100).toFixed(2);
const amountText = (cents) =>
    `{Amount={CurrencyCode=KES, MinimumAmount=${cents}, BasicAmount=${KES(cents)}}}`;

const COMMON = (listener) => ({
    Initiator: 'testapi', SecurityCredential: 'bm90IG1hZGUgd2l0aCBvdXIga2V5', Remarks: 'OK',
    QueueTimeOutURL: `${listener.url}/late`, ResultURL: `${listener.url}/result`,
});
const CALLS = {
    balance: ['/mpesa/accountbalance/v1/query',
              { CommandID: 'AccountBalance', PartyA: SHORT_CODE, IdentifierType: '4' }],
    status: ['/mpesa/transactionstatus/v1/query',
             { CommandID: 'TransactionStatusQuery', PartyA: SHORT_CODE, IdentifierType: '4',
               TransactionID: 'TK60708BHZ', Occasion: 'why' }],
    reversal: ['/mpesa/reversal/v1/request',
               { CommandID: 'TransactionReversal', TransactionID: 'TK60708BHZ', Amount: '70',
                 ReceiverParty: SHORT_CODE, RecieverIdentifierType: '11' }],
    b2b: ['/mpesa/b2b/v1/paymentrequest',
          { CommandID: 'BusinessPayBill', SenderIdentifierType: '4', RecieverIdentifierType: '4',
            Amount: '239', PartyA: SHORT_CODE, PartyB: OTHER, AccountReference: '353353',
            Requester: '254700000000', Occassion: '' }],
    tax: ['/mpesa/b2b/v1/remittax',
          { CommandID: 'PayTaxToKRA', SenderIdentifierType: '4', RecieverIdentifierType: '4',
            Amount: '239', PartyA: SHORT_CODE, PartyB: 572572, AccountReference: '353353' }],
    payout: ['/mpesa/b2c/v1/paymentrequest',
             { InitiatorName: 'testapi', CommandID: 'BusinessPayment', Amount: '2000', PartyA: BULK,
               PartyB: PHONE }],
};

async function post(operator, listener, call, fields = {}) {
    const [path, body] = CALLS[call];
    const all = { ...COMMON(listener), ...body, ...fields };
    for (const [name, value] of Object.entries(all)) if (value === undefined) delete all[name];
    return operator.call('POST', path, { body: all, headers: await operator.bearer() });
}

// Asks, and waits for what comes to the result URL: {Result} of that conversation.
async function ask(operator, listener, call, fields = {}) {
    const answer = await post(operator, listener, call, fields);
    equal([answer.status, answer.json.ResponseCode, answer.json.ResponseDescription],
          [200, '0', 'Accept the service request successfully.'], `the answer to ${call}`);
    const id = answer.json.ConversationID;
    matches(id, /^AG_\d{8}_2010[0-9a-f]{16}$/, 'ConversationID');
    const about = () => listener.received.find((c) => c.path.endsWith('/result') &&
                                                      c.json.Result.ConversationID === id);
    await until(() => about(), `the result of ${call} arrives`);
    const result = about().json.Result;
    equal(result.OriginatorConversationID, answer.json.OriginatorConversationID,
          'OriginatorConversationID');
    return result;
}

function parameters(result) {
    return Object.fromEntries(result.ResultParameters.ResultParameter.map((p) => [p.Key, p.Value]));
}

async function paid(operator, amount, fields = {}) {
    const id = (await operator.pushed({ Amount: amount, ...fields })).CheckoutRequestID;
    return operator.approved(id);
}

async function open(scene, flags = []) {
    const listener = await Listener.open(scene);
    const { operator } = await Server.open(scene, flags);
    return { listener, operator };
}

await story('account balance', async (scene) => {
    const { listener, operator } = await open(scene);
    await paid(operator, 70);
    const result = await ask(operator, listener, 'balance');
    equal([result.ResultType, result.ResultCode], ['0', '0'], 'type and code are strings');
    matches(result.TransactionID, /^[A-Z0-9]{3}0{7}$/, 'TransactionID');
    const { AccountBalance, BOCompletedTime } = parameters(result);
    const million = '1000000.00|1000000.00|0.00|0.00';
    equal(AccountBalance,
          `Working Account|KES|${million}&Float Account|KES|0.00|0.00|0.00|0.00&` +
          'Utility Account|KES|1000070.00|1000070.00|0.00|0.00&' +
          'Charges Paid Account|KES|0.00|0.00|0.00|0.00&' +
          'Organization Settlement Account|KES|0.00|0.00|0.00|0.00', 'AccountBalance');
    equal([typeof BOCompletedTime, String(BOCompletedTime).length], ['number', 14], 'time');
    const till = parameters(await ask(operator, listener, 'balance',
                                      { PartyA: TILL, IdentifierType: 2 }));
    check(till.AccountBalance.includes(`&Merchant Account|KES|${million}&`), till.AccountBalance);
    listener.behave = () => ({ status: 500 });
    const late = await ask(operator, listener, 'balance');
    const request = (await operator.simOk('GET', '/requests')).data[0];
    equal(request.conversation_id, late.ConversationID, 'the newest request');
    await until(async () => (await operator.simOk('GET', `/deliveries/${request.result}`)).state ===
                            'dead', 'the balance is not sent again');
    proved('the balance shows every account in the exact form, and is told once');
});

await story('transaction status', async (scene) => {
    const { listener, operator } = await open(scene);
    const payment = await paid(operator, 70);
    const result = await ask(operator, listener, 'status', { TransactionID: payment.receipt });
    const found = parameters(result);
    equal(Object.keys(found),
          ['DebitPartyName', 'CreditPartyName', 'OriginatorConversationID', 'InitiatedTime',
           'DebitAccountType', 'DebitPartyCharges', 'TransactionReason', 'ReasonType',
           'TransactionStatus', 'FinalisedTime', 'Amount', 'ConversationID', 'ReceiptNo'], 'keys');
    equal([found.DebitPartyName, found.CreditPartyName, found.TransactionStatus, found.Amount,
           found.ReceiptNo],
          [`${PHONE} - Test Subscriber`, `${SHORT_CODE} - Hakika Shop`, 'Completed', 70,
           payment.receipt], 'the payment');
    equal(result.ReferenceData, { ReferenceItem: { Key: 'Occasion', Value: 'why' } }, 'Occasion');
    const open2 = await operator.pushed({ Amount: 5 });
    const early = await ask(operator, listener, 'status',
                            { TransactionID: '', OriginalConversationID: open2.MerchantRequestID });
    equal(parameters(early).TransactionStatus, 'Pending', 'an open payment');
    await operator.cancel(open2.CheckoutRequestID);
    const after = await ask(operator, listener, 'status',
                            { TransactionID: undefined,
                              OriginalConversationID: open2.CheckoutRequestID });
    equal(parameters(after).TransactionStatus, 'Cancelled', 'the same one, cancelled');
    const payout = await ask(operator, listener, 'payout');
    for (const fields of [{ TransactionID: payout.TransactionID },
                          { TransactionID: '',
                            OriginalConversationID: payout.OriginatorConversationID }]) {
        const status = parameters(await ask(operator, listener, 'status',
                                            { PartyA: BULK, ...fields }));
        equal([status.DebitPartyCharges, status.DebitAccountType, status.ReasonType,
               status.ConversationID, status.CreditPartyName],
              ['Fee For B2C Payment|KES|9.00', 'Utility Account',
               'Business Payment to Customer via API', payout.ConversationID,
               `${PHONE} - Test Subscriber`], 'a payout');
    }
    const unknown = await ask(operator, listener, 'status', { Occasion: undefined });
    equal([unknown.ResultCode, unknown.ResultParameters, unknown.ReferenceData],
          ['R000002', undefined, { ReferenceItem: { Key: 'Occasion' } }], 'an unknown receipt');
    // A result that is sent again is the same message, although its payout has ended by then.
    await operator.simOk('PUT', '/rules', { rules: [{ name: 'slow', match: { api: 'b2c' },
                                                      then: { outcome: { code: '0', delay_ms: 1500 } } }] });
    const slow = (await post(operator, listener, 'payout')).json;
    await ask(operator, listener, 'status',
              { PartyA: BULK, TransactionID: '',
                OriginalConversationID: slow.OriginatorConversationID });
    const [asked] = (await operator.simOk('GET', '/requests')).data;
    await until(() => listener.received.find((c) => c.path.endsWith('/result') &&
        c.json.Result.ConversationID === slow.ConversationID), 'the payout has ended');
    await operator.simOk('POST', `/deliveries/${asked.result}/replay`, {}, 202);
    const pending = () => listener.received.filter((c) => c.text.includes('Pending') &&
                                                          c.text.includes(slow.ConversationID));
    const tries = await until(() => pending().length > 1 && pending(), 'it is sent again');
    equal(tries[1].text, tries[0].text, 'the message that is sent again');
    check(!tries[0].text.includes('Fee For'), 'no charge yet');
    proved('status by receipt and by conversation, of payments and requests, as they were then');
});

await story('reversal', async (scene) => {
    const { listener, operator } = await open(scene);
    const payment = await paid(operator, 70);
    const before = await operator.balance();
    const fields = { TransactionID: payment.receipt, Amount: '70.00' };
    const result = await ask(operator, listener, 'reversal', fields);
    equal([result.ResultType, result.ResultCode], [0, 0], 'type and code are numbers');
    check(result.TransactionID !== payment.receipt, 'the reversal has a receipt of its own');
    const { TransCompletedTime, ...told } = parameters(result);
    equal(told, { DebitAccountBalance: 'Utility Account|KES|1000000.00|1000000.00|0.00|0.00',
                  Amount: 70, OriginalTransactionID: payment.receipt, Charge: 0,
                  CreditPartyPublicName: `${PHONE} - Test Subscriber`,
                  DebitPartyPublicName: `${SHORT_CODE} - Hakika Shop` }, 'the reversal');
    equal([typeof TransCompletedTime, await operator.balance(), await operator.utility()],
          ['number', before + 7000, MILLION], 'the money is back');
    const original = await operator.transaction(payment.id);
    const request = await operator.simOk('GET', `/requests/${original.reversed_by}`);
    equal([original.status, request.type, request.receipt, request.original],
          ['SUCCESS', 'reversal', result.TransactionID, payment.id], 'each names the other');
    const again = await ask(operator, listener, 'reversal', fields);
    equal([again.ResultCode, again.ResultDesc],
          ['R000001', 'The transaction has already been reversed'], 'again');
    const unknown = await ask(operator, listener, 'reversal', { RecieverIdentifierType: 4 });
    equal([unknown.ResultCode, unknown.ResultDesc],
          ['R000002', 'The OriginalTransactionID is invalid.'], 'an unknown receipt');
    const payout = await ask(operator, listener, 'payout');
    const refused = await ask(operator, listener, 'reversal',
                              { TransactionID: payout.TransactionID, ReceiverParty: BULK,
                                Amount: 2000 });
    equal(refused.ResultCode, 2028, 'a payout stays');
    proved('a payment is given back once, whole, and names its reversal');
});

await story('payments between organisations, and tax', async (scene) => {
    const { listener, operator } = await open(scene);
    const bill = await ask(operator, listener, 'b2b');
    const left = MILLION - 23900;
    equal([bill.ResultType, bill.ResultCode], ['0', '0'], 'type and code are strings');
    const { TransCompletedTime, ...told } = parameters(bill);
    equal(told,
          { DebitAccountBalance: amountText(left), Amount: '239.00',
            DebitPartyAffectedAccountBalance: `Working Account|KES|${KES(left)}|${KES(left)}|0.00|0.00`,
            DebitPartyCharges: '', ReceiverPartyPublicName: `${OTHER} - Baraza Paybill`,
            Currency: 'KES', InitiatorAccountCurrentBalance: amountText(left),
            DebitAccountCurrentBalance: amountText(left) }, 'the result');
    matches(TransCompletedTime, /^\d{14}$/, 'TransCompletedTime');
    equal(bill.ReferenceData.ReferenceItem,
          [{ Key: 'BillReferenceNumber', Value: '353353' },
           { Key: 'QueueTimeoutURL', Value: `${listener.url}/late` }], 'ReferenceData');
    equal([(await operator.accounts()).working, await operator.utility(OTHER)],
          [left, MILLION + 23900], 'the money');
    equal((await ask(operator, listener, 'tax')).ResultCode, '0', 'tax');
    equal(await operator.utility(572572), MILLION + 23900, 'what the tax authority has');
    const moves = [['BusinessBuyGoods', TILL, '2'], ['BusinessPayToBulk', BULK, '4'],
                   ['BusinessTransferFromMMFToUtility', SHORT_CODE, '4'],
                   ['BusinessToBusinessTransfer', OTHER, '4'],
                   ['DisburseFundsToBusiness', OTHER, '4']];
    for (const [CommandID, PartyB, RecieverIdentifierType] of moves) {
        const result = await ask(operator, listener, 'b2b',
                                 { CommandID, PartyB, RecieverIdentifierType,
                                   AccountReference: null, Requester: undefined });
        equal(result.ResultCode, '0', CommandID);
        check(!('Value' in result.ReferenceData.ReferenceItem[0]), 'no reference, no Value');
    }
    const wrong = await ask(operator, listener, 'b2b', { PartyB: TILL });
    equal([wrong.ResultCode, wrong.ResultParameters.ResultParameter.Key], ['2028', 'BOCompletedTime'],
          'a till is no paybill');
    proved('each CommandID moves from its account to its account, with the result that tells it');
});

// Every refusal that comes at once, and those of the initiator that come as results.
await story('what is refused', async (scene) => {
    const { listener, operator } = await open(scene);
    const rows = [
        ['balance', { CommandID: 'Balance' }, 'CommandID'], ['balance', { PartyA: 12 }, 'PartyA'],
        ['balance', { IdentifierType: 1 }, 'IdentifierType'], ['balance', { Remarks: '' }, 'Remarks'],
        ['balance', { Initiator: undefined }, 'Initiator'],
        ['balance', { SecurityCredential: undefined }, 'SecurityCredential'],
        ['balance', { ResultURL: 'x' }, 'ResultURL'],
        ['balance', { QueueTimeOutURL: undefined }, 'QueueTimeOutURL'],
        ['status', { TransactionID: undefined }, 'TransactionID'],
        ['status', { IdentifierType: 11 }, 'IdentifierType'],
        ['reversal', { TransactionID: '' }, 'TransactionID'], ['reversal', { Amount: 0 }, 'Amount'],
        ['reversal', { ReceiverParty: '' }, 'ReceiverParty'],
        ['reversal', { RecieverIdentifierType: 1 }, 'RecieverIdentifierType'],
        ['b2b', { CommandID: 'PayTaxToKRA' }, 'CommandID'],
        ['b2b', { SenderIdentifierType: 9 }, 'SenderIdentifierType'],
        ['b2b', { Amount: '-1' }, 'Amount'], ['b2b', { PartyB: 'x' }, 'PartyB'],
        ['b2b', { AccountReference: null }, 'AccountReference'],
        ['b2b', { Requester: '0700' }, 'Requester'],
        ['tax', { PartyB: OTHER }, 'PartyB'], ['tax', { CommandID: 'BusinessPayBill' }, 'CommandID'],
    ];
    for (const [call, fields, field] of rows) {
        const answer = await post(operator, listener, call, fields);
        equal([answer.status, answer.json.errorCode, answer.json.errorMessage],
              [400, '400.002.02', `Bad Request - Invalid ${field}`], `${call} without ${field}`);
    }
    const tokens = { balance: [401, '401.002.01'], status: [400, '400.003.01'],
                     reversal: [404, '404.001.03'], b2b: [401, '401.002.01'],
                     tax: [401, '401.002.01'] };
    for (const [call, expected] of Object.entries(tokens)) {
        const [path] = CALLS[call];
        const bad = await operator.call('POST', path,
                                        { body: {}, headers: { Authorization: 'Bearer no' } });
        equal([bad.status, bad.json.errorCode], expected, `${call} with a wrong token`);
        const bare = await operator.call('POST', path, { body: {} });
        equal([bare.status, bare.json.errorCode], [404, '404.001.04'], `${call} without a token`);
        const get = await operator.call('GET', path, { headers: await operator.bearer() });
        equal([get.status, get.json.errorCode], [405, '405.001'], `GET of ${call}`);
        const wrong = await operator.call('POST', path,
                                          { body: [], headers: await operator.bearer() });
        equal(wrong.json.errorCode, '400.002.05', `${call} with an array`);
        if (call === 'tax') continue;
        const initiator = await ask(operator, listener, call, { Initiator: 'somebody' });
        equal(Number(initiator.ResultCode), 2001, `${call} by a stranger`);
    }
    await operator.simOk('PATCH', `/organisations/${SHORT_CODE}`, { active: false });
    equal((await ask(operator, listener, 'balance')).ResultCode, '11', 'of an inactive organisation');
    proved(`${rows.length} fields are refused by name, tokens and methods in each API's own way`);
});

await story('S12: the two accounts of a payout', async (scene) => {
    const { listener, operator } = await open(scene);
    const settled = await operator.simOk('POST', `/organisations/${BULK}/settle`, {}, 202);
    equal([settled.type, settled.status], ['revenue_settlement', 'PENDING'], 'settlement');
    await until(async () => await operator.utility(BULK) === 0, 'the utility account is empty');
    equal((await operator.accounts(BULK)).working, 2 * MILLION, 'all of it is in working');
    const poor = await ask(operator, listener, 'payout');
    equal([poor.ResultCode, poor.ResultDesc],
          [1, 'The balance is insufficient for the transaction.'], 'a payout');
    const before = await operator.balance();
    const moved = await ask(operator, listener, 'b2b',
                            { CommandID: 'BusinessTransferFromMMFToUtility', Amount: 50000,
                              PartyA: BULK, PartyB: BULK });
    equal(moved.ResultCode, '0', 'working to utility');
    const payout = parameters(await ask(operator, listener, 'payout'));
    equal([payout.B2CUtilityAccountAvailableFunds, payout.B2CWorkingAccountAvailableFunds,
           payout.B2CChargesPaidAccountAvailableFunds], [48000, 1950000, -9], 'the three balances');
    equal(await operator.balance(), before + 200000, 'what the customer has');
    await operator.simOk('POST', `/organisations/${BULK}/settle`, { amount: 100000 }, 202);
    await until(async () => (await operator.accounts(BULK)).charges_paid === 0, 'charges are paid');
    equal(await operator.accounts(BULK),
          { utility: 4700000, working: 195000000 + 99100, charges_paid: 0, settlement: 0 }, 'after');
    proved('an empty utility account pays nothing, whatever the working account holds');
});

await story('express checkout', async (scene) => {
    const { listener, operator } = await open(scene);
    const express = async (fields = {}) => operator.call('POST', '/v1/ussdpush/get-msisdn', {
        headers: await operator.bearer(),
        body: { primaryShortCode: TILL, receiverShortCode: SHORT_CODE, amount: '71',
                paymentRef: 'INV-7', callbackUrl: `${listener.url}/express`,
                partnerName: 'Vendor', RequestRefID: `ref-${listener.received.length}`, ...fields } });
    const told = async (id) => {
        const about = () => listener.received.find((c) => c.json.requestId === id);
        await until(() => about(), `the callback about ${id}`);
        return about().json;
    };
    const accepted = await express({ RequestRefID: 'a' });
    equal([accepted.status, accepted.json],
          [200, { code: '0', status: 'USSD Initiated Successfully' }], 'the answer');
    equal((await told('a')).resultCode, '4104', 'no nominated number');
    await operator.simOk('PATCH', `/organisations/${TILL}`, { nominated_msisdn: PHONE });
    const before = await operator.balance();
    await express({ RequestRefID: 'b' });
    const prompt = await until(async () => (await operator.prompts())[0], 'the prompt');
    equal([prompt.amount, prompt.organisation, prompt.account_reference], [7100, 'Vendor', 'INV-7'],
          'the prompt');
    const locked = await operator.push({ PhoneNumber: PHONE });
    check(locked.json.errorMessage.startsWith('Unable to lock subscriber'), locked.text);
    const approved = await operator.approve(prompt.checkout_request_id);
    equal([approved.status, approved.json.status], [200, 'SUCCESS'], 'the PIN');
    const { conversationID, transactionId, ...rest } = await told('b');
    equal(rest, { resultCode: '0', resultDesc: 'The service request is processed successfully.',
                  amount: '71.0', requestId: 'b', resultType: '0', status: 'SUCCESS' }, 'paid');
    equal([approved.json.conversation_id, approved.json.receipt], [conversationID, transactionId],
          'ids');
    equal([await operator.utility(TILL), await operator.utility(), await operator.balance()],
          [MILLION - 7100, MILLION + 7100, before], 'the money');
    await express({ RequestRefID: 'c' });
    const second = await until(async () => (await operator.prompts())[0], 'the second prompt');
    equal((await operator.cancel(second.checkout_request_id)).json.status, 'CANCELLED', 'cancel');
    equal(await told('c'), { resultCode: '4001', resultDesc: 'User cancelled transaction',
                             requestId: 'c', amount: '71.0', paymentReference: 'INV-7' }, 'cancelled');
    const again = await express({ RequestRefID: 'c' });
    equal([again.status, again.json.errorCode], [500, '500.002.1001'], 'the same RequestRefID');
    for (const field of ['primaryShortCode', 'receiverShortCode', 'amount', 'paymentRef',
                         'callbackUrl', 'partnerName', 'RequestRefID']) {
        const answer = await express({ [field]: '' });
        equal([answer.status, answer.json.errorMessage],
              [400, `Bad Request - Invalid ${field}`], field);
    }
    proved('the nominated phone is prompted, and its answer moves the till\'s money or does not');
});

await story('a request that is late', async (scene) => {
    const { listener, operator } = await open(scene, ['--clock', 'virtual']);
    await operator.simOk('PATCH', `/organisations/${BULK}`, { queue_delay_ms: 45000 });
    const answer = await post(operator, listener, 'payout');
    const id = answer.json.ConversationID;
    await operator.advance(30000);
    await until(() => listener.received.length === 1, 'the time-out URL is told');
    const late = listener.received[0];
    equal([late.path, late.json.Result.ConversationID, late.json.Result.ResultType,
           late.json.Result.ResultParameters], ['/callback/late', id, 1, undefined], 'late');
    equal(await operator.balance(), 10000000, 'nothing has moved by then');
    await operator.advance(15000);
    await until(() => listener.received.length === 2, 'the result comes all the same');
    equal([listener.received[1].path, listener.received[1].json.Result.ResultCode],
          ['/callback/result', 0], 'the result');
    const request = (await operator.simOk('GET', '/requests')).data[0];
    const deliveries = await operator.deliveriesOf(request.id);
    equal(deliveries.map((d) => [d.id, d.kind, d.transaction]),
          [[request.late_notice, 'timeout', request.id], [request.result, 'result', request.id]],
          'both are visible');
    equal(JSON.parse(deliveries[0].request_body), late.json, 'the late notice stays what it was');
    proved('QueueTimeOutURL is told at 30 s, ResultURL when it is over');
});
