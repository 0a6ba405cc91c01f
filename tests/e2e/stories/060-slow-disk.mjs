// A disk whose fdatasync takes two seconds: nothing is acknowledged before it ends, new work is
// refused at once, and afterwards all is as before (R1.5, R3.2). A disk whose fdatasync fails: the
// process ends with status 3 and claims nothing; a restart recovers (R3.4).
import { readFileSync, renameSync, writeFileSync, mkdirSync } from 'node:fs';
import { atRate, summary } from '../lib/load.mjs';
import { Listener } from '../lib/listener.mjs';
import { PIN } from '../lib/operator.mjs';
import { Server } from '../lib/server.mjs';
import { atMost, bestOf, check, equal, matches, patience, percentile, proved, said, story, until,
         within } from '../lib/story.mjs';

const PHONE = 254733000000;
const EIO = 5;

// The disk that lib/slow_disk.c makes of the real one.
class Disk {
    constructor(scene) {
        this.folder = scene.path('disk');
        mkdirSync(this.folder);
        this.environment = { LD_PRELOAD: process.env.SLOW_DISK, HAKIKA_TEST_DISK: this.folder };
    }

    // What the next sync of the journal has to do.
    order(words) {
        writeFileSync(`${this.folder}/new`, words);
        renameSync(`${this.folder}/new`, `${this.folder}/order`);
    }

    // [{what, ms}], ms as performance.now() counts.
    log() {
        const offset = Number(process.hrtime.bigint()) / 1e6 - performance.now();
        return readFileSync(`${this.folder}/log`, 'utf8').trim().split('\n').map((line) => {
            const [what, ns] = line.split(' ');
            return { what, ms: Number(ns) / 1e6 - offset };
        });
    }

    async began(what) {
        await until(() => this.log().some((line) => line.what === what), `a sync is "${what}"`);
        return this.log().find((line) => line.what === what).ms;
    }

    // When the slow sync ended.
    ended() {
        const log = this.log();
        return log.slice(log.findIndex((line) => line.what === 'slow'))
            .find((line) => line.what === 'end').ms;
    }
}

function checkBusy(answer, what) {
    equal([answer.status, answer.json?.errorCode, answer.json?.errorMessage,
           answer.headers['retry-after']],
          [500, '500.003.02', 'System is busy. Please try again in few minutes.', '1'], what);
}

async function openServer(scene, disk) {
    const server = await Server.open(scene, [], { environment: disk.environment });
    await server.operator.authorize();
    await server.operator.warmUp(80);
    return server;
}

