// apis.ts - Daraja's calls with values that work on a fresh system. To add one: a line in APIS.
import { bookNow } from './store';
import { darajaTimestamp } from './format';
import { PASSKEY, password } from './daraja';

export interface ApiField { name: string; value: string; unsent?: boolean; from?: (values: Record<string, string>) => string }
export interface Api { name: string; title: string; path: string; moves: boolean; fields: ApiField[] }

const PHONE = '254708374149';
const sink = (): string => `${location.origin}/sink`;
const now = (): string => darajaTimestamp(bookNow());
const kenyaDay = (daysAhead: number): string => {
    const t = darajaTimestamp(bookNow() + daysAhead * 86400_000);
    return `${t.slice(0, 4)}-${t.slice(4, 6)}-${t.slice(6, 8)} 00:00:00`;
};
const f = (name: string, value: string): ApiField => ({ name, value });

// Fields that Password is made of stand before it.
const signed = (): ApiField[] => [
    f('BusinessShortCode', '174379'), { name: 'Passkey', value: PASSKEY, unsent: true }, { name: 'Timestamp', value: '', from: now },
    { name: 'Password', value: '', from: (v) => password(v['BusinessShortCode'] ?? '', v['Passkey'] ?? '', now()) }];

const initiator = (name = 'Initiator'): ApiField[] => [
    f(name, 'testapi'), { name: 'InitiatorPassword', value: 'Safaricom999!*!', unsent: true },
    { name: 'SecurityCredential', value: '', from: (v) => `{credential:${v['InitiatorPassword'] ?? ''}}` }];

const results = (): ApiField[] => [f('QueueTimeOutURL', sink()), f('ResultURL', sink())];

const payout = (command: string): ApiField[] => [
    f('OriginatorConversationID', `try-${Date.now().toString(36)}`), ...initiator('InitiatorName'),
    f('CommandID', command), f('Amount', '250'), f('PartyA', '600999'), f('PartyB', PHONE), f('Remarks', 'Try it'),
    ...results(), f('Occassion', '')];

const invoice = (amount: string): ApiField[] => [
    f('externalReference', 'BILL-1'), f('billedFullName', 'Amina Wanjiru'), f('billedPhoneNumber', PHONE), f('billedPeriod', 'This month'),
    f('invoiceName', 'Water'), f('dueDate', kenyaDay(14).slice(0, 10)), f('accountReference', 'HOUSE-4'), f('amount', amount)];

