// Scenario rules (R6.2, R1.9) at a real listener, in virtual time: what a rule orders is exactly
// what goes over the wire, the books keep to the truth and say which rule it was (R6.4), and a kill
// -9 in the middle changes nothing.
import { tellWithCuts } from '../lib/cuts.mjs';
import { Listener } from '../lib/listener.mjs';
import { Server } from '../lib/server.mjs';
import { check, equal, matches, proved, story, until } from '../lib/story.mjs';

const SHILLING = 100;
const PHONE = 254711000500;
const ANSWERED = 'Hakika-Explain';

const rule = (then, match = {}) => ({
    rules: [{ name: 'the rule', match: { api: 'stk_push', ...match }, then }] });
const pays = { act: 'approve' };

async function open(scene, ...flags) {
    const listener = await Listener.open(scene);
    const server = await Server.open(scene, ['--clock', 'virtual', '--profile', 'sandbox', ...flags]);
    const { operator } = server;
    await operator.openSubscriber(PHONE, 100000 * SHILLING);
    return { listener, server, operator };
}

const order = (world, fields = {}) => ({ PhoneNumber: PHONE, Amount: 10, CallBackURL: world.listener.url,
                                         ...fields });

async function ruled(world, then, match) {
    await world.operator.simOk('PUT', '/rules', rule(then, match));
}

// Milliseconds of the book's clock from one time to another.
const apart = (from, to) => Date.parse(to) - Date.parse(from);

// A pushed payment and all that came of it when nothing is left to do.
async function played(world, fields) {
    const pushed = await world.operator.pushed(order(world, fields));
    await world.operator.untilIdle();
    const id = pushed.CheckoutRequestID;
    return { id, pushed, paid: await world.operator.transaction(id),
             callbacks: world.listener.about(id),
             deliveries: await world.operator.deliveriesOf(id),
             query: (await world.operator.query(id)).json };
}

function items(callback) {
    return Object.fromEntries((callback.CallbackMetadata?.Item ?? []).map((i) => [i.Name, i.Value]));
}

// Each accident of a callback: what the rule says, and what must be seen.
const ACCIDENTS = [
    ['never, and found by the query', { prompt: pays, callback: { never: true } }, (seen) => {
        equal([seen.callbacks.length, seen.deliveries.length], [0, 0], 'callbacks');
        equal([seen.paid.status, seen.query.ResultCode], ['SUCCESS', '0'], 'the truth');
    }],
    ['late', { prompt: pays, callback: { delay_ms: 120000 } }, (seen) => {
        equal(apart(seen.paid.created_at, seen.deliveries[0].attempts[0].at), 120000, 'ms');
        equal(seen.callbacks.length, 1, 'callbacks');
    }],
    ['three times', { prompt: pays, callback: { times: 3, spacing_ms: 7000 } }, (seen) => {
        equal(seen.callbacks.map((c) => c.ResultCode), [0, 0, 0], 'the callbacks');
        equal(seen.deliveries.map((d) => apart(seen.paid.created_at, d.attempts[0].at)),
              [0, 7000, 14000], 'when they came');
    }],
    ['with a wrong amount', { prompt: pays, callback: { amount: 99900 } }, (seen) => {
        equal(items(seen.callbacks[0]).Amount, 999, 'Amount of the callback');
        equal(seen.paid.amount, 10 * SHILLING, 'the amount in the books');
        equal(seen.deliveries.map((d) => [d.kind, d.transaction]), [['stk_callback', seen.paid.id]],
              'what a changed callback is shown as');
    }],
    ['without metadata', { prompt: pays, callback: { metadata: false } }, (seen) => {
        equal([seen.callbacks[0].ResultCode, 'CallbackMetadata' in seen.callbacks[0]], [0, false],
              'the callback');
    }],
    ['"failed" although paid', { prompt: pays, callback: { code: '1032', text: 'No.' } }, (seen) => {
        equal([seen.callbacks[0].ResultCode, seen.callbacks[0].ResultDesc], [1032, 'No.'],
              'the callback');
        equal([seen.query.ResultCode, seen.paid.status], ['0', 'SUCCESS'], 'query and books');
    }],
    ['"paid" although failed', { prompt: { act: 'cancel' }, callback: { code: '0' } }, (seen) => {
        matches(items(seen.callbacks[0]).MpesaReceiptNumber, /^\w{3}ZZ\w{5}$/, 'a receipt of nobody');
        equal([seen.query.ResultCode, seen.paid.status, seen.paid.receipt],
              ['1032', 'CANCELLED', null], 'query and books');
    }],
    ['1037, but charged', { prompt: pays, callback: { code: '1037' } }, (seen) => {
        equal(seen.callbacks.map((c) => c.ResultCode), [1037], 'the callback');
        equal([seen.paid.status, seen.query.ResultCode], ['SUCCESS', '0'], 'the money moved');
    }],
    ['true, and the query contradicts it', { prompt: pays, query: { code: '1037' } }, (seen) => {
        equal([seen.callbacks[0].ResultCode, seen.query.ResultCode, seen.paid.result_code],
              [0, '1037', '0'], 'callback, query and books');
    }],
    ['true, and the query never ends', { prompt: pays, query: { pending: true } }, (seen) => {
        equal([seen.callbacks[0].ResultCode, seen.query.ResultCode], [0, '4999'], 'what was said');
    }],
    ['three attempts that fail unsent', { prompt: pays, callback: { fail_first: 3 } }, (seen) => {
        equal(seen.deliveries[0].attempts.map((a) => a.response_status), [null, null, null, 200],
              'the attempts');
        matches(seen.deliveries[0].attempts[0].error, /scenario rule/, 'why');
        equal(seen.callbacks.length, 1, 'callbacks on the wire');
    }],
];

