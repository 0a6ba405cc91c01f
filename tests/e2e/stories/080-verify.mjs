// hakika verify (R6.8): proves a real server's journal beside it and after it, names damage by
// segment and offset, and says by its exit status what it found. A journal of a newer version is
// refused before a byte changes.
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { appendFrame, event, folderPrint, patch, readJournal } from '../lib/journal.mjs';
import { Listener } from '../lib/listener.mjs';
import { HAKIKA, Server } from '../lib/server.mjs';
import { check, equal, matches, proved, random, story, until } from '../lib/story.mjs';

function verify(...args) {
    const run = spawnSync(HAKIKA, ['verify', ...args], { encoding: 'utf8', timeout: 60000 });
    return { status: run.status, text: run.stdout, errors: run.stderr,
             json: args.includes('--json') && run.stdout ? JSON.parse(run.stdout) : undefined };
}

function proofs(answer) {
    return Object.fromEntries(answer.json.proofs.map((proof) => [proof.name, proof]));
}

const phone = (n) => 254711000000 + n;

// Payments that end in every way that a client can bring about.
async function variety(operator, url, count) {
    const ended = { paid: 0, cancelled: 0, wrong_pin: 0, no_money: 0, no_answer: 0 };
    for (let i = 0; i < count; i++) {
        const way = Object.keys(ended)[i % 5];
        const fields = { PhoneNumber: phone(i), Amount: way === 'no_money' ? 150000 : i + 1,
                         AccountReference: `R-${i}`, CallBackURL: url };
        const { CheckoutRequestID: id } = await operator.pushed(fields);
        if (way === 'paid') await operator.approved(id);
        if (way === 'cancelled') await operator.cancel(id);
        if (way === 'wrong_pin') await operator.approve(id, '9999');
        ended[way]++;
    }
    await operator.advance(61000);
    return ended;
}

async function quiet(operator) {
    await until(async () => (await operator.wholeList('/deliveries'))
        .every((delivery) => delivery.state === 'delivered'), 'every callback has arrived');
}

await story('verify proves what a server wrote, beside it and after it', async (scene) => {
    const listener = await Listener.open(scene);
    const server = await Server.open(scene, ['--clock', 'virtual']);
    const { operator } = server;
    const ended = await variety(operator, listener.url, 25);
    await quiet(operator);

    const beside = verify(server.data, '--json');
    equal([beside.status, beside.json.ok], [0, true], 'verify beside the server');
    equal(beside.json.payments.ended, ended, 'payments by outcome');
    equal(beside.json.payments.accepted, 25, 'payments');
    const accounts = await operator.accounts();
    const seeded = 100000000; // a million shillings, in cents
    equal(beside.json.payments.paid_minor, accounts.utility - seeded, 'what was paid');
    const { money } = beside.json;
    equal(money.issued_minor, money.wallets_minor + money.organisations_minor + money.others_minor,
          'money in existence');
    equal(proofs(beside).effects.checked, 25, 'ends that were looked at');
    equal(beside.errors, '', 'words on standard error');
    proved('beside the running server every proof holds, and the figures are the server\'s');

    let working = true;
    const work = (async () => {
        for (let i = 100; working; i++) {
            const { CheckoutRequestID: id } = await operator.pushed(
                { PhoneNumber: phone(i), AccountReference: `L-${i}`, CallBackURL: listener.url });
            await operator.cancel(id);
        }
    })();
    const looks = [];
    for (let i = 0; i < 15; i++) {
        await new Promise((resolve) => setTimeout(resolve, random(10)));
        looks.push(verify(server.data, '--json'));
    }
    working = false;
    await work;
    for (const look of looks) {
        equal([look.status, look.json?.ok], [0, true], `verify under load (${look.errors})`);
    }
    const counts = looks.map((look) => look.json.payments.accepted);
    check(counts.every((n, i) => i === 0 || n >= counts[i - 1]), 'payments became fewer');
    proved(`15 verifications while payments were made saw ${counts[0]} to ${counts.at(-1)} of them`);

    await quiet(operator);
    equal(await server.stop(), 0, 'exit status of the server');
    const before = folderPrint(server.data);
    const after = verify(server.data);
    equal(after.status, 0, `verify after the server (${after.text}${after.errors})`);
    matches(after.text, /Every proof holds\./, 'the summary');
    matches(after.text, /1 snapshots?\b/, 'the snapshot that the server left is compared');
    matches(after.text, /5 wrong_pin/, 'outcomes in the summary');
    equal(verify(join(server.data, 'operator')).status, 0, 'verify of the journal\'s own folder');
    equal(folderPrint(server.data), before, 'the folder');
    proved('after the server its snapshot is compared as well, and nothing in the folder changes');
});

