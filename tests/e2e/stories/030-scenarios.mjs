// The operator's side of the scenarios STK happy path, STK endings, listener down, and fingerprint
// (S06, S07, S08, S11), in virtual time, each again with kill -9 at every moment that matters.
import { tellWithCuts } from '../lib/cuts.mjs';
import { Listener } from '../lib/listener.mjs';
import { Server } from '../lib/server.mjs';
import { atMost, check, equal, matches, patience, proved, story, until } from '../lib/story.mjs';

const SHILLING = 100;
const BRIAN = 254711223344;
const PAYBILL = 600100;
const DELAYS_S = [0, 5, 30, 120, 600, 1800, 3600, 7200, 14400, 28800]; // before each attempt

function metadata(result) {
    return Object.fromEntries(result.CallbackMetadata.Item.map((item) => [item.Name, item.Value]));
}

// All callbacks about a payment, which must be the same message however often it came.
async function callbackOf(world, checkout) {
    const result = await world.listener.callback(checkout);
    for (const again of world.listener.about(checkout)) {
        equal(again, result, 'the callback, another time');
    }
    return result;
}

async function delivered(world, checkout) {
    const delivery = await until(async () => {
        const d = await world.operator.delivery(checkout);
        return d.state === 'delivered' && d;
    }, `the callback of ${checkout} counts as delivered`);
    return delivery;
}

// One answer to a question that may be asked again after a kill: true for "done now", false for
// "was done already".
async function press(world, kind, checkout, pin) {
    const answer = kind === 'cancel' ? await world.operator.cancel(checkout)
        : await world.operator.approve(checkout, pin);
    if (answer.status === 200) return true;
    equal([answer.status, answer.json.code], [409, 'payment_ended'], 'a second answer of the phone');
    return false;
}

await story('S06: a paid push', async (scene) => {
    const tell = async (world) => {
        const { operator: first, listener } = world;
        await first.openSubscriber(BRIAN, 3000 * SHILLING);
        const before = await first.utility(600100).catch(() => 0);
        const accepted = await first.pushed({
            BusinessShortCode: PAYBILL, PhoneNumber: BRIAN, Amount: 1200,
            AccountReference: 'INV-77', CallBackURL: listener.url });
        const id = accepted.CheckoutRequestID;
        await world.moment('after accept');

        const prompt = (await until(() => world.operator.prompts(BRIAN)
            .then((all) => all.length && all), 'the prompt is on the phone'))[0];
        equal([prompt.checkout_request_id, prompt.amount, prompt.account_reference],
              [id, 1200 * SHILLING, 'INV-77'], 'the prompt');
        matches(prompt.text, /Ksh1,?200\.00 to .+ Account no\. INV-77/, 'what the phone shows');
        await world.moment('after prompt');

        await world.during('while the PIN is on its way',
                           () => press(world, 'approve', id, '1234'));
        await world.moment('after approval');
        const result = await callbackOf(world, id);
        await world.moment('after the callback, before it counts as delivered');
        await delivered(world, id);
        await world.moment('after everything');

        const paid = await world.operator.transaction(id);
        equal([paid.status, paid.result_code, paid.amount], ['SUCCESS', '0', 1200 * SHILLING],
              'the transaction');
        equal(result.ResultCode, 0, 'ResultCode of the callback (a number)');
        equal(result.MerchantRequestID, accepted.MerchantRequestID, 'MerchantRequestID');
        const facts = metadata(result);
        equal(facts.MpesaReceiptNumber, paid.receipt, 'the receipt, here and there');
        equal([facts.Amount, facts.PhoneNumber], [1200, BRIAN], 'amount and phone of the callback');
        matches(String(facts.TransactionDate), /^20260101\d{6}$/, 'TransactionDate (Kenyan time)');
        const query = await world.operator.query(id, { BusinessShortCode: PAYBILL,
            Password: world.operator.pushBody({ BusinessShortCode: PAYBILL }).Password });
        equal([query.status, query.json.ResultCode], [200, '0'], 'the STK query');
        equal(await world.operator.balance(BRIAN), 1800 * SHILLING, 'what Brian has left');
        const after = await world.operator.accounts(PAYBILL);
        const transactions = await world.operator.transactions();
        equal(transactions.length, 1, 'transactions');
        return { status: paid.status, receipt: paid.receipt, id, utility: after.utility,
                 before, steps: paid.timeline.map((step) => step.event)
                     .filter((event) => !event.startsWith('callback')) };
    };
    const whole = await tellWithCuts(scene, ['--clock', 'virtual'], tell);
    equal(whole.listener.received.length, 1, 'callbacks, without any harm');
    proved(`accepted, prompted, paid (${whole.account.receipt}): wallet -1,200.00, utility ` +
           '+1,200.00, callback and query agree');
});