await story('every accident of a callback, on the wire', async (scene) => {
    const world = await open(scene);
    for (const [what, then, look] of ACCIDENTS) {
        await ruled(world, then);
        const before = await world.operator.balance(PHONE);
        const seen = await played(world, { AccountReference: what.slice(0, 12) });
        look(seen);
        const moved = seen.paid.status === 'SUCCESS' ? 10 * SHILLING : 0;
        equal(await world.operator.balance(PHONE), before - moved, `what is left (${what})`);
        equal(seen.paid.ruled_by.rule, 'the rule', 'ruled_by');
        check(seen.paid.timeline.some((step) => step.event === 'ruled: the rule'), 'the timeline');
        proved(`a callback ${what}`);
    }
    await ruled(world, { prompt: pays, callback: { cut: true } });
    const sent = world.listener.received.length;
    await played(world);
    const cut = world.listener.received[sent];
    equal([world.listener.received.length, cut.json], [sent + 1, undefined], 'what arrived');
    check(cut.text.startsWith('{"Body":{"stkCallback":{'), `cut JSON: ${cut.text}`);
    proved(`a callback of broken JSON (${cut.text.length} bytes)`);
});

await story('out of order: held back until the next one has gone out', async (scene) => {
    const world = await open(scene);
    await ruled(world, { prompt: pays, callback: { hold_for_next: true } }, { nth: 1 });
    const first = await played(world, { AccountReference: 'ONE' });
    equal([first.callbacks.length, first.deliveries[0].state, first.deliveries[0].next_try_at],
          [0, 'waiting', null], 'the first callback');
    await world.server.restart();
    world.operator = world.server.operator;
    const second = await world.operator.pushed(order(world, { AccountReference: 'TWO' }));
    await world.operator.cancel(second.CheckoutRequestID);
    await world.operator.untilIdle();
    equal(world.listener.received.map((c) => c.json.Body.stkCallback.CheckoutRequestID),
          [second.CheckoutRequestID, first.id], 'the order of the callbacks');
    proved('the second payment\'s callback came before the first one\'s, with kill -9 in between');
});

