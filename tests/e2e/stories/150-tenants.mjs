// Many apps and short codes on one network: each is acted for with the token of its own consumer
// key only; every documented error of OAuth and of tokens, with the virtual clock for the expiry.
import { Operator, password } from '../lib/operator.mjs';
import { Server } from '../lib/server.mjs';
import { check, equal, proved, story } from '../lib/story.mjs';

const PUSH = '/mpesa/stkpush/v1/processrequest';
const QUERY = '/mpesa/stkpushquery/v1/query';
const STAMP = '20260101120000';
const NO_PRODUCT = [401, '401.003.01', 'Error Occurred - Invalid Access Token - Invalid API call ' +
                                       'as no apiproduct match found'];
const TOKEN = [404, '404.001.03', 'Invalid Access Token'];
const HEADER = [404, '404.001.04', 'Invalid Authentication Header'];
const CREDENTIALS = [500, '500.001.1001', 'Wrong credentials'];

const APPS = [
    { key: 'key-of-duka', secret: 'secret-of-duka', short_code: 710001, passkey: 'p'.repeat(64) },
    { key: 'key-of-soko', secret: 'secret-of-soko', short_code: 710002, passkey: 'q'.repeat(64) },
];

const basic = (key, secret) => `Basic ${Buffer.from(`${key}:${secret}`).toString('base64')}`;

function ask(operator, query, authorization) {
    return operator.call('GET', `/oauth/v1/generate${query}`,
                         { headers: authorization ? { Authorization: authorization } : {} });
}

function failure(answer) {
    return [answer.status, answer.json?.errorCode, answer.json?.errorMessage];
}

async function open(operator, app, fields = {}) {
    return operator.sim('POST', '/organisations', {
        short_code: app.short_code, passkey: app.passkey, consumer_key: app.key,
        consumer_secret: app.secret, ...fields });
}

// A client of its own for each app.
async function client(server, app) {
    const operator = new Operator(server.base);
    server.scene.atEnd(() => operator.hangUp());
    await operator.authorize(app.key, app.secret);
    return operator;
}

const own = (app, fields = {}) => ({
    BusinessShortCode: app.short_code, Password: password(app.short_code, STAMP, app.passkey),
    Timestamp: STAMP, ...fields });

await story('each documented error of OAuth and of tokens', async (scene) => {
    const server = await Server.open(scene, ['--clock', 'virtual']);
    const { operator } = server;
    equal((await open(operator, APPS[0])).status, 201, 'the app\'s organisation');
    const grant = '?grant_type=client_credentials';
    const good = basic(APPS[0].key, APPS[0].secret);
    for (const [what, query, authorization, code, message] of [
        ['no header', grant, undefined, '400.008.01', 'Invalid authentication type passed'],
        ['another type', grant, 'Bearer abc', '400.008.01', 'Invalid authentication type passed'],
        ['not base64', grant, 'Basic ???', '400.008.01', 'Invalid authentication type passed'],
        ['no grant', '', good, '400.008.02', 'Invalid grant type passed'],
        ['another grant', '?grant_type=password', good, '400.008.02', 'Invalid grant type passed'],
    ]) {
        equal(failure(await ask(operator, query, authorization)), [400, code, message], what);
    }
    for (const [what, key, secret] of [['the key "invalid"', 'invalid', 'x'],
                                       ['a known key, a wrong secret', APPS[0].key, 'x'],
                                       ['a known key, no secret', APPS[0].key, '']]) {
        const answer = await ask(operator, grant, basic(key, secret));
        equal([answer.status, answer.text], [400, ''], what);
    }
    const granted = await operator.authorize(APPS[0].key, APPS[0].secret);
    equal(Object.keys(granted.json), ['access_token', 'expires_in'], 'members of the answer');
    equal(granted.json.expires_in, '3599', 'expires_in');
    check(/^[0-9A-Za-z]{28}$/.test(granted.json.access_token), 'a token of 28 letters and digits');
    const push = (headers) => operator.call('POST', PUSH,
        { headers, body: operator.pushBody(own(APPS[0])) });
    for (const [what, authorization, expected] of [
        ['no token', undefined, HEADER], ['Basic instead', good, HEADER],
        ['nonsense', 'Bearer nonsense', TOKEN], ['another token', `Bearer ${'A'.repeat(28)}`, TOKEN]]) {
        equal(failure(await push(authorization ? { Authorization: authorization } : {})), expected, what);
    }
    await operator.advance(3_599_000);
    equal((await push(await operator.bearer())).status, 200, 'the token in its last second');
    await operator.advance(1000);
    equal(failure(await push(await operator.bearer())), TOKEN, 'the token after an hour');
    await operator.authorize(APPS[0].key, APPS[0].secret);
    await operator.advance(120_000); // the first prompt is over
    equal((await push(await operator.bearer())).status, 200, 'a new token');
    proved('missing header, wrong type, wrong grant, unknown credentials, wrong and expired tokens');
});