// One ending: push, perhaps while the phone is in a certain condition, and what the phone does.
const ENDINGS = [
    { name: 'cancelled on the phone', code: '1032', status: 'CANCELLED', act: 'cancel' },
    { name: 'not answered for 60 s', code: '1037', status: 'FAILED', act: 'nothing' },
    { name: 'PIN right, no money', code: '1', status: 'FAILED', act: 'approve', amount: 150000 },
    { name: 'PIN wrong', code: '2001', status: 'FAILED', act: 'approve', pin: '9999' },
    { name: 'phone is off', code: '1037', status: 'FAILED', act: 'nothing', off: true },
];

for (const ending of ENDINGS) {
    await story(`S07: ${ending.name} -> ${ending.code}`, async (scene) => {
        const tell = async (world) => {
            await world.operator.openSubscriber(BRIAN, 3000 * SHILLING);
            if (ending.off) {
                await world.operator.simOk('PATCH', `/subscribers/${BRIAN}`, { reachable: false });
            }
            const utility = await world.operator.utility();
            const accepted = await world.operator.pushed({
                PhoneNumber: BRIAN, Amount: ending.amount ?? 1200, CallBackURL: world.listener.url });
            const id = accepted.CheckoutRequestID;
            await world.moment('after accept');

            const open = await world.operator.query(id);
            equal([open.status, open.json.errorCode, open.json.errorMessage],
                  [500, '500.001.1001', 'The transaction is being processed'],
                  'the STK query while the payment is open');
            const second = await world.operator.push({ PhoneNumber: BRIAN, AccountReference: 'B' });
            equal([second.status, second.json.errorMessage],
                  [500, 'Unable to lock subscriber, a transaction is already in process for the ' +
                        'current subscriber'], 'a second push while the first is open');
            if (ending.act === 'nothing') {
                const start = Date.parse((await world.operator.transaction(id)).created_at);
                const just = new Date(start + (ending.off ? 3999 : 59999)).toISOString();
                const over = new Date(start + (ending.off ? 4000 : 60000)).toISOString();
                await world.operator.simOk('POST', '/clock', { now: just });
                equal((await world.operator.transaction(id)).status, 'PROCESSING',
                      'a millisecond before the end of the prompt');
                await world.moment('a millisecond before the deadline');
                await world.during('while the clock passes the deadline',
                                   () => world.operator.simOk('POST', '/clock', { now: over }));
            } else {
                await world.moment('after prompt');
                await world.during('while the answer is on its way',
                                   () => press(world, ending.act, id, ending.pin ?? '1234'));
            }
            await world.moment('after the end');
            const result = await callbackOf(world, id);
            await delivered(world, id);
            await world.moment('after the callback');

            const ended = await world.operator.transaction(id);
            equal([ended.status, ended.result_code, ended.receipt],
                  [ending.status, ending.code, null], 'the transaction');
            equal(result.ResultCode, Number(ending.code), 'ResultCode of the callback (a number)');
            check(!('CallbackMetadata' in result), 'a failed payment has no CallbackMetadata');
            const query = await world.operator.query(id);
            equal([query.json.ResultCode, query.json.ResultDesc],
                  [ending.code, result.ResultDesc], 'the STK query and the callback agree');
            equal(await world.operator.balance(BRIAN), 3000 * SHILLING, 'what Brian has');
            equal(await world.operator.utility(), utility, 'what the merchant has');
            equal((await world.operator.transactions()).length, 1, 'transactions');
            const person = await world.operator.subscriber(BRIAN);
            return { id, desc: result.ResultDesc, left: person.pin_attempts_left };
        };
        const whole = await tellWithCuts(scene, ['--clock', 'virtual', '--profile', 'sandbox',
                                                 '--in-flight', '500'], tell);
        equal(whole.listener.received.length, 1, 'callbacks, without any harm');
        equal(whole.account.left, ending.pin ? 2 : 3, 'PIN attempts left');
        proved(`${ending.code} "${whole.account.desc}", no posting, one callback; while it was open ` +
               'the query said "being processed" and a second push could not lock the subscriber');
    });
}