await story('a callback before the acknowledgement, and slow answers', async (scene) => {
    const world = await open(scene);
    await ruled(world, { prompt: pays, callback: { before_answer: true } });
    const order1 = [];
    world.listener.behave = () => { order1.push('callback'); };
    const answer = await world.operator.tryPush(order(world));
    order1.push('answer');
    equal([answer.status, order1], [200, ['callback', 'answer']], 'what came first');
    matches(answer.headers[ANSWERED.toLowerCase()], /the rule/, ANSWERED);
    equal(world.listener.about(answer.json.CheckoutRequestID).length, 1, 'callbacks');
    proved('the callback came before the answer that gave its id');

    await ruled(world, { answer: { delay_ms: 30000 }, prompt: pays });
    let answered = false;
    const slow = world.operator.tryPush(order(world, { AccountReference: 'SLOW' }))
        .then((a) => { answered = true; return a; });
    await until(async () => world.listener.received.length === 2, 'the callback arrives');
    const start = (await world.operator.clock()).now;
    check(!answered, 'the answer came at once');
    await world.operator.advance(29999);
    check(!answered, 'the answer came too early');
    equal((await world.operator.transactions()).length, 2, 'payments');
    await world.operator.advance(1);
    equal((await slow).status, 200, 'the answer');
    equal(apart(start, (await world.operator.clock()).now), 30000, 'ms of the book');
    proved('an answer that is 30 s late, after its own callback');
});

const PHONES = [
    ['approve', 20000, 'SUCCESS', '0', 20000], ['wrong_pin', 5000, 'FAILED', '2001', 5000],
    ['cancel', 3000, 'CANCELLED', '1032', 3000], ['ignore', undefined, 'FAILED', '1037', 60000],
    ['ignore', 9000, 'FAILED', '1037', 9000], ['unreachable', undefined, 'FAILED', '1037', 4000],
    ['unreachable', 1000, 'FAILED', '1037', 1000],
];

await story('every behaviour of a phone', async (scene) => {
    const world = await open(scene);
    for (const [act, delay_ms, status, code, took] of PHONES) {
        await ruled(world, { prompt: delay_ms === undefined ? { act } : { act, delay_ms } });
        const seen = await played(world, { AccountReference: act });
        const ended = seen.paid.timeline.find((step) => step.event === 'ended');
        equal([seen.paid.status, seen.paid.result_code, apart(seen.paid.created_at, ended.at)],
              [status, code, took], `${act} after ${delay_ms}`);
        equal([seen.callbacks.map((c) => String(c.ResultCode)), seen.query.ResultCode], [[code], code],
              'callback and query');
        proved(`${act}: ${code} after ${took} ms`);
    }
    await ruled(world, { outcome: { code: 'NEW.9-x', text: 'Something new', delay_ms: 1234 } });
    const seen = await played(world, { AccountReference: 'any' });
    equal([seen.callbacks[0].ResultCode, seen.callbacks[0].ResultDesc, seen.query.ResultCode,
           seen.paid.result_code, seen.paid.status],
          ['NEW.9-x', 'Something new', 'NEW.9-x', 'NEW.9-x', 'FAILED'], 'an arbitrary outcome');
    proved('any result code with any text, the same in callback, query and books');
});

