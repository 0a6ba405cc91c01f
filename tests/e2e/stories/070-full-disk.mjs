// A full disk refuses new payments with a clear error, keeps what there is readable, recovers when
// space returns, and never acknowledges what is not on it.
import { closeSync, openSync, rmSync, statfsSync, truncateSync, writeSync } from 'node:fs';
import { Listener } from '../lib/listener.mjs';
import { Server } from '../lib/server.mjs';
import { atMost, check, equal, matches, patience, proved, said, story, until } from '../lib/story.mjs';

const FIRST = 254711000000;
const small = process.env.SMALL_DISK; // a file system of a few megabytes, mounted by the script
let phone = FIRST;

// Takes all the space that is left, but `spare` bytes.
function fill(spare = 0) {
    const ballast = openSync(`${small}/ballast`, 'w');
    const block = Buffer.alloc(4096);
    try {
        for (;;) {
            const { bavail, bsize } = statfsSync(small);
            if (bavail * bsize <= spare) break;
            writeSync(ballast, block);
        }
    } catch (error) {
        if (error.code !== 'ENOSPC') throw error;
    } finally {
        closeSync(ballast);
    }
}

const makeSpace = () => truncateSync(`${small}/ballast`, 0);

async function openServer(scene, flags = []) {
    const data = `${small}/data`;
    scene.atEnd(() => {
        rmSync(data, { recursive: true });
        makeSpace();
    });
    return Server.open(scene, flags, { data });
}

function checkFull(answer) {
    equal([answer.status, answer.json?.errorCode, answer.json?.errorMessage],
          [500, '500.003.02', 'System is busy. Please try again in few minutes.'], 'a refusal');
    equal(answer.headers['retry-after'], '1', 'Retry-After');
    matches(answer.headers['hakika-explain'], /disk .* is full/, 'Hakika-Explain');
}

// Pushes until the disk is full; what was acknowledged.
async function pushUntilFull(operator, fields) {
    const accepted = [];
    for (;;) {
        const answer = await operator.tryPush({ PhoneNumber: phone++, TransactionDesc: 'x'.repeat(100),
                                             AccountReference: 'y'.repeat(100), ...fields });
        if (/keep up/.test(answer.headers['hakika-explain'])) continue; // slow, not full
        if (answer.status !== 200) {
            checkFull(answer);
            atMost(answer.ms, 100 * patience, 'milliseconds until the refusal');
            return accepted;
        }
        accepted.push(answer.json.CheckoutRequestID);
        check(accepted.length < 5000, 'the disk does not get full');
    }
}

async function checkAllThere(operator, accepted, what) {
    const all = new Map((await operator.transactions()).map((t) => [t.checkout_request_id, t]));
    for (const id of accepted) check(all.has(id), `${what}: ${id} was acknowledged and is gone`);
    return all;
}

await story('the disk gets full while payments come', async (scene) => {
    const listener = await Listener.open(scene);
    const server = await openServer(scene);
    const { operator } = server;
    await operator.authorize();
    const open = await operator.pushed({ PhoneNumber: phone++, CallBackURL: listener.url });
    const off = phone++;
    await operator.openSubscriber(off, 100000);
    await operator.simOk('PATCH', `/subscribers/${off}`, { reachable: false });
    fill();
    const accepted = await pushUntilFull(operator, { CallBackURL: listener.url });
    accepted.push(open.CheckoutRequestID);
    proved(`after ${accepted.length} payments, a push is refused within 100 ms with 500.003.02 and ` +
           '"the disk that holds the journal is full"');

    const ready = await operator.call('GET', '/readyz');
    equal([ready.status, ready.json.status], [503, 'unavailable'], '/readyz');
    matches(ready.json.reason, /disk .* is full/, 'the reason');
    equal((await operator.call('GET', '/healthz')).status, 200, '/healthz');
    const control = await operator.sim('POST', '/subscribers', { msisdn: phone++ });
    equal([control.status, control.json.code], [503, 'disk_full'], 'a change by the control API');
    proved('/readyz says 503 and why; the control API says disk_full');

    const before = await checkAllThere(operator, accepted, 'while the disk is full');
    equal((await operator.query(open.CheckoutRequestID)).json.ResultCode, '4999', 'the STK query');
    proved('what there is can be read');

    const approval = await operator.approve(open.CheckoutRequestID, '1234', 0);
    said(`an approval while the disk is full: ${approval.status} ${approval.json?.code ?? ''}`);
    if (approval.status !== 202) equal(approval.json.code, 'disk_full', 'the refusal of the approval');

    await server.restart();
    const full = server.operator;
    const again = await checkAllThere(full, accepted, 'after kill -9 and a restart on the full disk');
    equal(again.size, before.size, 'payments, before and after');
    checkFull(await full.tryPush({ PhoneNumber: phone++ }));
    proved('it starts on the full disk after kill -9, shows the same and still refuses');

    makeSpace();
    const first = await until(async () => {
        const answer = await full.tryPush({ PhoneNumber: phone++, CallBackURL: listener.url });
        return answer.status === 200 && answer.json;
    }, 'a push is accepted after space has returned');
    accepted.push(first.CheckoutRequestID);
    equal((await full.approved(first.CheckoutRequestID)).status, 'SUCCESS', 'the payment after that');
    const end = await full.approve(open.CheckoutRequestID);
    check(end.status === 200 || approval.status === 202, 'the payment that was open can be paid');
    await listener.callback(open.CheckoutRequestID);
    equal((await full.call('GET', '/readyz')).status, 200, '/readyz');
    await server.restart();
    await checkAllThere(server.operator, accepted, 'in the end');
    proved('when space returns it goes on by itself; nothing acknowledged was lost');
});