await story('S07: no money in profile dev is found before the prompt', async (scene) => {
    const listener = await Listener.open(scene);
    const { operator } = await Server.open(scene, ['--clock', 'virtual']);
    await operator.openSubscriber(BRIAN, 100 * SHILLING);
    const { CheckoutRequestID: id } = await operator.pushed({
        PhoneNumber: BRIAN, Amount: 101, CallBackURL: listener.url });
    const result = await listener.callback(id);
    equal(result.ResultCode, 1, 'ResultCode');
    equal(await operator.prompts(BRIAN), [], 'prompts');
    proved('phase 1 refuses a payer without enough money with 1, without a prompt');
});

// Virtual times of the attempts of a delivery, in seconds after it was queued.
function attemptTimes(delivery) {
    const start = Date.parse(delivery.queued_at);
    return delivery.attempts.map((attempt) => (Date.parse(attempt.at) - start) / 1000);
}

function checkGaps(times) {
    for (let i = 1; i < times.length; i++) {
        const gap = times[i] - times[i - 1];
        // A breaker that opened after ten failures in a row may add up to 30 s.
        atMost(gap, DELAYS_S[i] + (i >= 10 ? 30 : 0) + 0.001, `seconds before attempt ${i + 1}`);
        check(gap > 0, `attempt ${i + 1} came without waiting`);
    }
}

await story('S08: the listener is down for 10 minutes, then works', async (scene) => {
    const tell = async (world) => {
        const { listener } = world;
        await world.operator.openSubscriber(BRIAN, 3000 * SHILLING);
        const utility = await world.operator.utility();
        const { CheckoutRequestID: id } = await world.operator.pushed({
            PhoneNumber: BRIAN, Amount: 500, CallBackURL: listener.url });
        await listener.down();
        const paid = await world.operator.approved(id);
        equal(paid.status, 'SUCCESS', 'the payment, whatever the listener does');
        await world.moment('after approval, before the callback');
        const start = Date.parse(paid.created_at);
        const at = (seconds) => new Date(start + seconds * 1000).toISOString();
        await world.operator.simOk('POST', '/clock', { now: at(60) });
        await world.moment('in the middle of the retries');
        await world.during('while the clock advances through retries',
                           () => world.operator.simOk('POST', '/clock', { now: at(600) }));
        const waiting = await world.operator.delivery(id);
        equal(waiting.state, 'waiting', 'the callback after 10 minutes');
        check(waiting.attempts.length >= 3, `only ${waiting.attempts.length} attempts in 10 min`);
        for (const attempt of waiting.attempts) {
            equal([attempt.response_status, typeof attempt.error], [null, 'string'],
                  'an attempt at a listener that is down');
        }
        checkGaps(attemptTimes(waiting));
        await world.moment('after 10 minutes, the listener about to work');
        await listener.up();
        await world.during('while the clock advances to the delivery',
                           () => world.operator.untilIdle());
        const done = await delivered(world, id);
        await world.moment('after the delivery');
        const result = await callbackOf(world, id);
        equal(result.ResultCode, 0, 'ResultCode');
        const idle = await world.operator.untilIdle();
        equal([idle.stopped_because, idle.next_timer_at], ['idle', null], 'nothing is left to do');
        checkGaps(attemptTimes(done));
        const last = done.attempts.at(-1);
        equal([last.response_status, last.error], [200, null], 'the last attempt');
        matches(last.response_body, /Accepted/, 'the answer that is kept');
        equal(await world.operator.balance(BRIAN), 2500 * SHILLING, 'what Brian has left');
        equal(await world.operator.utility(), utility + 500 * SHILLING, 'what the merchant has');
        world.done = done;
        return { id, receipt: metadata(result).MpesaReceiptNumber };
    };
    const whole = await tellWithCuts(scene, ['--clock', 'virtual'], tell);
    equal(whole.listener.received.length, 1, 'callbacks, without any harm');
    const times = attemptTimes(whole.done);
    proved(`the payment committed at once; attempts after ${times.map((t) => t.toFixed(1)).join(', ')}` +
           ' s of virtual time, delivered once when the listener was up, every attempt in the log');
});

