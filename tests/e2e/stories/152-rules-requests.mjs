// Scenario rules (R6.2) for the calls of organisations and the look-ups: what a rule orders is what
// goes over the wire, and the books keep to the truth (R6.4). `hakika verify` proves each journal.
import { spawnSync } from 'node:child_process';
import { Listener } from '../lib/listener.mjs';
import { SHORT_CODE } from '../lib/operator.mjs';
import { HAKIKA, Server } from '../lib/server.mjs';
import { check, equal, matches, proved, story, until } from '../lib/story.mjs';

const PHONE = 254711000500;
const BULK = 600999;
const TILL = 5551234;

async function open(scene, ...flags) {
    const listener = await Listener.open(scene);
    const server = await Server.open(scene, ['--clock', 'virtual', '--profile', 'sandbox', ...flags]);
    await server.operator.openSubscriber(PHONE, 10000000);
    return { listener, server, get operator() { return server.operator; } };
}

const ruled = (world, api, then, match = {}) => world.operator.simOk('PUT', '/rules', {
    rules: [{ name: 'the rule', match: { api, ...match }, then }] });

// Every call that is decided in the book: path, body, and which phone it prompts.
function calls(world) {
    const common = { Initiator: 'testapi', SecurityCredential: 'AAAA', Remarks: 'OK',
                     QueueTimeOutURL: `${world.listener.url}/late`,
                     ResultURL: `${world.listener.url}/result` };
    const payout = { ...common, Initiator: undefined, InitiatorName: 'testapi', Amount: '100',
                     PartyA: BULK, PartyB: PHONE };
    const b2b = { ...common, SenderIdentifierType: '4', RecieverIdentifierType: '4', Amount: '10',
                  PartyA: SHORT_CODE, PartyB: 600000, AccountReference: 'A' };
    return {
        b2c: ['/mpesa/b2c/v1/paymentrequest', { ...payout, CommandID: 'BusinessPayment' }],
        b2pochi: ['/mpesa/b2pochi/v1/paymentrequest',
                  { ...payout, CommandID: 'BusinessPayToPochi',
                    OriginatorConversationID: `pochi-${world.count = (world.count ?? 0) + 1}` }],
        b2b: ['/mpesa/b2b/v1/paymentrequest', { ...b2b, CommandID: 'BusinessPayBill' }],
        tax: ['/mpesa/b2b/v1/remittax', { ...b2b, CommandID: 'PayTaxToKRA', PartyB: 572572 }],
        status: ['/mpesa/transactionstatus/v1/query',
                 { ...common, CommandID: 'TransactionStatusQuery', PartyA: SHORT_CODE,
                   IdentifierType: '4', TransactionID: 'TK60708BHZ' }],
        balance: ['/mpesa/accountbalance/v1/query',
                  { ...common, CommandID: 'AccountBalance', PartyA: SHORT_CODE,
                    IdentifierType: '4' }],
        reversal: ['/mpesa/reversal/v1/request',
                   { ...common, CommandID: 'TransactionReversal', TransactionID: 'TK60708BHZ',
                     Amount: '70', ReceiverParty: SHORT_CODE, RecieverIdentifierType: '11' }],
        b2b_express: ['/v1/ussdpush/get-msisdn',
                      { primaryShortCode: TILL, receiverShortCode: SHORT_CODE, amount: '71',
                        paymentRef: 'INV', callbackUrl: `${world.listener.url}/result`,
                        partnerName: 'Vendor', RequestRefID: `express-${world.count}` }],
        ratiba: ['/standingorder/v1/createStandingOrderExternal',
                 { StandingOrderName: `order ${world.count}`, StartDate: '20260102',
                   EndDate: '20260102', BusinessShortCode: SHORT_CODE, ReceiverPartyIdentifierType: 4,
                   TransactionType: 'Standing Order Customer Pay Bill', Amount: 50, PartyA: PHONE,
                   CallBackURL: `${world.listener.url}/result`, AccountReference: 'A',
                   Frequency: 1 }],
        c2b: ['/mpesa/c2b/v2/simulate',
              { ShortCode: SHORT_CODE, CommandID: 'CustomerPayBillOnline', Amount: 5, Msisdn: PHONE,
                BillRefNumber: 'A' }],
    };
}

