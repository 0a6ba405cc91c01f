// Worlds as files: saved on one server and opened on another, with prompts, money and waiting
// callbacks; PINs and secrets stay where they were; what is damaged, foreign or forged is refused with
// a reason; a kill -9 in the middle leaves nothing; verify and the SQL view know what came in.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import net from 'node:net';
import { request } from '../lib/http.mjs';
import { appendFrame, event } from '../lib/journal.mjs';
import { Listener } from '../lib/listener.mjs';
import { HAKIKA, Server } from '../lib/server.mjs';
import { check, equal, matches, proved, story, until } from '../lib/story.mjs';

const ANNA = 254711000001;
const BRIAN = 254711000002;
const SHILLING = 100;
const HEADER = 128;

let opened = 0;
const another = (scene, flags = ['--clock', 'virtual']) =>
    Server.open(scene, flags, { data: scene.path(`data-${++opened}`) });

const binary = { 'Content-Type': 'application/octet-stream' };
const download = (server, name) => request(server.base, 'GET', `/sim/v1/snapshots/${name}/file`);
const upload = (server, name, bytes, headers = binary) => request(server.base, 'POST', `/sim/v1/snapshots/${name}/file`, { body: bytes, headers });
const problem = (answer) => [answer.status, answer.json?.code];

function verified(server) {
    const run = spawnSync(HAKIKA, ['verify', server.data, '--json'], { encoding: 'utf8', timeout: 60000 });
    equal(run.status, 0, `hakika verify: ${run.stdout.slice(0, 3000)} ${run.stderr}`);
}

// The digest at the end, anew, as somebody who forges a file would.
function sealed(bytes) {
    const body = bytes.subarray(0, bytes.length - 32);
    return Buffer.concat([body, createHash('sha256').update(body).digest()]);
}

async function query(server, sql) {
    const run = spawnSync(HAKIKA, ['query', server.data, sql, '--json'], { encoding: 'utf8', timeout: 60000 });
    equal(run.status, 0, `hakika query: ${run.stderr}`);
    return JSON.parse(run.stdout);
}

// A shop's morning: paid, open on a phone, waiting to be told, paid unasked, and an own PIN.
async function morning(scene) {
    const listener = await Listener.open(scene);
    const server = await another(scene);
    const { operator } = server;
    await operator.simOk('POST', '/subscribers', { msisdn: ANNA, name: 'Anna', pin: '7391', balance: 1000 * SHILLING }, 201);
    await operator.openSubscriber(BRIAN, 500 * SHILLING);
    await operator.advance(3600_000);
    const paid = await operator.pushed({ PhoneNumber: BRIAN, Amount: 70, CallBackURL: listener.url });
    await operator.approved(paid.CheckoutRequestID);
    await listener.down();
    const untold = await operator.pushed({ PhoneNumber: BRIAN, Amount: 30, CallBackURL: listener.url });
    await operator.approved(untold.CheckoutRequestID);
    await until(async () => (await operator.delivery(untold.CheckoutRequestID)).attempts.length > 0, 'a first attempt failed');
    await operator.simOk('POST', `/subscribers/${ANNA}/pay`, { short_code: 600000, amount: 2500, reference: 'HOUSE-4', pin: '7391' }, 201);
    const open = await operator.pushed({ PhoneNumber: ANNA, Amount: 100, CallBackURL: listener.url });
    await until(async () => (await operator.prompts(ANNA)).length > 0, 'the prompt is there');
    const saved = await operator.simOk('POST', '/snapshots', { name: 'monday' }, 201);
    return { listener, server, operator, saved, paid: paid.CheckoutRequestID, untold: untold.CheckoutRequestID, open: open.CheckoutRequestID };
}

