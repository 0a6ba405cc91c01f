// Every way to get an STK or OAuth call wrong: the documented error to the letter, and no trace in
// the ledger. And who may call the control API.
import { password } from '../lib/operator.mjs';
import { Server } from '../lib/server.mjs';
import { check, equal, matches, proved, story } from '../lib/story.mjs';

const PUSH = '/mpesa/stkpush/v1/processrequest';
const QUERY = '/mpesa/stkpushquery/v1/query';
const OAUTH = '/oauth/v1/generate?grant_type=client_credentials';
const MISSING = Symbol('missing');
const LONG = 'x'.repeat(101);

const field = (name) => [400, '400.002.02', `Bad Request - Invalid ${name}`];
const PAYLOAD = [400, '400.002.05', 'Invalid Request Payload'];
const TOKEN = [404, '404.001.03', 'Invalid Access Token'];
const HEADER = [404, '404.001.04', 'Invalid Authentication Header'];
const NOT_FOUND = [404, '404.001.01', 'Resource not found'];
const CREDENTIALS = [500, '500.001.1001', 'Wrong credentials'];
const NO_MERCHANT = [500, '500.001.1001', 'Merchant does not exist'];
const method = (name) => [405, '405.001', `${name} Method Not Allowed`];

// Values that each field must refuse, besides being missing, null, a list, an object or a truth.
const SHORT_CODES = ['', 'abc', 1234, '12345678', '0174379', 174379.5, -174379, '174379 ', '１７４３７９'];
const PHONES = ['', '0712345678', '+254712345678', 712345678, 25471234567, 2547123456789,
                254612345678, '254 712345678', '25471234567x', 'abc', 254712345678.5];
const PUSH_FIELDS = {
    BusinessShortCode: SHORT_CODES,
    Password: ['', 5],
    Timestamp: ['', '2026010112000', '202601011200000', '20261301120000', '20260230120000',
                '20260101250000', '2026-01-01 12:00', 'abc'],
    TransactionType: ['', 'CustomerPayBill', 'customerpaybillonline', 'BusinessPayment', 1],
    Amount: ['', 0, '0', -1, 1.5, '1.50', '1,000', '1e2', 250001, '250001', 'ten', '0x10', ' 10',
             '9'.repeat(30)],
    PartyA: PHONES,
    PartyB: SHORT_CODES,
    PhoneNumber: PHONES,
    CallBackURL: ['', 'nonsense', '/callback', '//host/x', 'ftp://host/x', 'http://', 'http:///x',
                  'http://user@host/x', 'http://user:pass@host/x', 'http://a b/x', 'http://host:99999/x',
                  'http://host\\x/', 'javascript:alert(1)', 5, `http://host/${'x'.repeat(1100)}`],
    AccountReference: ['', LONG, 'a\nb', 'a\u007fb'],
    TransactionDesc: ['', LONG, 'a\tb'],
};
const QUERY_FIELDS = {
    BusinessShortCode: SHORT_CODES,
    Password: ['', 5],
    Timestamp: PUSH_FIELDS.Timestamp,
    CheckoutRequestID: ['', 5, 'x'.repeat(64), 'nonsense', 'ws_CO_01012026120000123712345678'],
};
const REPORTED = { TransactionDesc: 'Remarks' }; // Daraja names another field there

class Examiner {
    constructor(server) {
        this.server = server;
        this.operator = server.operator;
        this.ids = new Set();
        this.count = 0;
    }