await story('every answer of an API', async (scene) => {
    const world = await open(scene);
    const push = () => world.operator.tryPush(order(world)).catch((error) => error);
    const kept = async () => (await world.operator.transactions()).length;
    await ruled(world, { answer: { error: '500.003.02', message: 'Spike Arrest' } }, { first: 1 });
    let answer = await push();
    equal([answer.status, answer.json.errorCode, answer.json.errorMessage, await kept()],
          [500, '500.003.02', 'Spike Arrest', 0], 'spike arrest');
    matches(answer.headers['hakika-explain'], /scenario rule "the rule" \(user 1\)/, ANSWERED);
    await ruled(world, { answer: { error: '404.001.03' } });
    answer = await push();
    equal([answer.status, answer.json.errorMessage], [404, 'Invalid Access Token'], 'usual words');
    await ruled(world, { answer: { status: 503 } });
    answer = await push();
    equal([answer.status, answer.json], [503, undefined], 'a page of a proxy');
    await ruled(world, { answer: { connection: 'reset', accepted: false } });
    equal([(await push()).code, await kept()], ['ECONNRESET', 0], 'reset, nothing accepted');
    for (const connection of ['reset', 'half_body']) {
        await ruled(world, { answer: { connection }, prompt: pays });
        const before = await kept();
        equal((await push()).code, 'ECONNRESET', connection);
        equal(await kept(), before + 1, `payments behind ${connection}`);
        await world.operator.untilIdle();
    }
    await ruled(world, { answer: { connection: 'empty_body' }, prompt: pays });
    answer = await push();
    equal([answer.status, answer.text], [200, ''], 'an empty body');
    await world.operator.untilIdle();
    await ruled(world, { answer: { error: '500.001.1001', accepted: true }, prompt: pays });
    answer = await push();
    equal([answer.status, await kept()], [500, 4], 'an error although the payment was accepted');
    await world.operator.untilIdle();
    equal((await world.operator.transactions()).map((t) => t.status), Array(4).fill('SUCCESS'),
          'what became of the payments nobody heard of');
    proved('errors, pages, resets, half and empty bodies, with and without a payment behind them');

    await ruled(world, { answer: { status: 502 } }, { api: ['oauth', 'stk_query'], every: 2 });
    const token = () => world.operator.call('GET', '/oauth/v1/generate?grant_type=client_credentials',
                                            { headers: { Authorization: 'Basic azpz' } });
    const statuses = [];
    for (let i = 0; i < 3; i++) statuses.push((await token()).status);
    await world.server.restart();
    world.operator = world.server.operator;
    const id = (await world.operator.transactions())[0].checkout_request_id;
    statuses.push((await world.operator.query(id)).status);
    equal(statuses, [200, 502, 200, 502], 'every second call, over a restart');
    const [counted] = (await world.operator.simOk('GET', '/rules')).rules;
    equal([counted.matched, counted.applied], [4, 2], 'counts');
    proved('calls without a payment are counted durably');
});

const MAGIC = [
    ['00', 'SUCCESS', '0', 1], ['01', 'CANCELLED', '1032', 1], ['02', 'FAILED', '1', 1],
    ['03', 'FAILED', '2001', 1], ['04', 'SUCCESS', '0', 0], ['05', 'SUCCESS', '0', 1],
    ['06', 'FAILED', '1037', 1], ['07', 'FAILED', '1025', 1],
];
const AMOUNTS = [[1, 'SUCCESS', '0'], [1032, 'CANCELLED', '1032'], [1037, 'FAILED', '1037'],
                 [2001, 'FAILED', '2001'], [9999, 'FAILED', '9999']];

