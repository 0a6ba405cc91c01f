// Daraja's contract, row by row (R6.1): tests/e2e/daraja-contract.json has each endpoint with its
// answer, its errors, its result codes, its callback and its time-out callback. What the table says
// is asked of the program here; what other tests prove is named there, and must be found in them.
import { readFileSync } from 'node:fs';
import { fault, filled, table, wrongValues } from '../lib/contract.mjs';
import { Listener } from '../lib/listener.mjs';
import { PASSKEY, password } from '../lib/operator.mjs';
import { Server } from '../lib/server.mjs';
import { check, equal, proved, story, until } from '../lib/story.mjs';

const PHONE = 254711000500;
const TILL = 5551234;
const BILL = '/v1/billmanager-invoice/';
const LONG = 'x'.repeat(101);
const { endpoints, errors, codes, proofs } = table;
const fits = (shape, value, what) => check(!fault(shape, value), `${what}: ${fault(shape, value)}`);

const seen = new Set(); // "API code" of every error that was met

class World {
    static async open(scene) {
        const world = new World();
        world.listener = await Listener.open(scene);
        world.server = await Server.open(scene, ['--clock', 'virtual', '--profile', 'sandbox']);
        world.operator = world.server.operator;
        world.count = 0;
        world.errors = 0;
        world.seen = seen;
        const { operator } = world;
        await operator.simOk('POST', '/subscribers', { msisdn: String(PHONE), name: 'Test Person',
            pin: '1234', balance: 20000000 }, 201);
        await operator.simOk('PATCH', `/organisations/${TILL}`, { nominated_msisdn: PHONE });
        world.words = { url: world.listener.url, phone: String(PHONE), long: LONG,
                        password: password(174379, '20260101120000', PASSKEY) };
        return world;
    }

    row(call) {
        return endpoints.find((row) => row.call.endsWith(call));
    }

    // One call of a row; `change` has other headers, call, fields or a whole body.
    async ask(row, change = {}) {
        const [method, path] = (change.call ?? row.call).split(' ');
        this.words.n = String(this.count);
        const body = { ...filled(row.body ?? {}, this.words), ...filled(change.fields ?? {}, this.words) };
        for (const name of change.without ?? []) delete body[name];
        const sent = 'body' in change ? change.body : row.bulk ? [body] : body;
        const basic = `Basic ${Buffer.from('key:secret').toString('base64')}`;
        const headers = change.headers ?? (row.kind === 'oauth' ? { Authorization: basic }
            : await this.operator.bearer());
        return this.operator.call(method, path, { headers,
            body: row.kind === 'oauth' ? undefined : sent });
    }

    // What a call of this row needs to succeed once more.
    async prepare(row) {
        this.count++;
        if (JSON.stringify(row).match(/\{(paid|bill receipt)\}/)) await this.payInvoice();
        if (JSON.stringify(row.body ?? {}).match(/\{(receipt|checkout)\}/)) {
            const push = await this.operator.pushed({ PhoneNumber: PHONE, Amount: 1,
                                                       CallBackURL: `${this.words.url}/before` });
            const paid = await this.operator.approved(push.CheckoutRequestID);
            this.words = { ...this.words, receipt: paid.receipt, checkout: push.CheckoutRequestID };
        }
        if (JSON.stringify(row.body ?? {}).includes('{invoice}')) {
            this.words.n = String(this.count);
            this.words.invoice = `inv-${this.count}`;
            await this.ask(this.row('single-invoicing'));
            this.count++;
        }
        await this.operator.advance(1); // what is on its way arrives
    }

    // An invoice that is paid, and the payment's receipt.
    async payInvoice() {
        if (this.words.paid) return;
        await this.ask(this.row('single-invoicing'),
                       { fields: { externalReference: 'paid', accountReference: 'PAID' } });
        await this.operator.simOk('POST', `/subscribers/${PHONE}/pay`,
            { short_code: 174379, amount: 80000, reference: 'PAID', pin: '1234' }, 201);
        await until(async () => (await this.operator.simOk('GET', '/invoices')).data[0].status === 'paid',
                    'the invoice is paid');
        const [request] = (await this.operator.simOk('GET', '/requests')).data;
        this.words = { ...this.words, paid: 'paid', 'bill receipt': request.receipt };
    }

