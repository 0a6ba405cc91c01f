// A damaged journal: a flipped bit anywhere but in the tail stops the start with segment, offset and
// advice; a torn tail does not; nor does a lost snapshot. Missing and foreign segments, a second
// process on the same folder.
import { closeSync, cpSync, openSync, readFileSync, readSync, readdirSync, renameSync, rmSync,
         writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { filesPrint, patch, readJournal } from '../lib/journal.mjs';
import { Server } from '../lib/server.mjs';
import { check, equal, matches, proved, random, story } from '../lib/story.mjs';

const BLOCK = 4096;
const PHONE = 254711000000;
const PAYMENTS = 600;

// Every payment, and the money, as one value.
async function stateOf(operator) {
    const transactions = await operator.transactions();
    return { accounts: await operator.accounts(),
             transactions: transactions.map(({ timeline, ...rest }) => rest) };
}

// A folder with a history of several segments; the server was killed, so that no snapshot was left.
async function history(scene) {
    const server = await Server.open(scene, ['--clock', 'virtual'], { data: scene.path('history') });
    const { operator } = server;
    await operator.authorize();
    for (let i = 0; i < PAYMENTS; i++) { // one by one, so that there are many batches
        const { CheckoutRequestID: id } = await operator.pushed({
            PhoneNumber: PHONE + i % 4, AccountReference: `N${i}`,
            TransactionDesc: 'A long description. '.repeat(5) });
        if (i % 2) await operator.cancel(id);
        else await operator.approved(id);
    }
    const state = await stateOf(operator);
    await server.kill();
    const journal = readJournal(join(server.data, 'operator'));
    check(journal.segment >= 3, `a history of only ${journal.segment} segments`);
    check(journal.end > BLOCK, 'the last segment holds no batch');
    return { data: server.data, state, ...journal };
}

class Copy {
    constructor(scene, data, name) {
        this.data = scene.path(name);
        cpSync(data, this.data, { recursive: true });
        this.directory = join(this.data, 'operator');
    }

    segment(number) {
        return join(this.directory, `journal-${String(number).padStart(8, '0')}.seg`);
    }

    flip(number, offset, bit) {
        const byte = Buffer.alloc(1);
        const file = openSync(this.segment(number), 'r');
        readSync(file, byte, 0, 1, offset);
        closeSync(file);
        patch(this.directory, number, offset, Buffer.from([byte[0] ^ (1 << bit)]));
    }
}

// A start that must be refused, and leave everything as it is; what was said.
async function refused(scene, copy, pattern, what) {
    const before = filesPrint(copy.directory);
    const end = await Server.refused(scene, [], { data: copy.data });
    equal(end.code, 1, `exit status: ${what} (${end.errors})`);
    matches(end.errors, pattern, what);
    equal(filesPrint(copy.directory), before, `the folder after a refused start: ${what}`);
    return end.errors.trim();
}

async function tellOfBits(scene, base) {
    const broken = new Copy(scene, base.data, 'bits');
    const named = (segment, advice) => new RegExp(
        `journal-0*${segment}\\.seg(.|\\n)*offset \\d+(.|\\n)*${advice}`);

    // Where: the first and a later batch, its header, payload and padding; the last but one.
    const { batches } = base;
    const places = [];
    for (const at of [0, 1, Math.floor(batches.length / 2), batches.length - 2]) {
        const { segment, offset, payload } = batches[at];
        for (const [part, within] of [['magic', 0], ['batch number', 16], ['size', 36], ['chain', 100],
                                      ['hash', 140], ['payload', 160 + (payload.length >> 1)],
                                      ['padding', Math.ceil((160 + payload.length) / BLOCK) * BLOCK - 1]]) {
            places.push({ segment, offset: offset + within, what: `${part} of batch ${at + 1}` });
        }
    }
    // And anywhere, wherever a batch is.
    for (let i = 0; i < 40; i++) {
        const { segment, offset, payload } = batches[random(batches.length - 1)];
        places.push({ segment, offset: offset + random(160 + payload.length), what: 'somewhere' });
    }
    let example;
    for (const { segment, offset, what } of places) {
        const bit = random(8);
        broken.flip(segment, offset, bit);
        const said = await refused(scene, broken, named(segment, 'backup|replica|Keep this'),
                                   `bit ${bit} at ${offset} of segment ${segment}, ${what}`);
        const where = Number(said.match(/offset (\d+)/)[1]);
        check(where <= offset && offset - where < 1 << 20, `said ${where}, flipped at ${offset}`);
        broken.flip(segment, offset, bit);
        example = said;
    }
    proved(`${places.length} flipped bits, each alone, stop the start with status 1, the segment, the ` +
           'offset and advice, and nothing in the folder is changed');
    console.log(`   for example: ${example}`);

    for (const offset of [3, 8, 24, 33, 50, 100]) {
        const bit = random(8);
        broken.flip(2, offset, bit);
        await refused(scene, broken, /journal-00000002\.seg/, `byte ${offset} of a segment's header`);
        broken.flip(2, offset, bit);
    }
    const last = batches.filter((batch) => batch.segment === 1).at(-1);
    const end = last.offset + Math.ceil((160 + last.payload.length) / BLOCK) * BLOCK;
    if (end < readFileSync(broken.segment(1)).length) {
        broken.flip(1, end + 5, 1);
        await refused(scene, broken, /journal-00000001\.seg(.|\n)*offset/, 'a bit in unused space');
        broken.flip(1, end + 5, 1);
    }
    proved('the same for headers of segments and for space that must be zero');
    const whole = await Server.open(scene, [], { data: broken.data });
    equal(await stateOf(whole.operator), base.state, 'the state when every bit is back');
    await whole.kill();
    proved('with every bit back, it starts with the state that it had');
}

async function tellOfSegments(scene, base) {
    let copies = 0;
    const copy = () => new Copy(scene, base.data, `copy-${copies++}`);
    const missing = copy();
    rmSync(missing.segment(2));
    proved(`a missing segment: ${await refused(scene, missing, /journal-00000002\.seg/, 'no segment 2')}`);
    const first = copy();
    rmSync(first.segment(1));
    await refused(scene, first, /journal-00000001\.seg/, 'no segment 1');
    const swapped = copy();
    renameSync(swapped.segment(1), swapped.segment(99));
    renameSync(swapped.segment(2), swapped.segment(1));
    renameSync(swapped.segment(99), swapped.segment(2));
    await refused(scene, swapped, /journal-0000000[12]\.seg/, 'two segments that changed places');
    const foreign = copy();
    const other = await Server.open(scene, [], { data: scene.path('other') });
    await other.stop();
    cpSync(new Copy(scene, other.data, 'foreign').segment(1), foreign.segment(1));
    await refused(scene, foreign, /journal-0000000[12]\.seg/, 'a segment of another journal');
    const noise = copy();
    writeFileSync(noise.segment(2), Buffer.alloc(2 << 20, 'x'));
    await refused(scene, noise, /journal-00000002\.seg/, 'a segment that is not one');
    const shorter = copy();
    writeFileSync(shorter.segment(2), readFileSync(shorter.segment(2)).subarray(0, 3 * BLOCK));
    await refused(scene, shorter, /journal-00000002\.seg/, 'a segment that was cut');
    proved('segments that are missing, of another journal, swapped, cut or noise stop the start');

    const harmless = copy();
    writeFileSync(join(harmless.directory, 'notes.txt'), 'not a journal');
    const server = await Server.open(scene, [], { data: harmless.data });
    equal(await stateOf(server.operator), base.state, 'the state beside a foreign file');
    await server.kill();
    proved('a file that is none of its business is left alone');
}

async function tellOfTails(scene, base) {
    const tail = base.batches.at(-1);
    const size = Math.ceil((160 + tail.payload.length) / BLOCK) * BLOCK;
    const tears = {
        'its first half only': (c) => patch(c.directory, tail.segment, tail.offset + 512,
                                            Buffer.alloc(size - 512)),
        'its second half only': (c) => patch(c.directory, tail.segment, tail.offset, Buffer.alloc(512)),
        'nothing of it': (c) => patch(c.directory, tail.segment, tail.offset, Buffer.alloc(size)),
        'noise instead of it': (c) => patch(c.directory, tail.segment, tail.offset,
                                            Buffer.from(Array.from({ length: size }, () => random(256)))),
        'the beginning of one more': (c) => patch(c.directory, base.segment, base.end,
                                                  base.bytes.subarray(tail.offset, tail.offset + 300)),
    };
    for (const [what, tear] of Object.entries(tears)) {
        const torn = new Copy(scene, base.data, `torn-${what.replaceAll(' ', '-')}`);
        tear(torn);
        const server = await Server.open(scene, [], { data: torn.data });
        const state = await stateOf(server.operator);
        equal(state.transactions.length, base.state.transactions.length, `payments with ${what}`);
        const same = state.transactions.filter((t, i) => t.status === base.state.transactions[i].status);
        check(same.length >= state.transactions.length - 4, `${what}: more than the tail is gone`);
        await server.operator.pushed({ PhoneNumber: PHONE + 9 });
        await server.restart();
        equal((await server.operator.transactions()).length, state.transactions.length + 1,
              'payments after another restart');
        await server.kill();
    }
    proved(`it starts with a last batch of which the disk has: ${Object.keys(tears).join('; ')}`);
}

async function tellOfSnapshots(scene, base) {
    const server = await Server.open(scene, [], { data: base.data });
    equal(await server.stop(), 0, 'exit status');
    const directory = join(base.data, 'operator');
    const snapshot = readdirSync(directory).find((name) => name.startsWith('snapshot-'));
    const whole = readFileSync(join(directory, snapshot));
    for (const offset of [0, 9, 100, whole.length >> 1, whole.length - 1]) {
        const bytes = Buffer.from(whole);
        bytes[offset] ^= 1 << random(8);
        writeFileSync(join(directory, snapshot), bytes);
        const again = await Server.open(scene, [], { data: base.data });
        equal(await stateOf(again.operator), base.state, `the state, byte ${offset} of the snapshot`);
        await again.kill();
    }
    proved('a snapshot with a flipped bit is not used: the journal alone gives the same state');
}

await story('a history that is damaged', async (scene) => {
    const base = await history(scene);
    await tellOfBits(scene, base);
    await tellOfSegments(scene, base);
    await tellOfTails(scene, base);
    await tellOfSnapshots(scene, base);
});

await story('a second process on the same folder', async (scene) => {
    const server = await Server.open(scene);
    const { CheckoutRequestID: id } = await server.operator.pushed();
    const end = await Server.refused(scene, [], { data: server.data });
    equal(end.code, 1, 'exit status');
    matches(end.errors, /lock|in use/, 'what it says');
    equal((await server.operator.approved(id)).status, 'SUCCESS', 'the first one goes on');
    proved(`it ends with 1: ${end.errors.trim()}`);
});