// The look-ups and registrations: nothing of theirs is a request.
const lookups = (world) => ({
    qr: ['/mpesa/qrcode/v1/generate', { MerchantName: 'D', RefNo: 'R', Amount: 2, TrxCode: 'PB',
                                        CPI: '174379', Size: '300' }],
    imsi: ['/imsi/v1/checkATI', { customerNumber: PHONE }],
    sim_swap: ['/imsi/v2/checkATI', { customerNumber: PHONE }],
    organisation_info: ['/sfcverify/v1/query/info', { IdentifierType: '4', Identifier: SHORT_CODE }],
    c2b_register: ['/mpesa/c2b/v2/registerurl',
                   { ShortCode: SHORT_CODE, ResponseType: 'Completed',
                     ConfirmationURL: `${world.listener.url}/result`,
                     ValidationURL: `${world.listener.url}/validation` }],
    pull: ['/pulltransactions/v1/register',
           { ShortCode: SHORT_CODE, RequestType: 'Pull', NominatedNumber: PHONE,
             CallBackURL: world.listener.url }],
});

async function post(world, [path, body]) {
    const { operator } = world;
    return operator.call('POST', path, { body, headers: await operator.bearer() });
}

const newest = async (world) => (await world.operator.simOk('GET', '/requests')).data[0];
const results = (world) => world.listener.received.filter((c) => c.path.endsWith('/result'));

// The code that a message tells, whatever form it has.
const codeOf = (json) => String(json.Result?.ResultCode ?? json.resultCode ??
    (json.responseHeader ?? json.ResponseHeader)?.responseCode);

// Asks, lets everything happen, and gives what came of it.
async function played(world, api) {
    const before = world.listener.received.length;
    const answer = await post(world, calls(world)[api]);
    await world.operator.untilIdle();
    const request = await newest(world);
    const deliveries = (await world.operator.simOk('GET',
        `/deliveries?transaction=${request.id}`)).data.filter((d) => d.kind === 'result').reverse();
    return { answer, request, deliveries, sent: world.listener.received.slice(before) };
}

function verified(world) {
    const run = spawnSync(HAKIKA, ['verify', world.server.data], { encoding: 'utf8' });
    equal(run.status, 0, `hakika verify: ${run.stdout.slice(0, 2000)} ${run.stderr}`);
}

const apart = (from, to) => Date.parse(to) - Date.parse(from);

await story('any outcome of every API', async (scene) => {
    const world = await open(scene);
    await world.operator.simOk('PATCH', `/organisations/${TILL}`, { nominated_msisdn: PHONE });
    const names = Object.keys(calls(world)).filter((api) => api !== 'c2b');
    const before = await world.operator.accounts();
    for (const api of names) {
        await ruled(world, api, { outcome: { code: '26', text: 'Come back later', delay_ms: 3000 } });
        const seen = await played(world, api);
        equal([seen.answer.status, seen.request.status, seen.request.result_code,
               seen.request.ruled_by?.rule, seen.sent.map((c) => codeOf(c.json))],
              [200, 'FAILED', '26', 'the rule', ['26']], api);
        equal(apart(seen.request.created_at, seen.request.ended_at), 3000, `the delay of ${api}`);
        check(seen.sent[0].text.includes('Come back later'), seen.sent[0].text);
        matches(seen.answer.headers['hakika-explain'], /scenario rule "the rule"/, 'explained');
    }
    equal(await world.operator.accounts(), before, 'no money has moved');
    await ruled(world, 'c2b', { outcome: { code: '17' } });
    const c2b = await played(world, 'c2b');
    equal([c2b.request.status, c2b.request.result_code, c2b.sent.length], ['FAILED', '17', 0], 'c2b');
    await world.server.stop();
    verified(world);
    proved(`${names.length + 1} APIs end with any code, words and delay, and move nothing`);
});