    async refused(row, answer, code, words, what) {
        const [status, message] = errors[code];
        const label = `${row.api}, ${what}`;
        const [plain] = code.split(' ');
        equal([answer.status, answer.json?.errorCode], [status, plain], `${label} (${answer.text})`);
        fits({ requestId: '@request id', errorCode: 'string', errorMessage: 'string' }, answer.json,
             label);
        equal(answer.json.errorMessage, message.replace(/<\w+>/, words ?? ''), label);
        this.seen.add(`${row.api} ${plain}`);
        this.errors++;
    }
}

// Rules of which each takes one call of this API, in their order.
async function order(world, api, thens) {
    await world.operator.simOk('PUT', '/rules', { rules: thens.map((then, i) => ({
        name: `rule ${i}`, match: { api, first: 1 }, then })) });
}

const position = async ({ operator }) => (await operator.metrics()).hakika_position;

await story('every success, its answer and its messages', async (scene) => {
    const world = await World.open(scene);
    const { listener, operator } = world;
    let messages = 0;
    for (const row of endpoints) {
        await world.prepare(row);
        await operator.advance(1000);
        listener.received.length = 0;
        const answer = await world.ask(row);
        equal(answer.status, 200, `${row.api}: ${answer.text}`);
        fits(filled(row.answer, world.words), answer.json, row.api);
        if (row.act === 'approve') {
            const prompt = await until(async () => (await operator.prompts(PHONE))[0], 'a prompt');
            await operator.approve(prompt.checkout_request_id);
        }
        const wanted = row.messages ?? [];
        const told = () => wanted.map(([path]) => listener.received.find((c) => c.path.endsWith(path)));
        await until(() => told().every(Boolean), `the messages of ${row.api}`);
        wanted.forEach(([, shape], i) => fits(filled(shape, world.words), told()[i].json, row.api));
        messages += wanted.length;
    }
    proved(`${endpoints.length} endpoints answer with the documented members and types, and ` +
           `${messages} of them tell their end to the letter`);
});

// Wrong fields, bodies, tokens, verbs, paths and owners: refused to the letter, and nothing happens.
async function refusals(world, row) {
    const refused = async (change, code, words, what) =>
        world.refused(row, await world.ask(row, change), code, words, what);
    const [, path] = row.call.split(' ');
    for (const [name, values] of Object.entries({ ...row.fields, ...row.optional })) {
        const field = row.reported?.[name] ?? name;
        if (row.fields[name]) await refused({ without: [name] }, '400.002.02', field, `no ${name}`);
        for (const value of wrongValues(values)) {
            await refused({ fields: { [name]: value } }, '400.002.02', field, `${name} ${value}`);
        }
    }
    const bearer = await world.operator.bearer();
    const json = { ...bearer, 'Content-Type': 'application/json' };
    await refused({ body: row.bulk ? {} : [] }, '400.002.05', '', 'another JSON');
    await refused({ body: 'no JSON', headers: json }, '400.002.05', '', 'no JSON');
    await refused({ body: '', headers: json }, row.empty ? '400.003.02' : '400.002.05', '', 'no body');
    const header = path.startsWith('/mpesa/c2b/') ? '404.001.04 C2B' : '404.001.04';
    await refused({ headers: {} }, header, '', 'no token');
    await refused({ headers: { Authorization: 'Bearer none' } }, row.token, 'none', 'a wrong token');
    const [verb] = row.method ?? ['GET'];
    await refused({ call: `${verb} ${path}` }, '405.001', verb, 'another verb');
    await refused({ call: `${row.call}x` }, row.path, '', 'another path');
    if (row.owner) await refused({ fields: { [row.owner]: 600777 } }, '401.003.01', '', 'another app');
}