await story('saved on one server, opened on another', async (scene) => {
    const first = await morning(scene);
    const { status, bytes, headers } = await download(first.server, 'monday');
    equal(status, 200, bytes.toString());
    matches(headers['content-disposition'], /monday\.hakika-world/, 'its name');
    equal(bytes.subarray(0, 8).toString(), 'HAKIKAWD', 'what it is');
    const before = { anna: await first.operator.balance(ANNA), brian: await first.operator.balance(BRIAN) };

    const second = await another(scene);
    let { operator } = second;
    await operator.openSubscriber(254799000009, 77 * SHILLING);
    const world = await upload(second, 'from-a-colleague', bytes);
    equal(world.status, 201, world.text);
    equal([world.json.name, world.json.saved_at], ['from-a-colleague', first.saved.saved_at], 'the world');
    equal(await operator.balance(254799000009), 77 * SHILLING, 'the present is as it was');
    await second.restart();
    operator = second.operator;
    equal((await operator.simOk('GET', '/snapshots')).data, [world.json], 'after a kill -9');
    await operator.simOk('POST', '/snapshots/from-a-colleague/restore', {});
    equal({ anna: await operator.balance(ANNA), brian: await operator.balance(BRIAN) }, before, 'the money');
    equal((await operator.clock()).now, first.saved.saved_at, 'the clock');
    const there = await operator.transaction(first.paid);
    const here = await first.operator.transaction(first.paid);
    equal([there.status, there.receipt, there.amount], ['SUCCESS', here.receipt, here.amount], 'the payment');
    equal((await operator.simOk('GET', '/money')).difference, 0, 'the money is all there');
    proved('payments, money and clock are those of the first server, after a kill -9 of the second, too');

    await first.listener.up();
    await operator.untilIdle();
    equal((await operator.delivery(first.untold)).state, 'delivered', 'the callback that waited');
    equal((await operator.prompts(ANNA)).length, 0, 'and the prompt was over in the meantime');
    await operator.simOk('POST', '/snapshots/from-a-colleague/restore', {});
    equal((await operator.prompts(ANNA))[0].checkout_request_id, first.open, 'the prompt is on the phone');
    await operator.simOk('POST', `/prompts/${first.open}/approve?wait=5`, { pin: '7391' });
    equal((await operator.transaction(first.open)).status, 'FAILED', 'the PIN of the other server');
    await operator.simOk('POST', '/snapshots/from-a-colleague/restore', {});
    await operator.approved(first.open);
    equal((await operator.transaction(first.open)).status, 'SUCCESS', 'the PIN of an opened world');
    await operator.openSubscriber(254799000001, 5 * SHILLING); // ids of its own beside those that came
    const later = await operator.pushed({ PhoneNumber: 254799000001, Amount: 1 });
    equal((await operator.approved(later.CheckoutRequestID)).status, 'SUCCESS', 'and life goes on');
    proved('what waited goes on; PINs did not travel: every phone has 1234 there');

    const again = await download(second, 'from-a-colleague');
    equal(again.status, 200, again.bytes.toString());
    await operator.simOk('POST', '/snapshots', { name: 'onward' }, 201);
    const onward = await download(second, 'onward');
    const third = await another(scene);
    equal((await upload(third, 'again', again.bytes)).status, 201, 'a file of an opened world');
    equal((await upload(third, 'onward', onward.bytes)).status, 201, 'and of what it became');
    await third.operator.simOk('POST', '/snapshots/onward/restore', {});
    equal((await third.operator.transaction(later.CheckoutRequestID)).status, 'SUCCESS', 'what came later');
    proved('an opened world, and what became of it, is a file for a third server');

    await third.stop();
    await second.stop();
    await first.server.stop();
    for (const server of [first.server, second, third]) verified(server);
    const rows = await query(second, "SELECT status, receipt FROM saved_transactions JOIN worlds USING (world)"
        + " WHERE name = 'from-a-colleague' ORDER BY number");
    check(JSON.stringify(rows).includes(here.receipt), `saved_transactions: ${JSON.stringify(rows).slice(0, 500)}`);
    for (const server of [second, third]) {
        await server.start();
        await server.kill();
        verified(server);
    }
    proved('verify proves all three journals, and the SQL view has the opened world');
});