await story('answers of every API', async (scene) => {
    const world = await open(scene);
    const all = { ...calls(world), ...lookups(world) };
    for (const [api, call] of Object.entries(all)) {
        await ruled(world, api, { answer: { error: '500.003.02', message: 'Spike' } }, { nth: 1 });
        const count = (await world.operator.simOk('GET', '/requests')).data.length;
        const refused = await post(world, call);
        equal([refused.status, refused.json.errorCode, refused.json.errorMessage],
              [500, '500.003.02', 'Spike'], `${api}: spike arrest`);
        equal((await world.operator.simOk('GET', '/requests')).data.length, count,
              `${api}: nothing was accepted`);
        const usual = await post(world, call);
        equal(usual.status, 200, `${api}: the second call (${usual.text})`);
        const rules = await world.operator.simOk('GET', '/rules');
        equal([rules.rules[0].matched, rules.rules[0].applied], [2, 1], `${api}: counts`);
    }
    proved(`${Object.keys(all).length} APIs answer with an error by order, and accept nothing`);
    for (const api of ['b2b', 'qr']) {
        const call = () => ({ ...calls(world), ...lookups(world) })[api];
        await ruled(world, api, { answer: { status: 503 } });
        const proxy = await post(world, call());
        equal([proxy.status, proxy.json], [503, undefined], `${api}: a proxy's page`);
        await ruled(world, api, { answer: { connection: 'empty_body' } });
        equal((await post(world, call())).text, '', `${api}: an empty body`);
        for (const connection of ['reset', 'half_body']) {
            await ruled(world, api, { answer: { connection } });
            const broken = await post(world, call()).catch((error) => error);
            check(broken instanceof Error, `${api}: ${connection} gave ${broken.text}`);
        }
        await ruled(world, api, { answer: { delay_ms: 30000 } });
        const slow = post(world, call());
        await until(async () => (await world.operator.simOk('GET', '/rules')).rules[0].applied === 1,
                    'the call has arrived');
        await world.operator.advance(30000);
        equal((await slow).status, 200, `${api}: 30 s late`);
    }
    await ruled(world, 'b2b', { answer: { error: '500.001.1001', accepted: true } });
    const lied = await played(world, 'b2b');
    equal([lied.answer.status, lied.request.status, lied.sent.length], [500, 'SUCCESS', 1],
          'refused in words only');
    proved('a page of a proxy, no body, half of one, a reset, 30 s late, refused but done');
});

await story('every accident of a ResultURL', async (scene) => {
    const world = await open(scene);
    const SHOWN = [
        ['never', { never: true }, (seen) => equal([seen.sent.length, seen.deliveries.length],
                                                   [0, 0], 'results')],
        ['late', { delay_ms: 120000 }, (seen) => equal(
            apart(seen.request.ended_at, seen.deliveries[0].attempts[0].at), 120000, 'ms')],
        ['three times', { times: 3, spacing_ms: 7000 }, (seen) => {
            equal(seen.sent.map((c) => codeOf(c.json)), ['0', '0', '0'], 'the results');
            equal(new Set(seen.sent.map((c) => c.text)).size, 1, 'all the same');
            equal(seen.deliveries.length, 3, 'results that are listed');
        }],
        ['with a wrong amount', { amount: 99900 }, (seen) => {
            check(seen.sent[0].text.includes('999.00'), seen.sent[0].text);
            equal(seen.request.amount, 10000, 'the books');
        }],
        ['without parameters', { metadata: false }, (seen) => {
            equal([codeOf(seen.sent[0].json), 'ResultParameters' in seen.sent[0].json.Result],
                  ['0', false], 'the result');
            equal(seen.sent[0].json.Result.TransactionID, seen.request.receipt, 'its receipt');
        }],
        ['malformed', { cut: true }, (seen) => equal(seen.sent[0].json, undefined, 'half of it')],
        ['failed, but paid', { code: '17', text: 'Internal' }, (seen) => {
            const { Result } = seen.sent[0].json;
            equal([Result.ResultCode, Result.ResultDesc, 'ResultParameters' in Result],
                  [17, 'Internal', false], 'the result');
            matches(Result.TransactionID, /^\w{3}0{7}$/, 'no receipt');
        }],
        ['three attempts that fail unsent', { fail_first: 3 }, (seen) => equal(
            seen.deliveries[0].attempts.map((a) => a.response_status), [null, null, null, 200],
            'attempts')],
    ];
    for (const [what, callback, look] of SHOWN) {
        await ruled(world, 'b2c', { callback });
        const before = await world.operator.balance(PHONE);
        const seen = await played(world, 'b2c');
        look(seen);
        equal([seen.request.status, await world.operator.balance(PHONE)],
              ['SUCCESS', before + 10000], `the truth (${what})`);
        proved(`a result ${what}`);
    }
    await ruled(world, 'b2c', { outcome: { code: '1' }, callback: { code: '0' } });
    const invented = await played(world, 'b2c');
    const found = invented.sent[0].json.Result;
    equal([found.ResultCode, invented.request.status, invented.request.receipt],
          [0, 'FAILED', null], 'paid in words only');
    matches(found.TransactionID, /^\w{3}ZZ\w{5}$/, 'a receipt that nobody was given');
    await ruled(world, 'b2b', { callback: { hold_for_next: true } }, { nth: 1 });
    const held = await played(world, 'b2b');
    equal(held.sent.length, 0, 'held back');
    await world.server.restart();
    const next = await played(world, 'b2b');
    equal(next.sent.map((c) => c.json.Result.ConversationID),
          [next.request.conversation_id, held.request.conversation_id], 'out of order');
    await ruled(world, 'balance', { callback: { before_answer: true } });
    const count = results(world).length;
    await post(world, calls(world).balance);
    equal(results(world).length, count + 1, 'the result was there before the answer');
    await world.server.stop();
    verified(world);
    proved('paid in words only, out of order over a kill -9, before the acknowledgement');
});