await story('every magic value', async (scene) => {
    const world = await open(scene, '--magic');
    equal((await world.operator.simOk('GET', '/rules')).magic.length, 21, 'built-in rules');
    for (const [suffix, status, code, callbacks] of MAGIC) {
        for (let round = 0; round < 4; round++) { // a fourth wrong PIN is no locked one
            const seen = await played(world, { PhoneNumber: Number(`2547110005${suffix}`),
                                               AccountReference: `${suffix}-${round}` });
            equal([seen.paid.status, seen.paid.result_code, seen.query.ResultCode,
                   seen.callbacks.length], [status, code, code, callbacks], `phone ...${suffix}`);
            equal(seen.paid.ruled_by.origin, 'magic', 'origin');
            if (suffix === '05') equal(seen.deliveries[0].attempts.length, 4, 'attempts');
        }
    }
    for (const [Amount, status, code] of AMOUNTS) {
        const seen = await played(world, { PhoneNumber: 254711000555, Amount });
        equal([seen.paid.status, seen.paid.result_code], [status, code], `amount ${Amount}`);
    }
    const slow = world.operator.pushed(order(world, { PhoneNumber: 254711000599 }));
    await until(async () => (await world.operator.transactions())[0].msisdn === 254711000599,
                'the slow one is accepted');
    await world.operator.untilIdle();
    const { CheckoutRequestID: id } = await slow;
    const paid = await world.operator.transaction(id);
    const ended = paid.timeline.find((step) => step.event === 'ended');
    const [delivery] = await world.operator.deliveriesOf(id);
    equal([paid.status, apart(paid.created_at, ended.at), apart(ended.at, delivery.attempts[0].at)],
          ['SUCCESS', 20000, 30000], 'phone ...99');
    await world.operator.simOk('POST', '/reset', {});
    equal((await world.operator.simOk('GET', '/rules')).magic.length, 21, 'after a reset');
    await world.server.restart(['--clock', 'virtual', '--profile', 'sandbox']);
    equal((await world.server.operator.simOk('GET', '/rules')).magic.length, 0, 'without --magic');
    proved('8 phones four times each, 5 amounts and the slow one; kept by a reset, gone without the flag');
});

// Late callbacks, doubled ones, a held one and a phone that acts later: killed at each moment.
await story('kill -9 in the middle of everything that a rule has delayed', async (scene) => {
    const tell = async (world) => {
        const put = { rules: [
            { name: 'late and often', match: { reference: 'LATE' },
              then: { prompt: { act: 'approve', delay_ms: 10000 },
                      callback: { delay_ms: 20000, times: 3, spacing_ms: 10000 } } },
            { name: 'held', match: { reference: 'HELD' },
              then: { prompt: { act: 'cancel', delay_ms: 15000 }, callback: { hold_for_next: true } } },
            { name: 'third', match: { api: 'stk_push', nth: 3 }, then: { outcome: { code: '1025', delay_ms: 5000 } } },
        ] };
        await world.operator.simOk('PUT', '/rules', put);
        await world.operator.openSubscriber(PHONE, 1000 * SHILLING);
        const push = async (PhoneNumber, AccountReference) => (await world.operator.pushed({
            PhoneNumber, AccountReference, Amount: 20, CallBackURL: world.listener.url }))
            .CheckoutRequestID;
        const ids = [await push(PHONE, 'LATE')];
        await world.moment('after the first push');
        ids.push(await push(254711000502, 'HELD'));
        for (const [at, phone] of [[1, 503], [2, 504], [3, 505]]) {
            ids.push(await push(254711000000 + phone, `USUAL-${at}`));
            await world.moment(`after usual push ${at}`);
        }
        const start = Date.parse((await world.operator.transaction(ids[0])).created_at);
        const reach = (s) => world.operator.simOk('POST', '/clock',
                                                  { now: new Date(start + s * 1000).toISOString() });
        for (const s of [4, 9, 12, 14, 16]) {
            await world.during(`on the way to second ${s}`, () => reach(s));
        }
        for (const id of [ids[2], ids[3]]) { // whoever is on the phone cancels: the next callbacks
            const answer = await world.operator.cancel(id);
            check([200, 409].includes(answer.status), `cancel: ${answer.text}`);
        }
        await world.moment('after the next callback went out');
        for (const s of [25, 31, 35, 45, 61]) {
            await world.during(`on the way to second ${s}`, () => reach(s));
        }
        await world.operator.untilIdle();
        const account = [];
        for (const id of ids) {
            const t = await world.operator.transaction(id);
            const all = await world.operator.deliveriesOf(id);
            account.push([t.status, t.result_code, t.ruled_by?.rule ?? null,
                          all.map((d) => [d.state, apart(t.created_at, d.attempts.at(-1).at)])]);
        }
        world.counts = (await world.operator.simOk('GET', '/rules')).rules
            .map((r) => [r.matched, r.applied]);
        return { account, counts: world.counts, left: await world.operator.balance(PHONE) };
    };
    const whole = await tellWithCuts(scene, ['--clock', 'virtual', '--profile', 'sandbox'], tell);
    equal(whole.account.counts, [[1, 1], [1, 1], [3, 1]], 'counts');
    equal(whole.account.left, 980 * SHILLING, 'paid once');
    equal(whole.account.account.map((a) => [a[1], a[3].length]),
          [['0', 3], ['1032', 1], ['1032', 1], ['1032', 1], ['1025', 1]], 'ends and callbacks');
    equal(whole.account.account[0][3].map((d) => d[1]), [30000, 40000, 50000], 'late ones, in ms');
    equal(whole.listener.received.length, 7, 'callbacks, without any harm');
});