export const APIS = (): Api[] => [
    { name: 'stk', title: 'STK push', path: '/mpesa/stkpush/v1/processrequest', moves: true, fields: [...signed(),
        f('TransactionType', 'CustomerPayBillOnline'), f('Amount', '120'), f('PartyA', PHONE), f('PartyB', '174379'),
        f('PhoneNumber', PHONE), f('CallBackURL', sink()), f('AccountReference', 'INV-77'), f('TransactionDesc', 'Lunch')] },
    { name: 'query', title: 'STK push query', path: '/mpesa/stkpushquery/v1/query', moves: false,
        fields: [...signed(), f('CheckoutRequestID', '')] },
    { name: 'b2c', title: 'B2C', path: '/mpesa/b2c/v3/paymentrequest', moves: true, fields: payout('BusinessPayment') },
    { name: 'pochi', title: 'B2Pochi', path: '/mpesa/b2pochi/v1/paymentrequest', moves: true, fields: payout('BusinessPayToPochi') },
    { name: 'register', title: 'C2B register', path: '/mpesa/c2b/v2/registerurl', moves: false, fields: [
        f('ShortCode', '600000'), f('ResponseType', 'Completed'), f('ConfirmationURL', sink()), f('ValidationURL', sink())] },
    { name: 'simulate', title: 'C2B simulate', path: '/mpesa/c2b/v2/simulate', moves: true, fields: [
        f('ShortCode', '600000'), f('CommandID', 'CustomerPayBillOnline'), f('Amount', '75'), f('Msisdn', PHONE), f('BillRefNumber', 'HOUSE-4')] },
    { name: 'b2b', title: 'B2B', path: '/mpesa/b2b/v1/paymentrequest', moves: true, fields: [...initiator(),
        f('CommandID', 'BusinessPayBill'), f('SenderIdentifierType', '4'), f('RecieverIdentifierType', '4'), f('Amount', '1000'),
        f('PartyA', '600000'), f('PartyB', '174379'), f('AccountReference', 'SUPPLY-1'), f('Remarks', 'Try it'), ...results()] },
    { name: 'tax', title: 'Tax remittance', path: '/mpesa/b2b/v1/remittax', moves: true, fields: [...initiator(),
        f('CommandID', 'PayTaxToKRA'), f('SenderIdentifierType', '4'), f('RecieverIdentifierType', '4'), f('Amount', '500'),
        f('PartyA', '600000'), f('PartyB', '572572'), f('AccountReference', '353353'), f('Remarks', 'Try it'), ...results()] },
    { name: 'express', title: 'B2B express checkout', path: '/v1/ussdpush/get-msisdn', moves: true, fields: [
        f('primaryShortCode', '5551234'), f('receiverShortCode', '174379'), f('amount', '300'), f('paymentRef', 'STOCK-9'),
        f('callbackUrl', sink()), f('partnerName', 'Try it'), f('RequestRefID', `try-${Date.now().toString(36)}`)] },
    { name: 'status', title: 'Transaction status', path: '/mpesa/transactionstatus/v1/query', moves: false, fields: [...initiator(),
        f('CommandID', 'TransactionStatusQuery'), f('TransactionID', ''), f('PartyA', '174379'), f('IdentifierType', '4'),
        f('Remarks', 'Try it'), ...results(), f('Occasion', '')] },
    { name: 'balance', title: 'Account balance', path: '/mpesa/accountbalance/v1/query', moves: false, fields: [...initiator(),
        f('CommandID', 'AccountBalance'), f('PartyA', '174379'), f('IdentifierType', '4'), f('Remarks', 'Try it'), ...results()] },
    { name: 'reversal', title: 'Reversal', path: '/mpesa/reversal/v1/request', moves: true, fields: [...initiator(),
        f('CommandID', 'TransactionReversal'), f('TransactionID', ''), f('Amount', '120'), f('ReceiverParty', '174379'),
        f('RecieverIdentifierType', '11'), f('Remarks', 'Try it'), ...results(), f('Occasion', '')] },
    { name: 'ratiba', title: 'Standing order', path: '/standingorder/v1/createStandingOrderExternal', moves: true, fields: [
        f('StandingOrderName', `Rent ${now().slice(6)}`), f('StartDate', now().slice(0, 8)), f('EndDate', `${Number(now().slice(0, 4)) + 1}1231`),
        f('BusinessShortCode', '174379'), f('TransactionType', 'Standing Order Customer Pay Bill'), f('ReceiverPartyIdentifierType', '4'),
        f('Amount', '1500'), f('PartyA', PHONE), f('CallBackURL', sink()), f('AccountReference', 'FLAT-3'), f('TransactionDesc', 'Rent'), f('Frequency', '4')] },
    { name: 'optin', title: 'Bill manager: opt in', path: '/v1/billmanager-invoice/optin', moves: false, fields: [
        f('shortcode', '174379'), f('email', 'shop@example.com'), f('officialContact', '0710000000'), f('sendReminders', '1'),
        f('logo', 'image'), f('callbackurl', sink())] },
    { name: 'invoice', title: 'Bill manager: invoice', path: '/v1/billmanager-invoice/single-invoicing', moves: false, fields: invoice('800') },
    { name: 'invoicechange', title: 'Bill manager: change it', path: '/v1/billmanager-invoice/update/single-invoicing', moves: false, fields: invoice('900') },
    { name: 'invoicecancel', title: 'Bill manager: cancel it', path: '/v1/billmanager-invoice/cancel-single-invoice', moves: false, fields: [
        f('externalReference', 'BILL-1')] },
    { name: 'qr', title: 'Dynamic QR', path: '/mpesa/qrcode/v1/generate', moves: false, fields: [
        f('MerchantName', 'Duka la Amina'), f('RefNo', 'INV-77'), f('Amount', '120'), f('TrxCode', 'PB'), f('CPI', '174379'), f('Size', '300')] },
    { name: 'pullregister', title: 'Pull register', path: '/pulltransactions/v1/register', moves: false, fields: [
        f('ShortCode', '600000'), f('RequestType', 'Pull'), f('NominatedNumber', PHONE), f('CallBackURL', sink())] },
    { name: 'pull', title: 'Pull query', path: '/pulltransactions/v1/query', moves: false, fields: [
        f('ShortCode', '600000'), f('StartDate', kenyaDay(-1)), f('EndDate', kenyaDay(1)), f('OffSetValue', '0')] },
    { name: 'imsi', title: 'IMSI', path: '/imsi/v1/checkATI', moves: false, fields: [f('customerNumber', PHONE)] },
    { name: 'swap', title: 'SIM swap', path: '/imsi/v2/checkATI', moves: false, fields: [f('customerNumber', PHONE)] },
    { name: 'org', title: 'Organisation info', path: '/sfcverify/v1/query/info', moves: false, fields: [
        f('IdentifierType', '4'), f('Identifier', '174379')] },
];