await story('prompts, dates and a kill -9', async (scene) => {
    const world = await open(scene);
    const { operator } = world;
    await operator.simOk('PATCH', `/organisations/${TILL}`, { nominated_msisdn: PHONE });
    for (const [api, cancelled] of [['ratiba', '1032'], ['b2b_express', '4001']]) {
        const acts = [[{ act: 'approve', delay_ms: 20000 }, '0', 20000],
                      [{ act: 'wrong_pin' }, '2001', 0],
                      [{ act: 'cancel', delay_ms: 3000 }, cancelled, 3000],
                      [{ act: 'ignore', delay_ms: 9000 }, api === 'ratiba' ? '1037' : '4203', 9000],
                      [{ act: 'unreachable' }, api === 'ratiba' ? '1037' : '4201', 4000]];
        for (const [prompt, code, after] of acts) {
            await ruled(world, api, { prompt });
            const answer = await post(world, calls(world)[api]);
            equal(answer.status, 200, answer.text);
            await operator.advance(61000);
            const request = await newest(world);
            equal([request.result_code, apart(request.asked_at, request.ended_at)], [code, after],
                  `${api} ${prompt.act}`);
        }
        await ruled(world, api, { outcome: { code: '0' } });
        await post(world, calls(world)[api]);
        await operator.advance(1);
        equal((await newest(world)).result_code, '0', `${api}: paid by order`);
    }
    await ruled(world, 'ratiba_payment', { outcome: { code: '8' }, callback: { times: 2 } });
    await operator.advance(7 * 3600 * 1000 + 24 * 3600 * 1000);
    const payments = (await operator.simOk('GET', '/requests')).data
        .filter((r) => r.type === 'standing_order_payment');
    equal(payments.map((r) => [r.result_code, r.ruled_by?.rule]),
          payments.map(() => ['8', 'the rule']), 'payments on their date');
    check(payments.length === 2, `${payments.length} orders were allowed`);
    await operator.authorize(); // a day has passed
    await ruled(world, 'b2c', { outcome: { code: '0', delay_ms: 60000 },
                                callback: { delay_ms: 60000, times: 2, spacing_ms: 1000 } });
    await post(world, calls(world).b2c);
    await world.server.restart();
    equal((await newest(world)).status, 'PENDING', 'still waiting for its turn');
    await world.operator.advance(60000);
    equal((await newest(world)).status, 'SUCCESS', 'done, a minute late');
    await world.server.restart();
    const before = results(world).length;
    await world.operator.advance(62000);
    await until(() => results(world).length === before + 2, 'two results');
    await world.server.stop();
    verified(world);
    proved('prompts and dates obey, and what is delayed goes on after kill -9');
});

