// A whole day of tests takes milliseconds (R6.3): prompts run out, callbacks are retried for hours,
// tokens expire, the day's limit is reached and begins anew after midnight in Nairobi.
import { Listener } from '../lib/listener.mjs';
import { Server } from '../lib/server.mjs';
import { atMost, busy, equal, patience, proved, said, story, until } from '../lib/story.mjs';

const ANNA = 254711000001;
const BEN = 254711000002;
const SHILLING = 100;
const HOUR = 3600_000;
const TOKEN = [404, '404.001.03'];

const ms = (text) => Date.parse(text);

await story('a day', async (scene) => {
    const listener = await Listener.open(scene);
    const server = await Server.open(scene, ['--clock', 'virtual', '--ephemeral', '--profile', 'dev']);
    const { operator } = server;
    await operator.openSubscriber(ANNA, 900_000 * SHILLING);
    await operator.openSubscriber(BEN, 1000 * SHILLING);
    const began = performance.now();
    const morning = ms((await operator.clock()).now);
    equal(morning, ms('2025-12-31T21:00:00Z'), 'midnight in Nairobi');

    // Frozen: real time passes, the book's does not.
    await until(() => performance.now() > began + 30, 'time passes');
    equal(ms((await operator.clock()).now), morning, 'the clock stands');

    // A prompt that nobody answers, and its callback against a dead receiver: ten tries over hours.
    await listener.down();
    const { CheckoutRequestID: lost } = await operator.pushed({ PhoneNumber: BEN, Amount: 10,
                                                               CallBackURL: listener.url });
    const idle = await operator.untilIdle();
    equal([idle.stopped_because, idle.in_flight, idle.next_timer_at], ['idle', 0, null], 'run until idle');
    const dead = await operator.delivery(lost);
    equal([dead.state, dead.attempts.length], ['dead', 10], 'a dead letter after ten tries');
    const now = ms((await operator.clock()).now);
    equal(now - morning, idle.advanced_ms, 'advanced_ms');
    const ended = await operator.transaction(lost);
    equal([ended.status, ended.result_code], ['FAILED', '1037'], 'the prompt ran out');
    equal(ms(ended.timeline.find((step) => step.event === 'ended').at) - morning, 60_000, 'after 60 s');
    atMost(idle.advanced_ms, 16 * HOUR, 'ms until idle');

    // run-until-idle stops at its limit and says what comes next.
    await listener.up();
    await operator.authorize(); // the token of the morning has expired
    const { CheckoutRequestID: open } = await operator.pushed({ PhoneNumber: BEN, Amount: 11,
                                                               CallBackURL: listener.url });
    const stopped = await operator.untilIdle(59_000);
    equal([stopped.stopped_because, ms(stopped.next_timer_at) - now], ['max_advance', 60_000], 'its limit');
    await operator.approved(open);
    // After ten failures in a row a receiver is left alone for a second of the book's clock.
    equal((await operator.untilIdle()).advanced_ms, 1000, 'the pause of the receiver');
    equal((await operator.delivery(open)).state, 'delivered', 'the callback');

    // A token lives 3,600 s of the book's clock.
    await operator.authorize();
    await operator.advance(3_599_000);
    equal((await operator.query(open)).status, 200, 'a token in its last second');
    await operator.advance(1000);
    const late = await operator.query(open);
    equal([late.status, late.json.errorCode], TOKEN, 'an expired token');
    await operator.authorize();

    // The day's limit of KSh 500,000, until midnight.
    const pay = async (amount) => {
        const { CheckoutRequestID: id } = await operator.pushed({ PhoneNumber: ANNA, Amount: amount,
                                                                 CallBackURL: listener.url });
        await operator.approve(id); // too late when the limit decided before the prompt
        return (await operator.transaction(id)).result_code;
    };
    const today = await operator.clock();
    equal([await pay(250_000), await pay(200_000), await pay(50_001)], ['0', '0', '4'], 'the limit');
    equal((await operator.subscriber(ANNA)).day_allowance, 50_000 * SHILLING, 'what is left of today');
    const midnight = morning + 24 * HOUR;
    await operator.simOk('POST', '/clock', { now: new Date(midnight - 1000).toISOString() });
    await operator.authorize();
    equal(await pay(50_001), '4', 'a second before midnight');
    await operator.advance(1000);
    await operator.authorize();
    equal((await operator.subscriber(ANNA)).day_allowance, 500_000 * SHILLING, 'a new day');
    equal(await pay(50_001), '0', 'a second later');
    equal(ms(today.now) < midnight, true, 'it was the same day');

    // The fingerprint of a payment is forgotten after a minute (profile dev).
    const twice = () => operator.push({ PhoneNumber: ANNA, Amount: 5, AccountReference: 'TWICE' });
    const { json: { CheckoutRequestID: once } } = await twice();
    await operator.approved(once);
    equal((await twice()).status, 409, 'the same payment again');
    await operator.advance(60_001);
    equal((await twice()).status, 200, 'a minute later');

    // A year, with nothing to do.
    await operator.untilIdle();
    await operator.advance(365 * 24 * HOUR);
    const took = performance.now() - began;
    said(`a day and a year of the book's clock took ${took.toFixed(0)} ms`);
    if (!busy) atMost(took, 2000 * patience, 'ms for a day and a year');
    proved('prompts, retries, dead letters, tokens, day limits and fingerprints follow the virtual clock');
});