    // One call that must get this error; `explained`: the header Hakika-Explain is there.
    async expect(what, expected, verb, path, options, explained = true) {
        const answer = await this.operator.call(verb, path, options);
        const [status, code, message] = expected;
        equal([answer.status, answer.json?.errorCode, answer.json?.errorMessage],
              [status, code, message], what);
        equal(Object.entries(answer.json).map(([name, value]) => [name, typeof value]),
              [['requestId', 'string'], ['errorCode', 'string'], ['errorMessage', 'string']],
              `the envelope's members: ${what}`);
        equal(answer.headers['content-type'], 'application/json', `content type: ${what}`);
        matches(answer.json.requestId, /^[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\d+$/, what);
        check(!this.ids.has(answer.json.requestId), `a requestId came twice: ${what}`);
        this.ids.add(answer.json.requestId);
        equal(typeof answer.headers['hakika-explain'], explained ? 'string' : 'undefined',
              `Hakika-Explain: ${what}`);
        this.count++;
        return answer;
    }

    async look() {
        const { operator } = this;
        const metrics = await operator.metrics();
        return { position: metrics.hakika_position, shop: await operator.accounts(),
                 transactions: await operator.transactions(), payer: await operator.balance(),
                 till: await operator.accounts(5551234) };
    }
}

// The examiner's questions, with the books looked at before and after.
async function examine(scene, flags, ask) {
    const server = await Server.open(scene, flags);
    const examiner = new Examiner(server);
    await server.operator.authorize('hakika', 'hakika'); // those of the seeded organisations
    const before = await examiner.look();
    await ask(examiner, server.operator);
    equal(await examiner.look(), before, 'the books, after all that');
    return examiner.count;
}

function without(body, name, value) {
    const { [name]: gone, ...rest } = body;
    return value === MISSING ? rest : { ...rest, [name]: value };
}

await story('every field of push and query', async (scene) => {
    const count = await examine(scene, [], async (examiner, operator) => {
        const headers = await operator.bearer();
        const query = { BusinessShortCode: 174379, Timestamp: '20260101120000',
                        Password: password(174379, '20260101120000'),
                        CheckoutRequestID: 'ws_CO_01012026120000123712345678' };
        for (const [path, body, fields] of [[PUSH, operator.pushBody(), PUSH_FIELDS],
                                            [QUERY, query, QUERY_FIELDS]]) {
            for (const [name, values] of Object.entries(fields)) {
                for (const value of [MISSING, null, [], {}, true, ...values]) {
                    const shown = value === MISSING ? 'missing' : JSON.stringify(value);
                    const answer = await examiner.expect(
                        `${name} ${shown.slice(0, 40)} at ${path}`, field(REPORTED[name] ?? name),
                        'POST', path, { headers, body: without(body, name, value) });
                    check(!answer.text.includes(query.Password), 'a password came back');
                }
            }
        }
    });
    proved(`${count} wrong values of 15 fields: "400.002.02 Bad Request - Invalid <field>" each`);
});

await story('the first wrong field is the one that is named', async (scene) => {
    await examine(scene, [], async (examiner, operator) => {
        const headers = await operator.bearer();
        let body = operator.pushBody();
        const order = Object.keys(PUSH_FIELDS);
        for (const name of [...order].reverse()) {
            body = without(body, name, MISSING);
            await examiner.expect(`without ${order.slice(order.indexOf(name))}`,
                                  field(REPORTED[name] ?? name), 'POST', PUSH, { headers, body });
        }
    });
    proved('in Daraja\'s order');
});

await story('passwords, merchants, checkout ids', async (scene) => {
    const count = await examine(scene, [], async (examiner, operator) => {
        const headers = await operator.bearer();
        const stamp = '20260101120000';
        const wrong = {
            'another passkey': password(174379, stamp, 'x'.repeat(64)),
            'another short code': password(600000, stamp),
            'another timestamp': password(174379, '20260101120001'),
            'not base64': 'not base64!',
            'cut': password(174379, stamp).slice(0, -8),
            'too long': `${password(174379, stamp)}AAAA`,
        };
        for (const [what, Password] of Object.entries(wrong)) {
            await examiner.expect(`a password of ${what}`, CREDENTIALS, 'POST', PUSH,
                                  { headers, body: operator.pushBody({ Password }) });
            await examiner.expect(`a password of ${what}, at query`, CREDENTIALS, 'POST', QUERY,
                                  { headers, body: { BusinessShortCode: 174379, Password,
                                                     Timestamp: stamp, CheckoutRequestID: 'ws_CO_1' } });
        }
        for (const path of [PUSH, QUERY]) {
            await examiner.expect('an unknown short code', NO_MERCHANT, 'POST', path, { headers,
                body: { ...operator.pushBody({ BusinessShortCode: 123456 }), CheckoutRequestID: 'x' } });
        }
    });
    proved(`${count} calls: "Wrong credentials" or "Merchant does not exist", 500.001.1001`);

    const server = await Server.open(scene, [], { data: scene.path('two') });
    const { operator } = server;
    const { CheckoutRequestID: id } = await operator.pushed();
    const other = await operator.query(id, { BusinessShortCode: 600000,
                                             Password: password(600000, '20260101120000') });
    equal([other.status, other.json.errorMessage], [400, 'Bad Request - Invalid CheckoutRequestID'],
          'the query of another merchant');
    proved('a merchant cannot query another one\'s payment');
});

await story('bodies', async (scene) => {
    const count = await examine(scene, [], async (examiner, operator) => {
        const headers = await operator.bearer();
        const good = JSON.stringify(operator.pushBody());
        const nested = (depth) => `${good.slice(0, -1)},"x":${'['.repeat(depth)}${']'.repeat(depth)}}`;
        const bodies = {
            'nothing': '', 'a word': 'hello', 'a text': '"hello"', 'a number': '5', 'a list': `[${good}]`,
            'null': 'null', 'two objects': `${good}${good}`, 'half an object': good.slice(0, -20),
            'a comma at the end': `${good.slice(0, -1)},}`, 'single quotes': good.replaceAll('"', "'"),
            'a comment': `/* hi */${good}`, 'NaN': `${good.slice(0, -1)},"x":NaN}`,
            'a name twice': `${good.slice(0, -1)},"Amount":1}`,
            'a form': 'BusinessShortCode=174379&Amount=1',
            'broken UTF-8': Buffer.concat([Buffer.from(good.slice(0, -2)), Buffer.from([0xff, 0xfe]),
                                           Buffer.from('"}')]),
            'a NUL in a text': `${good.slice(0, -1)},"x":"\\u0000"}`,
            '17 levels': nested(17), '20,000 levels': nested(20000),
            'a byte order mark': `\ufeff${good}`,
        };
        for (const [what, body] of Object.entries(bodies)) {
            for (const path of [PUSH, QUERY]) {
                await examiner.expect(`a body that is ${what}, at ${path}`, PAYLOAD, 'POST', path,
                                      { headers: { ...headers, 'Content-Type': 'application/json' }, body });
            }
        }
        const type = (value) => ({ headers: { ...headers, 'Content-Type': value }, body: good });
        for (const value of ['text/plain', 'application/x-www-form-urlencoded', 'text/json', null]) {
            await examiner.expect(`Content-Type ${value}`, field('BusinessShortCode'), 'POST', PUSH,
                                  type(value));
        }
        const huge = await operator.call('POST', PUSH, {
            headers, body: `${good.slice(0, -1)},"x":"${'x'.repeat(70000)}"}` });
        equal(huge.status, 413, 'status of a body of 70 KB');
        check(!huge.json?.CheckoutRequestID, 'a body of 70 KB was accepted');
    });
    proved(`${count} bodies and content types: "400.002.05 Invalid Request Payload" or Invalid ` +
           'BusinessShortCode; 70 KB: 413');
});

await story('tokens', async (scene) => {
    const server = await Server.open(scene, ['--clock', 'virtual']);
    const examiner = new Examiner(server);
    const { operator } = server;
    await operator.authorize();
    const { token } = operator;
    const before = await examiner.look();
    const changed = (token.at(-1) === 'A' ? 'B' : 'A');
    const wrong = {
        'no header': [HEADER, {}],
        'nothing': [HEADER, { Authorization: '' }],
        'Bearer without a token': [HEADER, { Authorization: 'Bearer' }],
        'Basic': [HEADER, { Authorization: `Basic ${Buffer.from('a:b').toString('base64')}` }],
        'a token without Bearer': [HEADER, { Authorization: token }],
        'two tokens': [HEADER, { Authorization: `Bearer ${token} ${token}` }],
        'another token': [TOKEN, { Authorization: `Bearer ${'a'.repeat(28)}` }],
        'half a token': [TOKEN, { Authorization: `Bearer ${token.slice(0, 14)}` }],
        'a changed token': [TOKEN, { Authorization: `Bearer ${token.slice(0, -1)}${changed}` }],
        'a token in other letters': [TOKEN, { Authorization: `Bearer ${token.toUpperCase()}` }],
        'a very long token': [TOKEN, { Authorization: `Bearer ${'a'.repeat(2000)}` }],
    };
    for (const [what, [expected, headers]] of Object.entries(wrong)) {
        for (const path of [PUSH, QUERY]) {
            await examiner.expect(`${what}, at ${path}`, expected, 'POST', path,
                                  { headers, body: operator.pushBody() });
        }
    }
    equal(await examiner.look(), before, 'the books, after all that');
    await operator.advance(3598000);
    const late = await operator.query('ws_CO_1');
    equal(late.json.errorMessage, 'Bad Request - Invalid CheckoutRequestID', 'a token of 3,598 s');
    await operator.advance(2000);
    await examiner.expect('a token of an hour', TOKEN, 'POST', PUSH,
                          { headers: await operator.bearer(), body: operator.pushBody() });
    await operator.authorize();
    equal((await operator.push()).status, 200, 'a push with a new token');
    const restarted = operator.token;
    await server.restart();
    equal((await server.operator.query('ws_CO_1', {})).json.errorMessage,
          'Bad Request - Invalid CheckoutRequestID', 'the token after a restart');
    equal(server.operator.token, restarted, 'the token');
    proved(`${examiner.count} calls with a wrong header or token; one of an hour has expired; one ` +
           'survives a restart');
});

await story('OAuth', async (scene) => {
    const basic = (text) => ({ Authorization: `Basic ${Buffer.from(text).toString('base64')}` });
    const TYPE = [400, '400.008.01', 'Invalid authentication type passed'];
    const GRANT = [400, '400.008.02', 'Invalid grant type passed'];
    const count = await examine(scene, [], async (examiner, operator) => {
        for (const [what, headers] of Object.entries({
            'no header': {}, 'nothing': { Authorization: '' }, 'Bearer': { Authorization: 'Bearer abc' },
            'Basic alone': { Authorization: 'Basic' }, 'no base64': { Authorization: 'Basic a:b' },
            'no colon': basic('abc'), 'no key': basic(':secret'), 'no words': basic('') })) {
            await examiner.expect(`OAuth with ${what}`, TYPE, 'GET', OAUTH, { headers });
        }
        for (const query of ['', '?grant_type=', '?grant_type=password', '?grant=client_credentials',
                             '?grant_type=Client_Credentials']) {
            await examiner.expect(`OAuth with "${query}"`, GRANT, 'GET', `/oauth/v1/generate${query}`,
                                  { headers: basic('key:secret') });
        }
        for (const verb of ['POST', 'PUT', 'DELETE', 'PATCH']) {
            const answer = await operator.call(verb, OAUTH, { headers: basic('key:secret') });
            equal([answer.status, answer.json.errorCode], [405, '405.001'], `OAuth by ${verb}`);
        }
        const invalid = await operator.call('GET', OAUTH, { headers: basic('invalid:secret') });
        equal([invalid.status, invalid.text], [400, ''], 'OAuth with the key "invalid"');
    });
    proved(`${count} wrong ways: 400.008.01, 400.008.02; other methods 405.001; an unknown key 400 and ` +
           'an empty body');
});

await story('methods and paths', async (scene) => {
    const count = await examine(scene, [], async (examiner, operator) => {
        const headers = await operator.bearer();
        for (const path of [PUSH, QUERY]) {
            for (const verb of ['GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
                await examiner.expect(`${verb} ${path}`, method(verb), verb, path, { headers });
            }
        }
        for (const path of [`${PUSH}/`, `${PUSH}x`, '/mpesa/stkpush/v2/processrequest', '/mpesa/',
                            '/mpesa/stkpush/v1/ProcessRequest', '/mpesa/stkpushquery/v2/query',
                            '/oauth/v2/generate', '/oauth/v1/generate/']) {
            await examiner.expect(`POST ${path}`, NOT_FOUND, 'POST', path,
                                  { headers, body: operator.pushBody() });
        }
        for (const path of ['/', '/nothing', '/mpesax', '/sim', '/sim/v2/clock']) {
            const answer = await operator.call('POST', path, { headers, body: {} });
            equal(answer.status, 404, `status of POST ${path}`);
        }
    });
    proved(`${count} calls: 405.001 "<method> Method Not Allowed", 404.001.01 "Resource not found"`);
});

await story('profile daraja-strict', async (scene) => {
    const count = await examine(scene, ['--profile', 'daraja-strict'], async (examiner, operator) => {
        const headers = await operator.bearer();
        const url = async (CallBackURL) => examiner.expect(
            `CallBackURL ${CallBackURL}`, field('CallBackURL'), 'POST', PUSH,
            { headers, body: operator.pushBody({ CallBackURL }) }, false);
        for (const target of ['http://example.com/x', 'https://127.0.0.1/x', 'https://localhost/x',
                              'https://10.1.2.3/x', 'https://192.168.1.1/x', 'https://169.254.1.1/x',
                              'https://[::1]/x', 'https://2130706433/x', 'https://0x7f.1/x',
                              'https://shop/x']) {
            await url(target);
        }
        await examiner.expect('a sandbox short code', NO_MERCHANT, 'POST', PUSH,
            { headers, body: operator.pushBody({ BusinessShortCode: 600111,
                                                 CallBackURL: 'https://example.com/x' }) }, false);
        const answer = await operator.call('GET', OAUTH, { headers: {
            Authorization: `Basic ${Buffer.from('a:b').toString('base64')}` } });
        equal([answer.status, answer.text, answer.headers['hakika-explain']], [400, '', undefined],
              'unknown credentials');
    });
    proved(`${count} calls: http and private callback URLs refused, nothing opened by itself, no ` +
           'Hakika-Explain');
});

await story('who may call the control API', async (scene) => {
    const server = await Server.open(scene, ['--public-host', 'pay.example']);
    const { operator } = server;
    const { host } = new URL(server.base);
    const before = (await operator.metrics()).hakika_position;
    const ask = (headers, verb = 'POST', body = { msisdn: 254700000001, balance: 1 }) =>
        operator.call(verb, verb === 'GET' ? '/sim/v1/clock' : '/sim/v1/subscribers',
                      { headers, body: verb === 'GET' ? undefined : body });
    const refused = {
        'a foreign Origin': [403, 'origin_not_allowed', { Origin: 'https://evil.example' }],
        'the Origin null': [403, 'origin_not_allowed', { Origin: 'null' }],
        'our Origin with another port': [403, 'origin_not_allowed', { Origin: 'http://127.0.0.1:1' }],
        'an Origin that begins like ours': [403, 'origin_not_allowed', { Origin: `${server.base}.evil` }],
        'another Host (DNS rebinding)': [403, 'host_not_allowed', { Host: 'evil.example' }],
        'another Host with our port': [403, 'host_not_allowed', { Host: host.replace('127.0.0.1', 'evil') }],
        'a Host that begins like ours': [403, 'host_not_allowed', { Host: '127.0.0.1.evil.example' }],
        'another Host that is its own Origin': [403, 'host_not_allowed',
                                                { Host: 'evil.example', Origin: 'http://evil.example' }],
        'Sec-Fetch-Site cross-site': [403, 'origin_not_allowed', { 'Sec-Fetch-Site': 'cross-site' }],
    };
    for (const [what, [status, code, headers]] of Object.entries(refused)) {
        for (const verb of ['POST', 'GET']) {
            const answer = await ask(headers, verb);
            equal([answer.status, answer.json.code, answer.headers['content-type']],
                  [status, code, 'application/problem+json'], `${verb} with ${what}`);
        }
    }
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data', null]) {
        const answer = await ask({ 'Content-Type': type });
        equal([answer.status, answer.json.code], [415, 'json_needed'], `Content-Type ${type}`);
    }
    equal((await operator.metrics()).hakika_position, before, 'the position of the book');
    for (const headers of [{ Origin: server.base }, { Host: 'localhost' }, { 'Sec-Fetch-Site': 'none' },
                           { Host: 'localhost:8254', Origin: 'http://localhost:8254' },
                           { 'Sec-Fetch-Site': 'same-origin', Origin: server.base },
                           { Host: 'pay.example', Origin: 'https://pay.example' }]) {
        equal((await ask(headers, 'GET')).status, 200, `GET with ${JSON.stringify(headers)}`);
    }
    proved(`${2 * Object.keys(refused).length} calls from other pages and names are 403, bodies that are ` +
           'not JSON 415, and nothing happened; our own page and programs may');

    const keyed = await Server.open(scene, ['--admin-key', 'an-admin-key-of-ours'],
                                    { data: scene.path('keyed') });
    const get = (headers) => keyed.operator.call('GET', '/sim/v1/clock', { headers });
    for (const headers of [{}, { Authorization: 'Bearer wrong' }, { Authorization: 'an-admin-key-of-ours' },
                           { Authorization: 'Bearer an-admin-key-of-our' }]) {
        const answer = await get(headers);
        equal([answer.status, answer.json.code], [401, 'admin_key_needed'], JSON.stringify(headers));
    }
    equal((await get({ Authorization: 'Bearer an-admin-key-of-ours' })).status, 200, 'with the key');
    proved('with an admin key, every call of the control API needs it');
});

await story('what is accepted although it is not by the book', async (scene) => {
    const { operator } = await Server.open(scene);
    let phone = 254799000000;
    const forms = [
        { Amount: '10' }, { Amount: '10.00' }, { Amount: 10.0 }, { BusinessShortCode: '174379' },
        { PartyB: '174379' }, { AccountReference: 'y'.repeat(100) }, { TransactionDesc: 'z'.repeat(100) },
        { AccountReference: 12345 }, { AccountReference: 'Ñandú café' }, { PartyA: '254110000000' },
        { CallBackURL: 'http://example.com' }, { CallBackURL: 'https://example.com:8443/a?b=c#d' },
        { Unknown: 'field' }, { Timestamp: '19990101000000', Password: password(174379, '19990101000000') },
    ];
    for (const form of forms) {
        const answer = await operator.push({ PhoneNumber: String(phone++), ...form });
        equal([answer.status, answer.json.ResponseCode ?? answer.json.errorMessage], [200, '0'],
              JSON.stringify(form));
        matches(answer.headers['hakika-explain'], /accepted/, 'Hakika-Explain');
    }
    const charset = await operator.push({ PhoneNumber: phone++ }, { headers: {
        ...await operator.bearer(), 'Content-Type': 'application/json; charset=utf-8' } });
    equal(charset.status, 200, 'with a charset');
    const lower = await operator.push({ PhoneNumber: phone++ }, { headers: {
        Authorization: `bearer ${operator.token}` } });
    equal(lower.status, 200, 'with "bearer"');
    proved(`${forms.length + 2} forms that real clients send`);
});