await story('S08: past the last retry, a dead letter that a person sends again', async (scene) => {
    const tell = async (world) => {
        const { listener } = world;
        await world.operator.openSubscriber(BRIAN, 3000 * SHILLING);
        listener.behave = () => ({ status: 503, body: 'closed' });
        const { CheckoutRequestID: id } = await world.operator.pushed({
            PhoneNumber: BRIAN, Amount: 500, CallBackURL: listener.url });
        await world.operator.approved(id);
        await until(() => listener.received.length >= 1, 'the first attempt arrives');
        const advance = () => world.operator.untilIdle();
        await world.during('while the clock advances, at the third attempt', advance,
                           () => until(() => listener.received.length >= 3, 'the third attempt'));
        const dead = await world.operator.delivery(id);
        equal([dead.state, dead.next_try_at], ['dead', null], 'the callback after all retries');
        equal((await world.operator.wholeList('/deliveries')).filter((d) => d.state === 'dead')
            .map((d) => d.id), [dead.id], 'the list of dead letters');
        equal((await world.operator.simOk('GET', '/deliveries?state=dead')).data.length, 1,
              'dead letters by filter');
        if (!world.kills) checkGaps(attemptTimes(dead));
        await world.moment('when it is dead');

        await world.operator.simOk('POST', '/clock', { advance_ms: 86400000 });
        equal((await world.operator.delivery(id)).attempts.length, dead.attempts.length,
              'attempts, a day later');
        listener.behave = () => undefined; // answers 200
        const heard = listener.received.length;
        await world.operator.simOk('POST', `/deliveries/${dead.id}/replay`, {}, 202);
        await world.moment('after the replay was asked for');
        const done = await delivered(world, id);
        await world.moment('after the replay');
        const result = await callbackOf(world, id);
        equal(result.ResultCode, 0, 'ResultCode');
        check(listener.received.length > heard, 'the replay reached the listener');
        equal(await world.operator.balance(BRIAN), 2500 * SHILLING, 'what Brian has left');
        return { id, receipt: metadata(result).MpesaReceiptNumber,
                 deadAttempts: dead.attempts.filter((a) => a.response_status !== 503).length,
                 last: done.attempts.at(-1).response_status };
    };
    const whole = await tellWithCuts(scene, ['--clock', 'virtual'], tell);
    equal(whole.listener.received.length, DELAYS_S.length + 1, 'attempts in all');
    proved(`${DELAYS_S.length} attempts, then dead and listed; sent again by hand: delivered, and ` +
           'the money moved once');
});

const ASKED = { PhoneNumber: BRIAN, Amount: 10, AccountReference: 'ORDER-77' };

function checkDuplicate(answer, what) {
    equal([answer.status, answer.json.errorCode, answer.json.errorMessage, Object.keys(answer.json)],
          [409, '409.001.01',
           'Duplicate request: the same payment was asked for less than 60 seconds ago',
           ['requestId', 'errorCode', 'errorMessage']], what);
}

function checkLocked(answer, what) {
    equal([answer.status, answer.json.errorCode], [500, '500.001.1001'], what);
    matches(answer.json.errorMessage, /^Unable to lock subscriber/, what);
}