for (const profile of ['dev', 'sandbox', 'daraja-strict']) {
    await story(`no app acts for another (${profile})`, async (scene) => {
        const strict = profile === 'daraja-strict';
        const server = await Server.open(scene, ['--profile', profile, '--callback-allow', '127.0.0.0/8']);
        for (const app of APPS) {
            equal((await open(server.operator, app)).status, 201, `organisation ${app.short_code}`);
        }
        await server.operator.openSubscriber(254711000001, 500000);
        await server.operator.openSubscriber(254711000002, 500000);
        const [duka, soko] = [await client(server, APPS[0]), await client(server, APPS[1])];
        const paid = await duka.push(own(APPS[0], { PhoneNumber: 254711000001 }));
        equal(paid.status, 200, `the owner's push ${paid.text}`);
        const theirs = own(APPS[0], { PhoneNumber: 254711000002 });
        equal(failure(await soko.push(theirs)), NO_PRODUCT, 'a push for the other app\'s short code');
        const query = { ...own(APPS[0]), CheckoutRequestID: paid.json.CheckoutRequestID };
        const other = await soko.call('POST', QUERY, { headers: await soko.bearer(), body: query });
        equal(failure(other), NO_PRODUCT, 'a query of the other app\'s payment');
        const mine = await duka.call('POST', QUERY, { headers: await duka.bearer(), body: query });
        equal(mine.status, 200, 'the owner\'s query');
        equal(failure(await duka.push(own(APPS[0], { Password: password(APPS[0].short_code, STAMP,
            APPS[1].passkey), PhoneNumber: 254711000002 }))), CREDENTIALS, 'the other app\'s passkey');
        const stranger = await ask(server.operator, '?grant_type=client_credentials', basic('who', 'knows'));
        equal(stranger.status, strict ? 400 : 200, 'a token for a key that nobody has');
        if (!strict) {
            const any = await client(server, { key: 'who', secret: 'knows' });
            equal(failure(await any.push(theirs)), NO_PRODUCT, 'a token of no app');
            equal((await any.push({ PhoneNumber: 254711000002 })).status, 200, 'the public paybill');
        } else {
            equal(failure(await duka.push({ PhoneNumber: 254711000002 })), NO_PRODUCT,
                  'the paybill of the seed');
        }
        // One more short code of the same app; and keys that do not fit.
        equal((await open(server.operator, { ...APPS[0], short_code: 710003 })).status, 201, 'a second short code');
        equal((await duka.push(own({ ...APPS[0], short_code: 710003 },
                                   { PhoneNumber: strict ? 254711000002 : 254711000003 }))).status, 200,
              'a push for it');
        const taken = await open(server.operator, { ...APPS[0], short_code: 710004, secret: 'guess' });
        equal([taken.status, taken.json.code], [409, 'consumer_key_unfit'], 'the key with another secret');
        await server.restart();
        duka.base = soko.base = server.base;
        equal(failure(await soko.push(theirs)), NO_PRODUCT, 'after a restart');
        await duka.query(paid.json.CheckoutRequestID, own(APPS[0]));
        proved('tokens are bound to their app: 401.003.01 for any other short code, also after kill -9');
    });
}