await story('an fdatasync that takes 2 s', async (scene) => {
    const disk = new Disk(scene);
    const server = await openServer(scene, disk);
    const listener = await Listener.open(scene);
    const { operator } = server;
    const prompted = await operator.pushed({ PhoneNumber: PHONE, CallBackURL: listener.url });

    disk.order('delay 2000');
    const timed = (promise) => {
        const begun = performance.now();
        return promise.then((answer) => ({ ...answer, begun, ended: performance.now() }));
    };
    const first = timed(operator.tryPush({ PhoneNumber: PHONE + 1 }));
    const slowFrom = await disk.began('slow');
    // While it lasts: an approval, a read, and 100 pushes a second.
    const approval = timed(operator.approve(prompted.CheckoutRequestID, PIN, 0));
    const reading = timed(operator.subscriber(PHONE).then((json) => ({ json })));
    const watched = operator.metrics();
    const load = await atRate(100, 1.5, (n) => timed(operator.tryPush({ PhoneNumber: PHONE + 10 + n })));
    await Promise.all([first, approval, reading]);
    const seen = await watched;
    const slowTo = disk.ended();
    check(slowTo - slowFrom >= 1990, `the sync took only ${slowTo - slowFrom} ms`);

    const answers = [await first, ...load.answers.map((a) => a.answer)];
    const accepted = answers.filter((answer) => answer.status === 200);
    const refused = answers.filter((answer) => answer.status !== 200);
    for (const answer of accepted) {
        check(answer.ended >= slowTo, `acknowledged ${slowTo - answer.ended} ms before the sync ended`);
    }
    check((await approval).ended >= slowTo, 'the approval was answered before the sync ended');
    check((await reading).ended >= slowTo, 'a read showed what was not on disk');
    equal((await approval).status, 202, 'status of the approval');
    proved(`${accepted.length} pushes, an approval and a read were answered, none before the sync ended`);

    check(seen.hakika_position > seen.hakika_durable_position, 'the metrics came when all was on disk');
    equal(seen.hakika_payments_accepted_total, 1, 'pushes accepted, as the metrics told meanwhile');
    equal(seen.hakika_acknowledge_seconds_count, 1, 'acknowledgements, as the metrics told meanwhile');
    const after = await operator.metrics();
    equal(after.hakika_payments_accepted_total, 1 + accepted.length, 'and afterwards');
    equal(after.hakika_acknowledge_seconds_count, 1 + accepted.length, 'acknowledgements afterwards');
    const quick = 'hakika_acknowledge_seconds_bucket{le="1"}';
    equal(after[quick], seen[quick], 'acknowledged in under a second while the disk stood still');
    check(after['hakika_sync_seconds_bucket{le="+Inf"}'] > after['hakika_sync_seconds_bucket{le="1"}'],
          'the slow sync is among the times to disk');
    proved('metrics were answered while the disk stood still, with what was on it');

    for (const answer of refused) checkBusy(answer, 'a refusal');
    const late = answers.filter((a) => a.begun > slowFrom + 80 + 50 * patience && a.begun < slowTo - 50);
    equal(late.filter((a) => a.status === 200).length, 0, 'pushes accepted 130 ms after it began');
    check(refused.length > 80, `only ${refused.length} refusals`);
    const slowest = percentile(refused.map((a) => a.ended - a.begun), 100);
    atMost(slowest, 100 * patience, 'milliseconds to the slowest refusal');
    proved(`${refused.length} pushes were refused with 500.003.02 and Retry-After, the slowest after ` +
           `${slowest.toFixed(0)} ms`);
    await listener.callback(prompted.CheckoutRequestID);

    let phone = PHONE + 1000;
    const p99 = await bestOf(3, 100 * patience, 'p99 afterwards in ms', async () => {
        const after = await atRate(500, 1, () => operator.tryPush({ PhoneNumber: phone++ }));
        const times = after.answers.map((a) => a.ms);
        said(`500 pushes a second afterwards: ${summary(times)}`);
        return after.answers.every((a) => a.answer?.status === 200) ? percentile(times, 99) : Infinity;
    });
    proved(`full speed afterwards: all accepted, p99 ${p99.toFixed(1)} ms`);

    const told = new Set(accepted.map((answer) => answer.json.CheckoutRequestID));
    await server.restart();
    const kept = new Set((await server.operator.transactions()).map((t) => t.checkout_request_id));
    for (const id of told) check(kept.has(id), `${id} was acknowledged and is gone`);
    const others = (await server.operator.transactions()).filter((t) =>
        t.msisdn >= PHONE + 10 && t.msisdn < PHONE + 1000);
    equal(others.length, accepted.length - 1, 'payments of the pushes during the stall');
    proved('after kill -9 every acknowledged payment is there, and none of the refused ones');
});

await story('kill -9 during an fdatasync that takes 2 s', async (scene) => {
    const disk = new Disk(scene);
    const server = await openServer(scene, disk);
    const before = await server.operator.pushed({ PhoneNumber: PHONE });
    disk.order('delay 2000');
    // Whoever asks late, when the disk is known to be slow, is refused: that is an answer, and no yes.
    let accepted = 0;
    const orphans = Array.from({ length: 20 }, (_, i) =>
        server.operator.tryPush({ PhoneNumber: PHONE + 1 + i }).then((answer) => {
            if (answer.status === 200) accepted++;
            else checkBusy(answer, 'a refusal');
        }, () => {}));
    await disk.began('slow');
    await server.kill();
    await Promise.all(orphans);
    equal(accepted, 0, 'pushes acknowledged before the power went');
    await server.start();
    const all = await server.operator.transactions();
    check(all.some((t) => t.checkout_request_id === before.CheckoutRequestID), 'the first push is gone');
    for (const t of all) {
        const end = await server.operator.cancel(t.checkout_request_id);
        equal([end.status, end.json.status], [200, 'CANCELLED'], 'a payment that is there can end');
    }
    proved(`no push was acknowledged; the first one is there, ${all.length - 1} of 20 others, whole`);
});