await story('deadlines pass while the disk is full', async (scene) => {
    const listener = await Listener.open(scene);
    const server = await openServer(scene);
    const { operator } = server;
    await operator.authorize();
    const off = Array.from({ length: 40 }, () => phone++);
    for (const msisdn of off) {
        await operator.openSubscriber(msisdn, 100000);
        await operator.simOk('PATCH', `/subscribers/${msisdn}`, { reachable: false });
    }
    fill();
    const accepted = await pushUntilFull(operator, { CallBackURL: listener.url });
    makeSpace();
    await until(async () => (await operator.call('GET', '/readyz')).status === 200, 'there is space');
    fill(); // the space has become the next segment
    // Payments whose phones are off end by themselves 4 s after they were accepted.
    const doomed = [];
    for (const msisdn of off) {
        doomed.push(await operator.pushed({ PhoneNumber: msisdn, CallBackURL: listener.url }));
    }
    accepted.push(...doomed.map((push) => push.CheckoutRequestID));
    accepted.push(...await pushUntilFull(operator, { CallBackURL: listener.url }));
    const last = await operator.transaction(doomed.at(-1).CheckoutRequestID);
    await until(async () => Date.parse((await operator.clock()).now) > Date.parse(last.created_at) + 4100,
                'their deadlines have passed', 20);
    equal(listener.received.length, 0, 'callbacks about what is not on disk');
    equal((await operator.transaction(last.id)).status, 'PROCESSING', 'a payment whose end cannot be written');
    await checkAllThere(operator, accepted, 'while deadlines wait');
    equal(await server.stop(), 0, 'exit status after SIGTERM on the full disk');
    await server.start();
    await checkAllThere(server.operator, accepted, 'after the restart on the full disk');
    proved('ends that cannot be written are not told, and everything can be read; SIGTERM ends with 0');

    makeSpace();
    for (const push of doomed) {
        equal((await listener.callback(push.CheckoutRequestID)).ResultCode, 1037, 'ResultCode');
    }
    // Delivered is what the book knows as delivered: before that a kill -9 sends it again.
    await until(async () => (await server.operator.metrics()).hakika_callbacks_delivered_total >=
                            doomed.length, 'the callbacks count as delivered');
    // The metrics show the state as it is; a read waits until what it shows is on disk.
    await server.operator.transaction(doomed.at(-1).CheckoutRequestID);
    await server.restart();
    await checkAllThere(server.operator, accepted, 'in the end');
    equal(doomed.map((push) => listener.about(push.CheckoutRequestID).length), doomed.map(() => 1),
          'callbacks about each');
    proved(`when space returns ${doomed.length} payments end with 1037, each told once`);
});

await story('a clock that cannot be kept does not move', async (scene) => {
    const server = await openServer(scene, ['--clock', 'virtual']);
    const { operator } = server;
    await operator.authorize();
    fill();
    await pushUntilFull(operator, {});
    const clock = async () => {
        const { mode, now } = await operator.clock();
        return { mode, now };
    };
    const before = await clock();
    for (const [what, path, body] of [['moving it', '/clock', { advance_ms: 60000 }],
                                      ['another mode', '/clock', { mode: 'real' }],
                                      ['until idle', '/clock/run-until-idle', {}]]) {
        const answer = await operator.sim('POST', path, body);
        equal([answer.status, answer.json.code], [503, 'disk_full'], what);
        equal(await clock(), before, `the clock after ${what} was refused`);
    }
    makeSpace();
    await until(async () => (await operator.call('GET', '/readyz')).status === 200, 'there is space');
    const after = await operator.advance(60000);
    equal(Date.parse(after.now) - Date.parse(before.now), 60000, 'milliseconds that it moved');
    proved('what is answered 503 has changed nothing: asked again, the clock moves once');
});

await story('a callback that a rule fails falls due while the disk is full', async (scene) => {
    const listener = await Listener.open(scene);
    const server = await openServer(scene, ['--snapshot-bytes', '4096']); // so that it often pauses for one
    const { operator } = server;
    await operator.authorize();
    await operator.simOk('PUT', '/rules', { rules: [
        { name: 'unsent', match: { reference: 'RULED' }, then: { callback: { fail_first: 2 } } }] });
    const ruled = await operator.pushed({ PhoneNumber: phone++, CallBackURL: listener.url, AccountReference: 'RULED' });
    await operator.approved(ruled.CheckoutRequestID);
    const delivery = async () => (await operator.simOk('GET', '/deliveries')).data.at(-1);
    const waiting = await until(async () => {
        const one = await delivery();
        return one.attempts.length === 1 && one;
    }, 'the first attempt has failed by the rule');
    fill();
    await pushUntilFull(operator, { CallBackURL: listener.url });
    await until(async () => Date.parse((await operator.clock()).now) > Date.parse(waiting.next_try_at) + 100,
                'the second is due', 20);
    equal((await operator.call('GET', '/healthz')).status, 200, '/healthz');
    makeSpace();
    await until(async () => (await delivery()).attempts.length === 2, 'the second attempt is remembered');
    equal(listener.about(ruled.CheckoutRequestID).length, 0, 'what the rule lets fail is not sent');
    proved('what cannot be remembered waits (a last small frame may have fitted), and the program answers meanwhile');
});
