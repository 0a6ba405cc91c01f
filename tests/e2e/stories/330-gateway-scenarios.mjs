// What goes wrong between a gateway and its provider, by scenario rules of the operator next door,
// over real HTTP and in virtual time (R2.3, R2.5 to R2.9, R3.9; S07 to S11). In the end every
// payment stands as the operator has it, and clearing equals what the operator's account received.
import { execFileSync } from 'node:child_process';
import { both, prompt } from '../lib/gateway.mjs';
import { HAKIKA } from '../lib/server.mjs';
import { check, equal, proved, story, until } from '../lib/story.mjs';

const POOR = 254711000009;

await story('six scenarios and more', async (scene) => {
    const server = await both(scene);
    const { gateway, operator } = server;
    await operator.openSubscriber(POOR, 100 * 100);
    const before = (await operator.accounts()).utility;
    let orders = 0;
    let phones = 0;

    const rules = (...list) => operator.simOk('PUT', '/rules', { rules: list.map((then, i) =>
        ({ name: `rule ${i}`, match: { api: then.api ?? 'stk_push' }, then: then.then ?? then })) });
    // Each payment on a phone and for an order of its own.
    const pay = async (fields = {}) => {
        const phone = fields.phone ?? String(254711100000 + phones++);
        const order_id = fields.order_id ?? `ORDER-${orders++}`;
        const made = await gateway.paying({ ...fields, phone, order_id }, `key-${order_id}-${phone}`);
        return { ...made, phone, order_id };
    };
    const pending = async (fields) => {
        const made = await pay(fields);
        return { ...made, ...await gateway.become(made.id, 'pending') };
    };
    const state = async (id) => (await gateway.payment(id)).status;
    const after = async (seconds) => { await operator.advance(seconds * 1000); };

    // 1 Paid, but the callback is lost: unconfirmed at 90 s, never failed; the query finds it.
    await rules({ prompt: { act: 'approve', delay_ms: 5000 }, callback: { never: true } });
    const lost = await pending();
    await after(89);
    equal(await state(lost.id), 'pending', 'before 90 s');
    await after(1);
    await gateway.become(lost.id, 'succeeded');
    const known = async (id) => until(async () => {
        const payment = await gateway.payment(id);
        return payment.receipt && payment;
    }, `the receipt of ${id} is known`);
    const found = await known(lost.id);
    equal([found.source, found.late], ['query', false], 'found by query');
    equal(found.receipt, (await operator.transaction(lost.checkout_request_id)).receipt,
          'its receipt, by Transaction Status');
    equal((await gateway.timeline(lost.id)).filter((one) => one.notice).map((one) =>
        [one.notice.source, one.notice.status]), [['query', 'applied'], ['status', 'enriches']],
          'each kept as a notice');
    equal(await gateway.types(lost.id), ['payment.created', 'payment.pending', 'payment.unconfirmed',
                                         'payment.succeeded', 'payment.receipt_known'], 'and what was told');
    proved('a payment whose callback is lost is found by query, its receipt by status');

    // 2 Nobody answers: 1037, expired; the customer may start anew.
    await rules({ prompt: { act: 'ignore' } });
    const ignored = await pending();
    await after(60);
    const expired = await gateway.become(ignored.id, 'expired');
    equal([expired.result_code, expired.retryable, expired.stk_state], ['1037', true, 'EXPIRED'], '1037');
    // 3 Cancelled; 4 no money; 5 a wrong PIN.
    await rules({ prompt: { act: 'cancel', delay_ms: 1000 } });
    const anew = await pending({ order_id: ignored.order_id });
    await after(1);
    equal((await gateway.become(anew.id, 'cancelled')).result_code, '1032', 'cancelled');
    await rules({ prompt: { act: 'wrong_pin', delay_ms: 1000 } });
    const wrong = await pending();
    await after(1);
    equal((await gateway.become(wrong.id, 'failed')).result_code, '2001', 'a wrong PIN');
    await rules();
    const poor = await pay({ phone: String(POOR) });
    equal((await gateway.become(poor.id, 'failed')).result_code, '1', 'no money');
    proved('timed out, cancelled, wrong PIN, no money: each its own definite end');

    // 6 The same callback three times (and the shop hears once).
    await rules({ prompt: { act: 'approve', delay_ms: 1000 }, callback: { times: 3, spacing_ms: 1000 } });
    const thrice = await pending();
    await after(5);
    await gateway.become(thrice.id, 'succeeded');
    const notices = await until(async () => {
        const list = (await gateway.timeline(thrice.id)).filter((one) => one.event === 'notice');
        return list[0]?.notice.repeats === 2 && list;
    }, 'all three have come');
    equal(notices.length, 1, 'kept once, and counted');
    equal((await gateway.types(thrice.id)).filter((type) => type === 'payment.succeeded').length, 1, 'told once');

    // 7 The connection is lost between PIN and callback: found by query, and the late callback
    // brings the receipt, as nobody answers to Transaction Status: the success does not wait for it.
    await rules({ prompt: { act: 'approve', delay_ms: 1000 }, callback: { delay_ms: 300_000 } },
                { api: 'status', then: { callback: { never: true } } });
    const late = await pending();
    await after(95);
    equal((await gateway.become(late.id, 'succeeded')).receipt, null, 'by query, without a receipt');
    await after(300);
    const enriched = await known(late.id);
    equal(enriched.receipt, (await operator.transaction(late.checkout_request_id)).receipt, 'the receipt');
    equal((await gateway.types(late.id)).at(-1), 'payment.receipt_known', 'and it is told');
    proved('callbacks that come thrice, or late, or after the query, change nothing twice');

    // 8 The answer to the push is lost and the callback comes: it names the payment all the same.
    await rules({ answer: { connection: 'reset' }, prompt: { act: 'approve', delay_ms: 3000 } });
    const unanswered = await pay();
    const unknown = await gateway.become(unanswered.id, 'unconfirmed');
    equal([unknown.reason, unknown.checkout_request_id], ['answer_lost', null], 'nobody knows');
    await after(3);
    const learned = await gateway.become(unanswered.id, 'succeeded');
    check(learned.checkout_request_id.startsWith('ws_CO_'), 'learned from the callback');
    // 9 Answer and callback are both lost, and it was paid: never sent again, and no second push for
    // the order, unless a person overrides it; a statement or a pull will find it.
    await rules({ answer: { connection: 'half_body' }, prompt: { act: 'approve', delay_ms: 3000 },
                  callback: { never: true } });
    const silent = await pay();
    await gateway.become(silent.id, 'unconfirmed');
    const pushes = (await operator.transactions()).length;
    await after(7200);
    equal(await state(silent.id), 'unconfirmed', 'two hours later');
    equal((await operator.transactions()).length, pushes, 'no second push');
    await rules();
    const refused = await gateway.pay({ order_id: silent.order_id, phone: silent.phone }, 'again');
    equal([refused.status, refused.json.code, refused.json.payment],
          [409, 'order_in_progress', silent.id], 'a second payment for the order');
    const forced = await gateway.pay({ order_id: silent.order_id, phone: silent.phone,
                                       override: silent.id }, 'forced');
    equal(forced.status, 201, 'but a person may');
    const second = await gateway.become(forced.json.id, 'pending');
    await operator.approved(second.checkout_request_id);
    await gateway.become(forced.json.id, 'succeeded');
    proved('a push whose answer is lost is never sent again, and blocks its order until overridden');

    // 10 The callback overtakes the answer to the push.
    await rules({ prompt: { act: 'approve' }, callback: { before_answer: true } });
    const early = await pay();
    const overtaken = await gateway.become(early.id, 'succeeded');
    check(overtaken.receipt, 'with its receipt');
    // 11 The operator is busy, then not: what surely did not get in is tried again.
    await rules({ answer: { error: '500.003.02' } });
    const busy = await pay();
    await until(async () => (await gateway.timeline(busy.id)).some((one) => one.event === 'push_attempted'),
                'a first try');
    await rules();
    await after(5);
    await gateway.become(busy.id, 'pending');
    equal((await operator.prompts(Number(busy.phone))).length, 1, 'one prompt');
    await operator.cancel(await prompt(operator, Number(busy.phone)));
    await gateway.become(busy.id, 'cancelled');
    // 12 No token for a while.
    await rules({ api: 'oauth', then: { answer: { status: 503 } } });
    await after(7200); // the token that is kept has expired
    const tokenless = await pay();
    await until(async () => (await gateway.timeline(tokenless.id)).some((one) => /token/.test(one.error)),
                'a try without a token');
    await rules();
    await after(5);
    await gateway.become(tokenless.id, 'pending');
    await operator.approved(await prompt(operator, Number(tokenless.phone)));
    await gateway.become(tokenless.id, 'succeeded');
    // 13 It never gets in at all: failed for certain, and nothing was sent.
    await rules({ answer: { error: '500.003.02' } });
    const never = await pay();
    await after(120);
    equal((await gateway.become(never.id, 'failed')).reason, 'never_sent', 'nothing was sent');
    // 14 The provider refuses.
    await rules({ answer: { error: '400.002.02', message: 'Bad Request - Invalid PhoneNumber' } });
    const bad = await pay();
    equal((await gateway.become(bad.id, 'failed')).reason, 'refused', 'refused for certain');
    proved('busy, tokenless and refusing providers: tried again only when nothing arrived');

    // 15 A callback that says 1037 although it was charged: a late success finds it (here: a query
    // does not, because it is definite; the true callback would).
    await rules({ prompt: { act: 'approve', delay_ms: 1000 }, callback: { amount: 99900 } });
    const wrongAmount = await pending();
    await after(2);
    const mismatched = await gateway.become(wrongAmount.id, 'mismatched');
    equal([mismatched.reason, mismatched.attention], ['amount_differs', true], 'never a silent success');
    // 16 In flight is never a failure, in either form.
    await rules({ prompt: { act: 'ignore', delay_ms: 900_000 } });
    const slow = await pending();
    await after(95);
    await until(async () => (await gateway.timeline(slow.id)).some((one) =>
        one.notice?.source === 'query'), 'it was asked about');
    equal(await state(slow.id), 'unconfirmed', 'still being processed');
    await rules();
    await after(600);
    // A run asks about what has been open for over ten minutes, and not about what a person decides.
    equal((await gateway.ok('POST', '/v1/reconciliations/run')).asked, 1, 'asked by the run');
    await until(async () => !(await gateway.payment(slow.id)).querying, 'and it was answered');
    equal(await state(slow.id), 'unconfirmed', 'still being processed');
    await after(300);
    await gateway.become(slow.id, 'expired');
    proved('a wrong amount is a mismatch; "being processed" is never a failure');

    // The books agree but for what the gateway cannot know yet (9, 15): to the cent.
    const unexplained = 2 * 15000;
    equal(await gateway.balance('clearing_174379'),
          (await operator.accounts()).utility - before - unexplained, 'clearing against the operator');
    equal(await gateway.balance('wallet'), await gateway.balance('clearing_174379'), 'and the wallet');
    proved('clearing equals the provider\'s balance but for the two that only a statement will show');

    // Of the day one was a repair (1); the late callback (7) is none, and nobody is asked about it.
    const { asked, ...day } = await gateway.ok('POST', '/v1/reconciliations/run');
    equal(await gateway.ok('GET', `/v1/reconciliations/${day.id}`), day, 'the same by its id');
    equal(asked, 0, 'asked: the one has no id, the other is for a person');
    const { checked, ...rest } = day.accounts[0];
    equal(rest, { short_code: 174379, repaired: 1, late_callbacks: 1,
                  repair_rate_ppm: Math.floor(1e6 / checked), alert: true, causes: { query: 1 },
                  open: 2, unconfirmed: 1, needs_attention: 1 }, 'the report');
    for (const id of ['rec_20991231', 'rec_20260231', 'rec_1', 'x']) {
        equal((await gateway.call('GET', `/v1/reconciliations/${id}`)).status, 404, id);
    }
    proved('a day\'s report has the lost callback as a repair, the late one not, and the alert');

    // An idempotency key holds for ever: also when it has left memory for the index of old ids.
    await after(2 * 86400);
    await until(async () => {
        const { text } = await gateway.call('GET', '/metrics');
        return /^hakika_keys_left [1-9]/m.test(text);
    }, 'keys have left memory');
    const again = await gateway.pay({ phone: lost.phone, order_id: lost.order_id },
                                    `key-${lost.order_id}-${lost.phone}`);
    equal([again.status, again.json.id, again.headers['idempotent-replayed']],
          [201, lost.id, 'true'], 'the same request two days later');
    proved('an idempotency key is known for ever');

    // What closed long ago leaves memory, also what a rule wanted no callback of.
    await until(async () => (await operator.metrics()).hakika_payments_left >= 11,
                'all but those that a status was asked of have left');

    // Both journals prove themselves, also after kill -9.
    const paid = (await gateway.ok('GET', '/v1/payments?limit=100')).data
        .filter((one) => one.status === 'succeeded').length;
    await server.kill();
    const report = JSON.parse(execFileSync(HAKIKA, ['verify', server.data, '--json'], { encoding: 'utf8' }));
    equal([report.ok, report.merchant.ok], [true, true], 'every proof holds in both books');
    equal(report.merchant.payments.paid_minor, paid * 15000, 'as much was paid as the journal says');
    proved('hakika verify proves both journals');
});
