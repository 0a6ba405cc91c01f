// While callback receivers answer late, never or with a reset: acknowledgements stay fast at 1,000
// pushes a second, other receivers' callbacks are not slowed, and nothing is lost (R1.5, S08).
import { atRate, summary } from '../lib/load.mjs';
import { Listener } from '../lib/listener.mjs';
import { Server } from '../lib/server.mjs';
import { atMost, bestOf, check, equal, patience, percentile, proved, said, story, until }
    from '../lib/story.mjs';

const RATE = 1000;
const SECONDS = 5;
const FIRST_PHONE = 254720000000;

async function openListener(scene, behaviour) {
    const listener = await Listener.open(scene);
    listener.behave = () => behaviour;
    return listener;
}

// A push and, as soon as it is accepted, its approval; the push's answer and when the phone answered.
async function pay(operator, n, listener, approvals) {
    const push = await operator.tryPush({ PhoneNumber: FIRST_PHONE + n, Amount: 1,
                                       CallBackURL: listener.url, AccountReference: `N${n}` });
    if (push.status === 200) {
        const id = push.json.CheckoutRequestID;
        // A refusal while the disk stalls says that nothing happened: the phone asks again.
        const ask = () => operator.approve(id, '1234', 0).then((answer) => answer.status === 503
            ? ask()
            : approvals.push({ id, listener, status: answer.status, at: performance.now() }));
        const done = ask();
        approvals.open.push(done);
    }
    return push;
}

// Milliseconds from the approval's answer to the callback, for those of one listener.
function waits(approvals, listener) {
    const arrived = new Map(listener.received.map((callback) =>
        [callback.json.Body.stkCallback.CheckoutRequestID, callback.at]));
    return approvals.filter((approval) => approval.listener === listener)
        .map((approval) => arrived.get(approval.id) - approval.at);
}

// Once 1,000 pushes a second to four receivers of which three are in trouble: the p99 of the
// acknowledgement. Everything but the figures is checked each time.
async function pushThrough(scene) {
    const server = await Server.open(scene, [], { data: scene.path(`data-${scene.servers?.length}`) });
    const { operator } = server;
    await operator.authorize();
    const healthy = await openListener(scene, undefined);
    const troubled = [await openListener(scene, { status: 200, delayMs: 30000 }),
                      await openListener(scene, 'hang'), await openListener(scene, 'reset')];
    const listeners = [healthy, ...troubled];
    await operator.warmUp(100);

    const approvals = [];
    approvals.open = [];
    const load = await atRate(RATE, SECONDS, (n) =>
        pay(operator, n, listeners[n % 4], approvals));
    await Promise.all(approvals.open);
    const latencies = load.answers.map((a) => a.ms);
    const accepted = load.answers.filter((a) => a.answer?.status === 200);
    // While the disk stalls; and a machine too slow for this rate gets more connections than there may be.
    const refused = load.answers.filter((a) => a.answer?.json?.errorCode === '500.003.02' ||
                                               a.answer?.json?.code === 'too_many_connections');
    said(`${latencies.length} pushes in ${(load.sentMs / 1000).toFixed(2)} s, answered: ` +
         `${summary(latencies)}, ${refused.length} refused`);
    const unlike = load.answers.filter((a) => !accepted.includes(a) && !refused.includes(a));
    equal(unlike.slice(0, 3).map((a) => [a.answer?.status, a.answer?.text?.slice(0, 200), String(a.error)]), [],
          `answers other than these, ${unlike.length} in all`);
    equal(accepted.length + refused.length, RATE * SECONDS, 'answers');
    equal(approvals.filter((a) => a.status !== 202).length, 0, 'approvals that failed');
    atMost(load.sentMs, SECONDS * 1000 * 1.2 * patience, 'milliseconds that the sending took');

    // What each listener is owed: one callback for every accepted push that named it.
    const each = accepted.filter((a) => a.n % 4 === 0).length;
    const others = accepted.length - each;
    await until(() => healthy.received.length >= each, 'the healthy receiver has all callbacks');
    equal(healthy.received.length, each, 'callbacks of the healthy receiver');
    const waited = waits(approvals, healthy);
    said(`callbacks of the healthy receiver after the approval: ${summary(waited)}`);
    atMost(percentile(waited, 99), 1000 * patience, 'p99 of its callbacks in ms');
    // The metrics show what is on disk: the last results may still be on their way to it.
    const metrics = await until(async () => {
        const now = await operator.metrics();
        return now.hakika_callbacks_delivered_total >= each &&
               now.hakika_callbacks_waiting + now.hakika_callbacks_in_flight === others && now;
    }, `${others} callbacks wait for the troubled receivers`);
    equal(metrics.hakika_callbacks_delivered_total, each, 'callbacks delivered');
    for (const listener of troubled) {
        check(listener.received.length > 0, 'a receiver was never tried');
    }
    await server.kill();
    // A disk that stalls for others' sake says nothing about receivers: that run does not count.
    return refused.length > accepted.length / 200 * patience ? Infinity : percentile(latencies, 99);
}

await story('1,000 pushes a second, three of four receivers in trouble', async (scene) => {
    const p99 = await bestOf(3, 100 * patience, 'p99 of the acknowledgement in ms',
                             () => pushThrough(scene));
    proved(`every push was acknowledged and on disk, p99 ${p99.toFixed(1)} ms`);
    proved('the healthy receiver has each callback once, none of them slowed');
    proved('the callbacks of the others are all kept for later');
});

await story('30 receivers that never answer, one that does', async (scene) => {
    const server = await Server.open(scene);
    const { operator } = server;
    await operator.authorize();
    const healthy = await openListener(scene, undefined);
    const dead = [];
    for (let i = 0; i < 30; i++) dead.push(await openListener(scene, 'hang'));
    await operator.warmUp(100);
    const approvals = [];
    approvals.open = [];
    // First only for the dead: more than there are connections for callbacks.
    await atRate(RATE, 2.5, (n) => pay(operator, n, dead[n % 30], approvals));
    const load = await atRate(100, 1, (n) => pay(operator, 10000 + n, healthy, approvals));
    await Promise.all(approvals.open);
    const accepted = load.answers.filter((a) => a.answer?.status === 200).length;
    check(accepted > 50, `only ${accepted} of 100 pushes were accepted`);
    await until(() => healthy.received.length >= accepted, 'the healthy receiver has all callbacks', 30);
    const waited = waits(approvals, healthy);
    said(`callbacks of the healthy receiver after the approval: ${summary(waited)}`);
    atMost(percentile(waited, 99), 1000 * patience, 'p99 of its callbacks in ms');
    proved('30 dead receivers with 83 callbacks each do not slow the callbacks of another');
});