await story('S11: fingerprint, then one prompt per phone', async (scene) => {
    const tell = async (world) => {
        await world.operator.openSubscriber(BRIAN, 3000 * SHILLING);
        const first = await world.operator.pushed(ASKED);
        const start = Date.parse((await world.operator.transaction(first.CheckoutRequestID)).created_at);
        const at = (ms) => world.operator.simOk('POST', '/clock',
                                                { now: new Date(start + ms).toISOString() });
        await world.moment('after the first push');
        checkDuplicate(await world.operator.push(ASKED), 'the same again while it is open');
        checkDuplicate(await world.operator.push({ ...ASKED, PhoneNumber: String(BRIAN),
            Amount: '10.00', AccountReference: ' ORDER-77 ', TransactionDesc: 'else' }),
                       'the same in other words');
        checkLocked(await world.operator.push({ ...ASKED, AccountReference: 'ORDER-78' }),
                    'another reference while the prompt is open');
        await at(30000);
        equal((await world.operator.approved(first.CheckoutRequestID)).status, 'SUCCESS', 'paid');
        await world.moment('after it was paid');
        checkDuplicate(await world.operator.push(ASKED), 'the same again after it was paid');

        const other = await world.operator.pushed({ ...ASKED, AccountReference: 'ORDER-78' });
        equal((await world.operator.cancel(other.CheckoutRequestID)).json.status, 'CANCELLED',
              'the second payment');
        await world.moment('after the second was cancelled');
        const again = await world.operator.pushed({ ...ASKED, AccountReference: 'ORDER-78' });
        equal((await world.operator.approved(again.CheckoutRequestID, '9999')).status, 'FAILED',
              'the third payment, with a wrong PIN');
        const third = await world.operator.pushed({ ...ASKED, AccountReference: 'ORDER-78' });
        await world.operator.cancel(third.CheckoutRequestID);

        await at(59999);
        checkDuplicate(await world.operator.push(ASKED), 'the same 59.999 s after the first');
        await world.moment('a millisecond before the minute is over');
        await at(60000);
        const last = await world.operator.pushed(ASKED);
        await at(119999);
        checkDuplicate(await world.operator.push(ASKED), 'the same, 59.999 s after, still open');
        await world.moment('a millisecond before the next minute is over');
        await at(120000);
        equal((await world.operator.transaction(last.CheckoutRequestID)).status, 'FAILED',
              'the prompt that nobody answered');
        const end = await world.operator.pushed(ASKED);
        equal((await world.operator.transactions()).length, 6, 'transactions');
        equal(await world.operator.balance(BRIAN), 2990 * SHILLING, 'what Brian has left');
        return [first, other, again, third, last, end].map((push) => push.CheckoutRequestID);
    };
    await tellWithCuts(scene, ['--clock', 'virtual'], tell);
    proved('the same within 60 s of one that is open or paid: 409 (59.999 s yes, 60.000 s no); ' +
           'after a cancelled or failed one: accepted; another reference while the prompt is open: ' +
           'unable to lock subscriber');
});

await story('S11: no fingerprint in profile sandbox', async (scene) => {
    const { operator } = await Server.open(scene, ['--clock', 'virtual', '--profile', 'sandbox']);
    const { CheckoutRequestID: id } = await operator.pushed(ASKED);
    checkLocked(await operator.push(ASKED), 'the same again while it is open');
    await operator.approved(id);
    const again = await operator.pushed(ASKED);
    equal((await operator.approved(again.CheckoutRequestID)).status, 'SUCCESS', 'the second');
    proved('Daraja itself knows no such rule: two identical pushes are two payments');
});

await story('The clock is kept', async (scene) => {
    const server = await Server.open(scene, ['--clock', 'virtual']);
    const clock = async () => {
        const { mode, now } = await server.operator.clock();
        return { mode, ms: Date.parse(now) };
    };
    const start = await clock();
    equal(start, { mode: 'virtual', ms: Date.parse('2026-01-01T00:00:00+03:00') }, 'a new one');
    await server.operator.advance(3600000);
    await server.restart([]);
    equal(await clock(), { mode: 'virtual', ms: start.ms + 3600000 }, 'after kill -9, without the flag');
    await server.operator.simOk('POST', '/clock', { mode: 'real' });
    const real = await clock();
    await server.restart();
    const after = await clock();
    equal(after.mode, 'real', 'its mode after another kill -9');
    check(after.ms >= real.ms && after.ms < real.ms + 60000 * patience,
          `it jumped by ${after.ms - real.ms} ms`);
    proved('virtual or real, it goes on after kill -9 where it was, and keeps its offset');
});