// What only a rule brings about, and what the state of the book refuses.
async function others(world, row) {
    const refused = async (change, code, words, what) =>
        world.refused(row, await world.ask(row, change), code, words, what);
    const ordered = ['500.003.1001', '500.003.02', '500.003.03', '00.002.1001'];
    await world.prepare(row);
    await order(world, row.rule, ordered.map((error) => ({ answer: { error } })));
    for (const code of ordered) await refused({}, code, '', 'by order');
    const spike = 'Error Occurred: Spike Arrest Violation';
    await order(world, row.rule, [{ answer: { error: '500.003.02', message: spike } },
                                  { answer: { error: '500.001.1001' } }]);
    equal((await world.ask(row)).json.errorMessage, spike, `${row.api}: ${spike}`);
    equal((await world.ask(row)).json.errorCode, '500.001.1001', `${row.api}: an internal error`);
    await order(world, row.rule, []);
    for (const change of row.special ?? []) {
        await world.prepare(row);
        if (change.twice) equal((await world.ask(row)).status, 200, `${row.api}, the first one`);
        await refused(change, change.error[0], change.error[1], change.what);
        await world.operator.advance(61000); // an open prompt ends
    }
    for (const change of row.refused ?? []) {
        await world.prepare(row);
        if (change.twice) equal((await world.ask(row)).status, 200, `${row.api}, the first one`);
        const answer = await world.ask(row, change);
        equal(answer.status, change.status, `${row.api}, ${change.what}`);
        fits(change.answer, answer.json, `${row.api}, ${change.what}`);
    }
}

await story('every documented error of every endpoint', async (scene) => {
    const world = await World.open(scene);
    const { operator } = world;
    await operator.authorize('hakika', 'hakika'); // the app of the seeded organisations
    await operator.simOk('POST', '/organisations', { short_code: 600777, name: 'Another app\'s',
        consumer_key: 'another-app-0123456789', consumer_secret: 'another-secret-0123456789' }, 201);
    for (const call of ['/mpesa/c2b/v2/registerurl', 'v1/register', 'optin']) {
        await world.ask(world.row(call));
    }
    for (const row of endpoints) {
        await world.prepare(row);
        const before = await position(world);
        if (row.kind !== 'oauth') await refusals(world, row);
        equal(await position(world), before, `${row.api}: the book after its refusals`);
        await others(world, row);
    }
    const met = new Set([...seen].map((one) => one.split(' ').at(-1)));
    equal(Object.keys(errors).filter((code) => !met.has(code.split(' ')[0])), [], 'errors never met');
    proved(`${world.errors} refusals of ${endpoints.length} endpoints: ${seen.size} pairs of endpoint ` +
           `and code, each of the ${met.size} codes to the letter`);
});

// The message about the call that was answered with `answer`, whatever its form.
function about(world, row, answer) {
    const id = answer.json.ConversationID ?? answer.json.CheckoutRequestID ??
        answer.json.ResponseHeader?.responseRefID ?? `express-${world.words.n}`;
    return ({ path, json }) => path.endsWith(row.messages[0][0]) &&
        [json.Result?.ConversationID, json.Body?.stkCallback.CheckoutRequestID, json.requestId,
         json.ResponseHeader?.requestRefID].includes(id);
}

async function ended(world, row, change, code, desc) {
    await world.prepare(row);
    const answer = await world.ask(row, change);
    equal(answer.status, 200, `${row.api}: ${answer.text}`);
    await world.operator.advance(1);
    const message = await world.listener.find(about(world, row, answer), `${row.api} ends with ${code}`);
    const given = { ...world.words, desc, 'code text': code,
                    code: /^\d+$/.test(code) ? Number(code) : `=${code}` };
    fits(filled(table.failures[row.ends], given), message.json, `${row.api} ${code}`);
}

await story('a text is as long as its bytes are, whatever they spell', async (scene) => {
    const world = await World.open(scene);
    const texts = ['\u20ac'.repeat(100), '\u00e9'.repeat(51), `${'a'.repeat(99)}\u00e9`, '\u00e9'.repeat(50)];
    let calls = 0;
    for (const row of endpoints.filter((one) => one.body)) {
        for (const [name, value] of Object.entries(row.body)) {
            if (typeof value !== 'string') continue;
            for (const text of texts) {
                const { json } = await world.ask(row, { fields: { [name]: text } });
                check(json, `${row.call}: ${name} of ${Buffer.byteLength(text)} bytes has an answer`);
                calls++;
            }
        }
    }
    equal((await world.operator.call('GET', '/healthz')).status, 200, 'the program afterwards');
    proved(`${calls} calls with texts of 100 to 300 bytes: none ends the process`);
});