await story('an fdatasync that fails with EIO', async (scene) => {
    const disk = new Disk(scene);
    const server = await openServer(scene, disk);
    const { operator } = server;
    const listener = await Listener.open(scene);
    const kept = [];
    for (let i = 0; i < 5; i++) {
        kept.push(await operator.pushed({ PhoneNumber: PHONE + i, CallBackURL: listener.url }));
    }
    await operator.approved(kept[0].CheckoutRequestID);
    // Nothing is left to be written, so that the order below meets the pushes.
    await until(async () => (await operator.metrics()).hakika_callbacks_delivered_total === 1,
                'the callback of the paid one counts as delivered');
    await operator.balance(PHONE);
    disk.order(`fail ${EIO}`);
    const answers = await server.allAtOnce(20, () => Promise.all(Array.from({ length: 20 }, (_, i) =>
        operator.tryPush({ PhoneNumber: PHONE + 100 + i }).catch((error) => error))));
    const told = answers.filter((answer) => !(answer instanceof Error));
    for (const answer of told) {
        equal([answer.status, answer.json?.errorCode, answer.json?.errorMessage],
              [500, '500.001.1001', 'Internal Server Error'], 'an answer to a push');
        matches(answer.headers['hakika-explain'], /whether .* took effect is not known/, 'explained');
    }
    const end = await within(server.ended, 'the process to end');
    equal(end.code, 3, 'exit status');
    matches(server.errors, /journal/, 'what it says');
    said(`it said: ${server.errors.trim()}`);
    proved(`20 pushes got no yes (${told.length} a 500, the others none), and the process ended with ` +
           'status 3');

    await server.start();
    const all = await server.operator.transactions();
    const found = new Set(all.map((t) => t.checkout_request_id));
    for (const push of kept) check(found.has(push.CheckoutRequestID), 'an acknowledged push is gone');
    equal((await server.operator.transaction(kept[0].CheckoutRequestID)).status, 'SUCCESS', 'the paid one');
    await server.operator.pushed({ PhoneNumber: PHONE + 200 });
    proved(`after a restart all ${kept.length} acknowledged ones are there, and it serves`);
});

await story('a disk that fails at the first start', async (scene) => {
    const disk = new Disk(scene);
    disk.order(`fail ${EIO}`);
    const end = await Server.refused(scene, [], { environment: disk.environment });
    check(end.code === 1 || end.code === 3, `exit status ${end.code ?? end.signal}`);
    matches(end.errors, /[Ii]nput\/output error/, 'what it says');
    said(`it said: ${end.errors.trim()}`);
    const server = await Server.open(scene);
    await server.operator.pushed();
    proved(`it does not become ready (status ${end.code}) and starts when the disk works`);
});

await story('the process is killed while it writes a snapshot', async (scene) => {
    const disk = new Disk(scene);
    const server = await Server.open(scene, ['--snapshot-bytes', '20000'], { environment: disk.environment });
    const { operator } = server;
    await operator.authorize();
    writeFileSync(`${disk.folder}/snapshot`, '10000');
    const accepted = [];
    while (!disk.log().some((line) => line.what === 'snapshot')) {
        accepted.push((await operator.pushed({ PhoneNumber: PHONE + 5000 + accepted.length })).CheckoutRequestID);
    }
    const gone = new Promise((resolve) => server.process.once('exit', resolve));
    server.process.kill('SIGKILL');
    await gone;
    // What wrote the snapshot held the ports of its parent, which nobody could open before it ended.
    const again = await Server.open(scene, [], { data: server.data, port: Number(new URL(server.base).port) });
    const there = new Set((await again.operator.transactions()).map((one) => one.checkout_request_id));
    check(accepted.every((id) => there.has(id)), 'what was acknowledged is there');
    await within(server.ended, 'the one that wrote the snapshot ends, too', 5);
    proved('the next start listens on the same port at once');
});
