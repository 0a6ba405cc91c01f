// Records a golden journal from the real program: node tests/golden/record-server.mjs OUT, with
// HAKIKA naming the program. See README.md beside this file.
import { copyFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Listener } from '../e2e/lib/listener.mjs';
import { Server } from '../e2e/lib/server.mjs';
import { equal, story } from '../e2e/lib/story.mjs';

const out = process.argv[2];
const PAYBILL = 600100;
const phone = (n) => 254722000100 + n;

// What the server says about itself, to be compared when a later program is started on it.
async function expected(operator) {
    const transactions = (await operator.transactions()).map((t) => ({
        id: t.id, status: t.status, result_code: t.result_code ?? null, receipt: t.receipt ?? null,
        amount: t.amount }));
    const balances = {};
    for (let n = 0; n < 6; n++) balances[phone(n)] = await operator.balance(phone(n));
    return { transactions, balances, utility: await operator.utility(PAYBILL),
             deliveries: (await operator.wholeList('/deliveries'))
                 .map((d) => ({ id: d.id, state: d.state, attempts: d.attempts.length })) };
}

await story('a golden journal from the real program', async (scene) => {
    const listener = await Listener.open(scene);
    const server = await Server.open(scene, ['--clock', 'virtual']);
    const { operator } = server;
    const push = (n, amount, reference) => operator.pushed({
        BusinessShortCode: PAYBILL, PhoneNumber: phone(n), Amount: amount,
        AccountReference: reference, TransactionDesc: 'Chai na mandazi', CallBackURL: listener.url });
    for (let n = 0; n < 6; n++) await operator.openSubscriber(phone(n), 500000, '4321');
    for (let round = 0; round < 8; round++) {
        for (let n = 0; n < 6; n++) {
            const { CheckoutRequestID: id } = await push(n, 10 * round + n + 1, `R${round}-${n}`);
            if ((round + n) % 4 === 0) await operator.cancel(id);
            else if ((round + n) % 4 === 1) await operator.approve(id, '0000');
            else if ((round + n) % 4 === 2) await operator.approved(id, '4321');
            if ((round + n) % 8 === 5) {
                await operator.simOk('PATCH', `/subscribers/${phone(n)}`, { pin: '4321' });
            }
        }
        await operator.advance(75000);
    }
    await operator.simOk('POST', `/organisations/${PAYBILL}/fund`, { account: 'working', amount: 5500 });
    await listener.down();
    for (let n = 0; n < 6; n++) {
        await operator.approved((await push(n, 7, `down-${n}`)).CheckoutRequestID, '4321');
    }
    await operator.untilIdle(2 * 24 * 3600 * 1000); // the whole schedule: dead letters
    await listener.up();
    const dead = (await operator.wholeList('/deliveries')).filter((d) => d.state === 'dead');
    equal(dead.length, 6, 'dead letters');
    await operator.simOk('POST', `/deliveries/${dead[0].id}/replay`, {}, 202);
    await operator.untilIdle(3600 * 1000);
    await operator.authorize(); // the token's hour is over
    await push(0, 99, 'open at the end');
    const told = await expected(operator);
    equal(await server.stop(), 0, 'exit status');
    mkdirSync(out, { recursive: true });
    const journal = join(server.data, 'operator');
    for (const name of readdirSync(journal).filter((n) => n !== 'lock')) {
        copyFileSync(join(journal, name), join(out, name));
    }
    copyFileSync(join(server.data, 'secret.key'), join(out, 'secret.key'));
    writeFileSync(join(out, 'expected.json'), `${JSON.stringify(told, null, 1)}\n`);
});