await story('every accident of a QueueTimeOutURL', async (scene) => {
    const world = await open(scene);
    const { operator } = world;
    await operator.simOk('PATCH', `/organisations/${SHORT_CODE}`, { queue_delay_ms: 45000 });
    let before = 0;
    const late = () => world.listener.received.slice(before).filter((c) => c.path.endsWith('/late'));
    const asked = async () => (await post(world, calls(world).b2b)).json.ConversationID;
    const SHOWN = [
        ['never', { never: true }, 0, () => {}],
        ['three times', { times: 3, spacing_ms: 1000 }, 3,
         (all) => equal(new Set(all.map((c) => c.text)).size, 1, 'all the same')],
        ['with another code', { code: '1', text: 'Lost' }, 1, ([one]) => equal(
            [one.json.Result.ResultType, one.json.Result.ResultCode, one.json.Result.ResultDesc],
            ['1', '1', 'Lost'], 'its words')],
        ['malformed', { cut: true }, 1, ([one]) => equal(one.json, undefined, 'half of it')],
        ['that fails twice unsent', { fail_first: 2 }, 1, () => {}],
    ];
    for (const [what, callback, count, look] of SHOWN) {
        await ruled(world, 'queue_timeout', { callback });
        before = world.listener.received.length;
        const id = await asked();
        await operator.advance(30000);
        await operator.untilIdle();
        equal(late().length, count, `time-outs, ${what}`);
        const listed = await operator.deliveriesOf((await newest(world)).id);
        equal(listed.map((d) => d.kind), [...Array(what === 'that fails twice unsent' ? 1 : count).fill('timeout'),
                                          'result'], `what is listed, ${what}`);
        look(late());
        equal((await newest(world)).status, 'SUCCESS', `the truth (${what})`);
        await until(() => results(world).some((c) => c.text.includes(id)), 'the result comes');
        await operator.authorize();
    }
    await ruled(world, 'queue_timeout', { callback: { delay_ms: 60000 } });
    before = world.listener.received.length;
    const id = await asked();
    await operator.advance(89999);
    equal([late().length, results(world).filter((c) => c.text.includes(id)).length], [0, 1],
          'the result comes first');
    await world.server.restart();
    await world.operator.advance(1);
    await until(() => late().length === 1, 'then the time-out, a minute late, over a kill -9');
    const notice = (await world.operator.deliveriesOf((await newest(world)).id))
        .find((d) => d.kind === 'timeout');
    equal(notice.ruled_by, 'the rule', 'who ordered it');
    await world.server.stop();
    verified(world);
    proved('a time-out never, often, late, after the result, malformed, with other words');
});

await story('every accident of a C2B validation', async (scene) => {
    const world = await open(scene);
    const { operator, listener } = world;
    const register = (ResponseType) => operator.bearer().then((headers) => operator.call('POST',
        '/mpesa/c2b/v2/registerurl', { headers, body: { ShortCode: SHORT_CODE, ResponseType,
            ConfirmationURL: `${listener.url}/result`, ValidationURL: `${listener.url}/validation` } }));
    await operator.simOk('PATCH', `/organisations/${SHORT_CODE}`, { external_validation: true });
    listener.behave = ({ path }) => path.endsWith('/validation')
        ? { status: 200, body: '{"ResultCode":"C2B00012","ResultDesc":"Rejected"}' } : undefined;
    const SHOWN = [ // what, the order, ResponseType, questions, result code
        ['never', { never: true }, 'Completed', 0, '0'],
        ['never', { never: true }, 'Cancelled', 0, 'C2B00016'],
        ['later than anybody waits', { delay_ms: 60000 }, 'Cancelled', 0, 'C2B00016'],
        ['late', { delay_ms: 5000 }, 'Completed', 1, 'C2B00012'],
        ['twice', { times: 2, amount: 999 }, 'Completed', 2, 'C2B00012'],
        ['malformed', { cut: true }, 'Completed', 1, 'C2B00012'],
        ['that cannot be sent', { fail_first: 1 }, 'Completed', 0, '0'],
    ];
    for (const [what, callback, type, count, code] of SHOWN) {
        await register(type);
        await ruled(world, 'c2b_validation', { callback });
        const before = listener.received.length;
        equal((await post(world, calls(world).c2b)).status, 200, what);
        await operator.advance(61000);
        const asked = () => listener.received.slice(before).filter((c) => c.path.endsWith('/validation'));
        await until(() => asked().length >= count, `the question, ${what}`);
        equal(asked().length, count, `questions, ${what}`);
        equal((await newest(world)).result_code, code, `${what}, ${type}`);
        if (callback.amount) equal(asked()[0].json.TransAmount, '9.99', 'another amount');
        if (callback.cut) equal(asked()[0].json, undefined, 'half of it');
    }
    await world.server.stop();
    verified(world);
    for (const [what, ...call] of [['rebuild', 'view', 'rebuild', world.server.data],
        ['rows', 'query', world.server.data, 'select count(*) as n from validations', '--json']]) {
        const run = spawnSync(HAKIKA, call, { encoding: 'utf8' });
        equal(run.status, 0, `the view: ${what} ${run.stderr}`);
        if (what === 'rows') matches(run.stdout, /\b5\b/, 'a row for each payment that was asked about');
    }
    proved('a question never, late, too late, twice, malformed, about another amount, not sent');
});

