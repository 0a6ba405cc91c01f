// Daraja's calls that are answered at once and change nothing.
import { execFileSync } from 'node:child_process';
import { constants, publicEncrypt, X509Certificate } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { Listener } from '../lib/listener.mjs';
import { Server } from '../lib/server.mjs';
import { check, equal, matches, proved, story } from '../lib/story.mjs';

const ASHA = 254722000001;

async function post(operator, path, body) {
    return operator.call('POST', path, { headers: await operator.bearer(), body });
}

await story('a QR code that a scanner reads', async (scene) => {
    const { operator } = await Server.open(scene);
    const fields = { MerchantName: 'Duka la Juma', RefNo: 'INV 7', Amount: 250, TrxCode: 'PB',
        CPI: '174379', Size: '300' };
    const answer = await post(operator, '/mpesa/qrcode/v1/generate', fields);
    equal([answer.status, answer.json.ResponseDescription],
          [200, 'QR Code Successfully Generated.'], 'the answer');
    matches(answer.json.ResponseCode, /^AG_\d{8}_2010[0-9a-f]{16}$/, 'ResponseCode');
    const picture = scene.path('qr.png');
    writeFileSync(picture, Buffer.from(answer.json.QRCode, 'base64'));
    const read = execFileSync('zbarimg', ['--nodbus', '-q', '--raw', picture], { encoding: 'utf8' }).trim();
    equal(read, 'hakika:pay?code=PB&cpi=174379&amount=250&ref=INV%207&name=Duka%20la%20Juma',
          'what the scanner reads');
    for (const [field, wrong] of [['MerchantName', ''], ['RefNo', null], ['Amount', 0.5],
        ['TrxCode', 'XX'], ['CPI', 'abc'], ['Size', '63']]) {
        const refused = await post(operator, '/mpesa/qrcode/v1/generate',
                                   { ...fields, [field]: wrong });
        equal([refused.status, refused.json.errorCode, refused.json.errorMessage],
              [400, '400.002.02', `Bad Request - Invalid ${field}`], `a wrong ${field}`);
    }
    proved('a PNG that zbar reads back; each wrong field is named');
});

await story('IMSI and SIM swap', async (scene) => {
    const { operator } = await Server.open(scene, ['--clock', 'virtual']);
    await operator.openSubscriber(ASHA, 0);
    const ask = (version) => post(operator, `/imsi/${version}/checkATI`, { customerNumber: ASHA });
    const before = (await ask('v1')).json;
    equal([before.responseCode, before.lastSwapDate, before.msisdnRegistrationDate,
           before.customerNumber], ['200', '01-01-1900', '01-01-2026', `${ASHA}`], 'version 1');
    matches(before.imsi, /^63902\d{10}$/, 'imsi');
    equal((await ask('v2')).json.lastSwapDate, '01-01-1900 00:00', 'version 2, never swapped');
    await operator.sim('PATCH', `/subscribers/${ASHA}`,
                       { sim_swapped_at: '2025-12-31T20:30:00.000Z' });
    equal((await ask('v2')).json.lastSwapDate, '31-12-2025 23:30', 'version 2, swapped yesterday');
    const after = (await ask('v1')).json;
    equal(after.lastSwapDate, '31-12-2025', 'version 1, swapped yesterday');
    check(after.imsi !== before.imsi, 'another SIM has another IMSI');
    await operator.sim('POST', '/clock', { advance_ms: 91 * 86400 * 1000 });
    await operator.authorize(); // tokens live an hour of the book's clock
    equal((await ask('v2')).json.lastSwapDate, '01-01-1900 00:00', 'after three months');
    const wrong = await post(operator, '/imsi/v2/checkATI', { customerNumber: '0722000001' });
    equal(wrong.json.errorMessage, 'Bad Request - Invalid customerNumber', 'a wrong number');
    proved('swap dates from the phone\'s state, told as 1900 after three months');
});

await story('organisation info', async (scene) => {
    const { operator } = await Server.open(scene);
    const ask = (IdentifierType, Identifier, path = '/sfcverify/v1/query/info') =>
        post(operator, path, { IdentifierType, Identifier });
    const paybill = await ask('4', '174379');
    equal([paybill.status, paybill.json.ResponseCode, paybill.json.OrganizationShortCode],
          [200, '4000', '174379'], 'a paybill');
    check(paybill.json.OrganizationName.length > 0, 'it has a name');
    equal((await ask(2, 5551234, '/mpesa/queryorginfo/v1/query')).json.TillNumber, '5551234',
          'a till, on the other path');
    for (const [type, code] of [['2', '174379'], ['4', '5551234'], ['4', '123456']]) {
        const answer = await ask(type, code);
        equal([answer.status, answer.json.ResponseMessage], [404, 'Not found'], `${type} ${code}`);
    }
    proved('names before money moves; the wrong type finds nothing');
});

await story('a security credential made with our certificate is checked', async (scene) => {
    const server = await Server.open(scene);
    const { operator } = server;
    const listener = await Listener.open(scene);
    const fetched = await operator.call('GET', '/sim/v1/certificate');
    const key = new X509Certificate(fetched.text).publicKey;
    const encrypt = (password) => publicEncrypt(
        { key, padding: constants.RSA_PKCS1_PADDING }, Buffer.from(password)).toString('base64');
    const pay = async (credential, id) => {
        const answer = await post(operator, '/mpesa/b2c/v3/paymentrequest', {
            OriginatorConversationID: id, InitiatorName: 'testapi', SecurityCredential: credential,
            CommandID: 'BusinessPayment', Amount: 100, PartyA: 600999, PartyB: ASHA,
            Remarks: 'wages', QueueTimeOutURL: listener.url, ResultURL: listener.url });
        equal(answer.json.ResponseCode, '0', 'accepted');
        const result = await listener.find((c) => c.json.Result?.OriginatorConversationID === id,
                                           `the result of ${id}`);
        return result.json.Result.ResultCode;
    };
    equal(await pay(encrypt('Safaricom999!*!'), 'right'), 0, 'the right password');
    equal(await pay(encrypt('guess'), 'wrong'), 2001, 'a wrong password');
    equal(await pay('made with another certificate', 'other'), 0, 'dev: nobody can tell');
    proved('right: paid; wrong: 2001; unreadable: accepted in dev');
});