await story('verify names damage and says so by its exit status', async (scene) => {
    const server = await Server.open(scene, ['--clock', 'virtual']);
    await variety(server.operator, 'http://127.0.0.1:9/', 10);
    await server.kill();
    equal(verify(server.data).status, 0, 'exit status after kill -9');
    proved('after kill -9 every proof holds');

    const directory = join(server.data, 'operator');
    const journal = readJournal(directory);
    const { segment, offset, payload } = journal.batches[Math.floor(journal.batches.length / 2)];
    const byte = Buffer.from([payload[payload.length >> 1] ^ 0x10]);
    patch(directory, segment, offset + 160 + (payload.length >> 1), byte);
    const damaged = verify(server.data);
    equal(damaged.status, 1, 'exit status after a flipped bit');
    matches(damaged.text, new RegExp(`journal-0000000${segment}\\.seg at offset ${offset}\\b`),
            'where the damage is');
    matches(damaged.text, /what to do: /, 'advice');
    const json = verify(server.data, '--json');
    equal([json.status, json.json.ok, proofs(json).chain.ok], [1, false, false], 'the same in JSON');
    const refused = await Server.refused(scene, [], { data: server.data });
    matches(refused.errors, new RegExp(`offset ${offset}\\b`), 'what the server says');
    proved(`a flipped bit in segment ${segment} at offset ${offset} is found, also by the server`);

    equal(verify().status, 2, 'exit status without a folder');
    equal(verify('--what').status, 2, 'exit status of an unknown flag');
    equal(verify(scene.path('nothing')).status, 4, 'exit status where nothing is');
    equal(verify('--help').status, 0, 'exit status of --help');
    proved('exit status: 1 a breach, 2 wrong arguments, 4 nothing to read');
});

await story('verify finds a forged end under right checksums', async (scene) => {
    const server = await Server.open(scene, ['--clock', 'virtual']);
    const { CheckoutRequestID: id } = await server.operator.pushed({ PhoneNumber: phone(1) });
    await server.operator.approved(id);
    await server.kill();
    const directory = join(server.data, 'operator');
    const end = Buffer.alloc(21); // payment 1 ends once more: cancelled
    end.writeBigUInt64LE(1n, 0);
    end.writeUInt8(3, 8);
    const position = appendFrame(directory, 71, [event(84, end)]);
    const answer = verify(server.data, '--json');
    equal(answer.status, 1, 'exit status');
    const proof = proofs(answer).payments;
    equal([proof.ok, proof.breaches[0].position], [false, position], 'the proof of payments');
    matches(proof.detail, /stk_ended for payment 1, which had ended before/, 'its words');
    proved(`the second end of payment 1 at position ${position} is found`);
});

await story('a journal of a newer version is refused before a byte changes', async (scene) => {
    const server = await Server.open(scene, ['--clock', 'virtual']);
    await server.operator.pushed({ PhoneNumber: phone(1) });
    await server.kill();
    const directory = join(server.data, 'operator');
    const refusal = async (flags = []) => {
        const before = folderPrint(server.data);
        const end = await Server.refused(scene, flags, { data: server.data });
        equal(end.code, 1, 'exit status');
        equal(folderPrint(server.data), before, 'the folder after the refused start');
        return end.errors;
    };
    const number = Buffer.alloc(8);
    for (const kind of [15, 24, 47, 73, 85]) {
        const position = appendFrame(directory, 99, [event(kind, number)]);
        const errors = await refusal();
        matches(errors, /written by a newer version/, 'what the server says');
        matches(errors, new RegExp(`position ${position}\\b`), 'where');
        const answer = verify(server.data, '--json');
        equal([answer.status, proofs(answer).records.ok], [1, false], 'verify');
        matches(proofs(answer).records.detail, new RegExp(`event kind ${kind} is unknown`), 'words');
        const { last, segment } = readJournal(directory);
        patch(directory, segment, last.offset, Buffer.alloc(8192)); // take it out again
    }
    proved('events of a newer version: the folder is the same byte for byte');

    patch(directory, 1, 8, Buffer.from([2, 0, 0, 0]));
    matches(await refusal(), /format version 2/, 'what the server says');
    equal(verify(server.data).status, 4, 'exit status of verify');
    patch(directory, 1, 8, Buffer.from([1, 0, 0, 0]));
    proved('a newer format version: the same');

    const key = join(server.data, 'secret.key');
    rmSync(key);
    matches(await refusal(), /secret\.key is missing/, 'what the server says');
    proved('without its key file the server does not make a new one for an old book');
});