await story('--rules FILE, refusals with their place, and what a restart keeps', async (scene) => {
    const { writeFileSync } = await import('node:fs');
    const file = scene.path('rules.json');
    writeFileSync(file, JSON.stringify(rule({ outcome: { code: '17' } }, { nth: 2 })));
    const flags = ['--clock', 'virtual', '--profile', 'sandbox', '--rules', file];
    const server = await Server.open(scene, flags);
    const push = (n) => server.operator.pushed({ PhoneNumber: PHONE + n, AccountReference: `r${n}` });
    await push(1);
    await server.restart();
    const second = await push(2);
    const paid = await server.operator.transaction(second.CheckoutRequestID);
    equal(paid.result_code, '17', 'the second call, counted over a restart');
    const refused = await server.operator.sim('PUT', '/rules',
        { rules: [{ name: 'good', then: { query: { pending: true } } },
                  { name: 'bad', then: { callback: { times: 11 } } }] });
    equal([refused.status, refused.json.code], [400, 'invalid_rules'], 'a bad list');
    matches(refused.json.detail, /^\/rules\/1\/then\/callback\/times must be a whole number from 1 to 10/,
            'where and why');
    equal((await server.operator.simOk('GET', '/rules')).rules.map((r) => r.name), ['the rule'],
          'the rules in force');
    writeFileSync(file, '{"rules":[{"name":"x"}]}');
    const end = await Server.refused(scene, flags, { data: scene.path('other') });
    matches(end.errors, /rules\.json.*\/rules\/0\/then.*is missing/, 'a bad file');
    proved('rules of a file are counted on over a restart; what is wrong is refused whole, with its place');
});

await story('an order of long words, and a delay whose world is left', async (scene) => {
    const world = await open(scene);
    const text = '"'.repeat(120);
    await ruled(world, { answer: { error: '500.001.1001', message: text, accepted: true },
                         outcome: { code: '17', text }, callback: { code: '18', text },
                         query: { code: '19', text } });
    const pushed = await world.operator.push(order(world));
    equal([pushed.status, pushed.json?.errorCode, pushed.json?.errorMessage], [500, '500.001.1001', text],
          'the ordered answer');
    matches(pushed.headers[ANSWERED.toLowerCase()],
            /scenario rule "the rule" \(user 1\) orders .* \.\.\. \(GET \/sim\/v1\/rules has all of it\)$/, 'what explains it');
    await world.operator.untilIdle();
    const [{ checkout_request_id: id }] = await world.operator.transactions();
    equal((await world.operator.query(id)).json.ResultCode, '19', 'the query');

    await ruled(world, { answer: { delay_ms: 3600_000 } });
    const delayed = world.operator.push(order(world));
    await until(async () => (await world.operator.transactions()).length === 2, 'the push is accepted');
    const before = (await world.operator.simOk('GET', '/clock')).now;
    await world.operator.simOk('POST', '/reset', {});
    equal((await delayed).status, 200, 'the answer leaves with its world');
    check((await world.operator.untilIdle(), (await world.operator.simOk('GET', '/clock')).now) <= before,
          'nothing is left to wait for');
    proved('long orders are cut in the header alone, and no answer waits for the time of a world that was left');
});