await story('nothing secret is in a file', async (scene) => {
    const server = await another(scene);
    const { operator } = server;
    const passkey = 'f'.repeat(63) + '7';
    await operator.simOk('POST', '/organisations', { short_code: 888880, name: 'Secret Shop', passkey,
        consumer_key: 'consumer-of-ours', consumer_secret: 'never-to-be-told', initiator: 'boss', initiator_password: 'Open-Sesame-9' }, 201);
    await operator.simOk('POST', '/subscribers', { msisdn: ANNA, name: 'Anna', pin: '7391', balance: 100 }, 201);
    await operator.simOk('POST', '/snapshots', { name: 'one' }, 201);
    await operator.simOk('PATCH', `/subscribers/${ANNA}`, { pin: '8642' });
    await operator.simOk('POST', '/snapshots', { name: 'two' }, 201);
    const one = (await download(server, 'one')).bytes;
    const two = (await download(server, 'two')).bytes;
    // Without keys, the same PINs and others give the same bytes but for the number of decisions.
    check(one.includes('Anna') && two.includes('Secret Shop'), 'what is no secret is there');
    for (const secret of [passkey, 'consumer-of-ours', 'never-to-be-told', 'Open-Sesame-9', '7391', '8642']) {
        check(!two.includes(secret), `${secret} is in the file`);
    }
    const other = await another(scene);
    equal((await upload(other, 'two', two)).status, 201, 'opened');
    await other.operator.simOk('POST', '/snapshots/two/restore', {});
    const code = { BusinessShortCode: 888880, PartyB: 888880 };
    const pushed = await other.operator.pushed({ PhoneNumber: ANNA, Amount: 1, ...code });
    equal((await other.operator.approved(pushed.CheckoutRequestID)).status, 'SUCCESS', 'with the public passkey');
    proved('an opened organisation has the sandbox\'s passkey, an opened phone the PIN 1234');
});

// The answer to an upload that says it is so large, and has sent nothing of it yet. (A client that
// sends on after the answer may lose it with the connection.)
function statusOfClaim(server, size) {
    const { host, hostname, port } = new URL(server.base);
    return new Promise((resolve, reject) => {
        const socket = net.connect(port, hostname, () => socket.write(
            `POST /sim/v1/snapshots/x/file HTTP/1.1\r\nHost: ${host}\r\n` +
            `Content-Type: application/octet-stream\r\nContent-Length: ${size}\r\n\r\n`));
        socket.on('error', reject);
        socket.once('data', (data) => {
            resolve(data.toString('latin1').split(' ')[1]);
            socket.destroy();
        });
    });
}

await story('what is no sound world is refused', async (scene) => {
    const { server, saved } = await morning(scene);
    const { bytes } = await download(server, 'monday');
    const other = await another(scene, []);
    const changed = (at, value) => {
        const copy = Buffer.from(bytes);
        copy.writeUInt8(value, at);
        return copy;
    };
    const count = bytes.readUInt32LE(24);
    for (const [what, file, expected, words] of [
        ['nothing', Buffer.alloc(0), 'no_world_file', /cut off/],
        ['another file', Buffer.from('PK'.repeat(500)), 'no_world_file', /no world file/],
        ['a part of it', bytes.subarray(0, 3000), 'no_world_file', /cut off/],
        ['a newer format', sealed(changed(8, 2)), 'no_world_file', /format 2.*reads format 1/],
        ['one bit', changed(HEADER + 700, bytes[HEADER + 700] ^ 1), 'no_world_file', /digest/],
        ['another book', sealed(changed(96, 'm'.charCodeAt(0))), 'no_world_file', /another book/],
        ['fewer decisions than it says', sealed(changed(24, (count + 1) & 255)), 'no_world_file', /could be read/],
    ]) {
        const answer = await upload(other, 'x', file);
        equal(problem(answer), [422, expected], `${what}: ${answer.text}`);
        matches(answer.json.detail, words, what);
    }
    equal(problem(await upload(other, 'x', bytes, { 'Content-Type': 'text/plain' })), [415, 'file_needed'], 'text/plain');
    equal(problem(await upload(other, 'no%20name', bytes)), [400, 'invalid_name'], 'a name');
    equal(await statusOfClaim(other, 2 * 1024 * 1024 + 1), '413', 'too large');
    equal(problem(await other.operator.sim('GET', '/snapshots/x/file')), [404, 'no_snapshot'], 'none');

    // Forged with a digest that is right: each byte of the decisions made another, one at a time.
    const step = Math.max(1, Math.floor((bytes.length - HEADER - 32) / 50));
    let refused = 0;
    for (let at = HEADER; at < bytes.length - 32; at += step) {
        const answer = await upload(other, 'forged', sealed(changed(at, bytes[at] ^ 0x41)));
        check([201, 422].includes(answer.status), `byte ${at}: ${answer.status} ${answer.text}`);
        refused += answer.status === 422;
        if (answer.status === 201) await other.operator.simOk('DELETE', '/snapshots/forged');
    }
    check(refused > 20, `${refused} of 50 forgeries were refused`);
    equal((await upload(other, 'monday', bytes)).status, 201, 'the true one');
    equal(problem(await upload(other, 'monday', bytes)), [409, 'snapshot_exists'], 'a second time');
    equal(saved.name, 'monday', 'saved');
    await other.kill();
    verified(other);
    proved(`damaged and foreign files are refused with a reason, ${refused} forgeries, too; the server goes on`);
});