await story('every documented result code of every API that has results', async (scene) => {
    const world = await World.open(scene);
    let count = 0;
    for (const row of endpoints.filter((one) => one.ends)) {
        const documented = Object.entries(row.ends === 'stk' ? codes.stk : codes.initiator);
        await order(world, row.rule, documented.map(([code]) => ({ outcome: { code } })));
        for (const [code, desc] of documented) await ended(world, row, {}, code, desc);
        await order(world, row.rule, []);
        for (const [code, fields] of row.books ?? []) {
            await ended(world, row, { fields }, code, codes.initiator[code]);
        }
        count += documented.length + (row.books ?? []).length;
    }
    proved(`${count} results, each with its documented words, in its API's form of a failure`);
});

await story('QueueTimeOutURL of every call that has one', async (scene) => {
    const world = await World.open(scene);
    const { listener, operator } = world;
    const rows = endpoints.filter((row) => row.late);
    for (const short_code of [600979, 600999, 174379]) {
        await world.ask(world.row('/accountbalance/v1/query'), { fields: { PartyA: short_code } });
        await operator.simOk('PATCH', `/organisations/${short_code}`, { queue_delay_ms: 45000 });
    }
    await until(() => listener.received.length === 3, 'three balances');
    const asked = [];
    for (const row of rows) {
        await world.prepare(row);
        const { json } = await world.ask(row);
        asked.push([row, json.ConversationID, { ...world.words }]);
    }
    const told = (path, id) => listener.received.filter((c) => c.path.endsWith(path) &&
                                                              c.json.Result?.ConversationID === id);
    await operator.advance(30000);
    for (const [row, id, words] of asked) {
        await until(() => told('/late', id).length > 0, `the time-out of ${row.api}`);
        fits(filled(row.late, words), told('/late', id)[0].json, `the time-out of ${row.api}`);
        equal(told('/result', id).length, 0, `results of ${row.api} by then`);
    }
    await operator.advance(15000);
    for (const [row, id, words] of asked) {
        await until(() => told('/result', id).length > 0, `the result of ${row.api}`);
        fits(filled(row.messages[0][1], words), told('/result', id)[0].json, `the result of ${row.api}`);
        equal(told('/late', id).length, 1, `time-outs of ${row.api}`);
    }
    proved(`${rows.map((row) => row.api).join(', ')}: told at 30 s, in the form of its results, once, ` +
           'and the result comes all the same');
});

await story('nothing is missing in the table, and what it names exists', async (scene) => {
    const { operator } = await Server.open(scene);
    const { json: document } = await operator.call('GET', '/openapi.json');
    const roots = /^\/(mpesa|oauth|imsi|sfcverify|v1|pulltransactions|standingorder)\//;
    const served = Object.entries(document.paths).filter(([path]) => roots.test(path))
        .flatMap(([path, verbs]) => Object.keys(verbs).map((verb) => `${verb.toUpperCase()} ${path}`));
    equal(endpoints.map((row) => row.call.split('?')[0]).sort(), served.sort(), 'the endpoints');
    const accepted = ['Accept the service request successfully.', 'USSD Initiated Successfully',
                      'Request accepted for processing'];
    for (const row of endpoints) {
        const answer = JSON.stringify([row.answer, row.answer === '@accepted' && table.shapes.accepted]);
        equal(accepted.some((words) => answer.includes(words)), row.messages !== undefined,
              `${row.api}: has messages because it only accepts`);
        const body = JSON.stringify(row.body ?? {});
        equal(row.late !== undefined, body.includes('QueueTimeOutURL'), `${row.api}: its time-out`);
        const wanted = row.kind === 'oauth' ? [] : ['400.002.02', '400.002.05', '404.001.04', row.token,
                                                    '405.001', row.path, ...(row.owner ? ['401.003.01'] : [])];
        const all = [...wanted, '500.003.1001', '500.003.02', '500.003.03', '00.002.1001'];
        equal(all.filter((code) => !seen.has(`${row.api} ${code}`)), [], `${row.api}: errors not met`);
    }
    for (const [what, file, claim] of proofs) {
        const text = readFileSync(new URL(`../${file}`, import.meta.url), 'utf8');
        const at = text.indexOf(claim);
        const begun = file.endsWith('.c') ? 'static void ' : 'proved(';
        const between = text.slice(text.lastIndexOf(begun, at), at);
        check(at > 0 && between.startsWith(begun) && !/\);\n|\n}/.test(between),
              `${what}: ${file} proves no "${claim}"`);
    }
    proved(`${endpoints.length} endpoints, all that are served; ${proofs.length} proofs elsewhere are ` +
           'where the table says');
});