await story('--magic for payouts', async (scene) => {
    const world = await open(scene, '--magic');
    const { operator } = world;
    const ends = [['02', '1'], ['03', '2001'], ['07', '2040'], ['00', '0'], ['04', '0']];
    for (const [suffix, code] of ends) {
        const phone = Number(`2547110005${suffix}`);
        if (phone !== PHONE) await operator.openSubscriber(phone, 0);
        const [path, body] = calls(world).b2c;
        const before = results(world).length;
        await post(world, [path, { ...body, PartyB: phone }]);
        await operator.untilIdle();
        equal((await newest(world)).result_code, code, `phone ${suffix}`);
        equal(results(world).length - before, suffix === '04' ? 0 : 1, `results of ${suffix}`);
    }
    const [path, body] = calls(world).b2c;
    await post(world, [path, { ...body, Amount: '2001' }]);
    await operator.untilIdle();
    equal((await newest(world)).result_code, '2001', 'amount 2001');
    proved('payouts end by the last digits of the phone, or by the amount');
});

// The longest texts that every field may have, each byte of which doubles or grows sixfold as JSON.
await story('the longest result', async (scene) => {
    const world = await open(scene);
    const { operator } = world;
    const name = '\u0001'.repeat(100);
    await operator.simOk('POST', '/organisations', { short_code: 600111, name }, 201);
    await operator.simOk('POST', `/organisations/${SHORT_CODE}/fund`, { account: 'working', amount: 9_000_000_000_000 });
    await ruled(world, 'b2b', { callback: { code: '0', text: '"'.repeat(120) } });
    const base = `${world.listener.url}/`;
    const [path, body] = calls(world).b2b;
    const answer = await post(world, [path, { ...body, Amount: '100000', PartyB: 600111, AccountReference: '"'.repeat(100),
        QueueTimeOutURL: base + '"'.repeat(1024 - base.length) }]);
    equal(answer.status, 200, answer.text);
    await operator.untilIdle();
    const sent = results(world).at(-1);
    check(sent.text.length > 4096, `a result of ${sent.text.length} bytes`);
    equal(sent.json.Result.ResultDesc, '"'.repeat(120), 'its words');
    const [delivery] = (await operator.simOk('GET', '/deliveries')).data;
    const shown = await operator.simOk('GET', `/deliveries/${delivery.id}`);
    equal([shown.request_body, shown.state], [sent.text, 'delivered'], 'what is shown of it');
    await operator.simOk('POST', `/deliveries/${delivery.id}/replay`, {}, 202);
    await until(() => results(world).length === 2, 'the same again');
    equal((await operator.call('GET', `/sim/v1/deliveries/${delivery.id}/curl`)).status, 200, 'the command line');
    verified(world);
    proved(`a result of ${sent.text.length} bytes is sent, shown and sent again`);
});