// The events of an import, as docs/journal-format.md has them.
const text = (words) => Buffer.concat([Buffer.from([words.length, 0]), Buffer.from(words)]);
const number = (value, size) => {
    const bytes = Buffer.alloc(size);
    size === 8 ? bytes.writeBigInt64LE(BigInt(value)) : bytes.writeUIntLE(value, 0, size);
    return bytes;
};
const begun = (name, frames, bytes) => event(12, Buffer.concat([text(name), number(0, 8), number(frames, 4), number(bytes, 4)]));
const part = event(13, Buffer.concat([number(0, 8), number(64, 2), event(1, number(1, 8))]));
const ended = (name) => event(14, Buffer.concat([text(name), Buffer.alloc(16)]));

await story('a crash in the middle of taking one in', async (scene) => {
    const { server } = await morning(scene);
    const { bytes } = await download(server, 'monday');
    const other = await another(scene);
    await other.operator.openSubscriber(ANNA, 12 * SHILLING);
    await other.kill();
    const journal = `${other.data}/operator`;
    appendFrame(journal, 15, [begun('monday', 3, 5000)]);
    appendFrame(journal, 16, [part]);
    verified(other);
    await other.start();
    equal((await other.operator.simOk('GET', '/snapshots')).data, [], 'nothing of it is left');
    equal(await other.operator.balance(ANNA), 12 * SHILLING, 'the present is whole');
    equal((await upload(other, 'monday', bytes)).status, 201, 'and it can be taken in again');
    equal(await other.stop(), 0, 'a clean stop');
    verified(other);
    await other.start();
    await other.operator.simOk('POST', '/snapshots/monday/restore', {});
    await other.kill();
    verified(other);
    proved('what was begun and not ended leaves nothing');

    // A hand that ends one which is not whole.
    appendFrame(journal, 15, [begun('forged', 1, 48)]);
    appendFrame(journal, 16, [part]);
    appendFrame(journal, 17, [ended('forged')]);
    const run = spawnSync(HAKIKA, ['verify', other.data], { encoding: 'utf8', timeout: 60000 });
    equal(run.status, 1, run.stdout.slice(-2000));
    matches(run.stdout, /not the one that was begun, or not all of it/, 'what verify says');
    await other.start().then(() => check(false, 'it started'), () => undefined);
    matches(other.errors, /position \d+/, 'the server names the place and does not start');
    proved('one that a hand ended is found by verify, and no server starts on it');
});

await story('payments that have left memory', async (scene) => {
    const { server, operator } = await morning(scene);
    const { bytes } = await download(server, 'monday');
    const old = await another(scene, ['--clock', 'virtual', '--keep-closed', '1s']);
    const listener = await Listener.open(scene);
    const { CheckoutRequestID: id } = await old.operator.pushed({ Amount: 1, CallBackURL: listener.url });
    await old.operator.approved(id);
    await listener.callback(id);
    await until(async () => {
        await old.operator.advance(60_000);
        return (await old.operator.metrics()).hakika_payments_left > 0;
    }, 'a payment leaves memory');
    equal(problem(await upload(old, 'monday', bytes)), [409, 'payments_left_memory'], 'no world can come in then');
    await old.operator.simOk('POST', '/reset', {});
    equal((await upload(old, 'monday', bytes)).status, 201, 'after a reset');
    check(operator, 'the first goes on');
    proved('a world cannot be opened while payments have left memory, and after a reset it can');
});
