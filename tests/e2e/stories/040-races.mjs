// Many at the same moment: identical pushes, spenders of one wallet, answers to one prompt. The
// server is stopped while the requests are sent, so that it finds all of them at once.
import { Listener } from '../lib/listener.mjs';
import { Server } from '../lib/server.mjs';
import { check, equal, matches, proved, random, story, until } from '../lib/story.mjs';

const SHILLING = 100;
const ASHA = 254722000000;

function count(answers, key) {
    const counts = {};
    for (const answer of answers) counts[key(answer)] = (counts[key(answer)] ?? 0) + 1;
    return counts;
}

const many = (number, make) => Array.from({ length: number }, (_, i) => make(i));

await story('100 identical pushes in flight on 100 connections', async (scene) => {
    const server = await Server.open(scene);
    const { operator } = server;
    await operator.authorize();
    for (let round = 0; round < 5; round++) {
        // Neither the phone nor the short code has been seen before.
        const fields = { PhoneNumber: ASHA + round, BusinessShortCode: 600200 + round, Amount: 7 };
        const answers = await server.allAtOnce(100, () => Promise.all(
            many(100, () => operator.push(fields))));
        equal(count(answers, (a) => `${a.status} ${a.json.errorCode ?? a.json.ResponseCode}`),
              { '200 0': 1, '409 409.001.01': 99 }, `answers of round ${round}`);
        const winner = answers.find((answer) => answer.status === 200).json.CheckoutRequestID;
        equal((await operator.approved(winner)).status, 'SUCCESS', 'the one payment');
        equal(await operator.balance(ASHA + round), (100000 - 7) * SHILLING, 'the wallet');
        equal(await operator.utility(600200 + round), (1000000 + 7) * SHILLING, 'the merchant');
    }
    equal((await operator.transactions()).length, 5, 'transactions');
    proved('5 times: one 200 and 99 times 409, one payment, paid once');
});

await story('100 pushes with different references for one phone', async (scene) => {
    const server = await Server.open(scene);
    const { operator } = server;
    await operator.authorize();
    const answers = await server.allAtOnce(100, () => Promise.all(
        many(100, (i) => operator.push({ PhoneNumber: ASHA, AccountReference: `ORDER-${i}` }))));
    equal(count(answers, (a) => `${a.status} ${(a.json.errorMessage ?? '').slice(0, 14)}`),
          { '200 ': 1, '500 Unable to lock': 99 }, 'answers');
    equal((await operator.prompts(ASHA)).length, 1, 'prompts');
    proved('one prompt; 99 times "Unable to lock subscriber"');
});

// One client of 64: pushes and approves until the wallet has nothing left for it.
async function spend(operator, client, listener, amount, over) {
    let paid = 0;
    for (let n = 0; !over.done; n++) {
        const push = await operator.push({ PhoneNumber: ASHA, Amount: amount,
            BusinessShortCode: client % 2 ? 174379 : 600000, CallBackURL: listener.url,
            AccountReference: `C${client}-${n}` });
        if (push.status !== 200) {
            matches(push.json.errorMessage, /^Unable to lock subscriber/, 'a push that has to wait');
            continue;
        }
        const approval = await operator.approve(push.json.CheckoutRequestID);
        // In dev, a payment without money has failed before its PIN.
        if (approval.status !== 200) equal(approval.json.code, 'payment_ended', 'a late approval');
        const end = await operator.transaction(push.json.CheckoutRequestID);
        if (end.status === 'SUCCESS') paid += amount * SHILLING;
        else equal(end.result_code, '1', 'why a payment failed');
        over.done ||= end.status !== 'SUCCESS';
    }
    return paid;
}

for (const profile of ['dev', 'sandbox']) {
    await story(`64 clients spend one wallet, profile ${profile}`, async (scene) => {
        const server = await Server.open(scene, ['--profile', profile]);
        const listener = await Listener.open(scene);
        const { operator } = server;
        const funds = 1003 * SHILLING;
        await operator.openSubscriber(ASHA, funds);
        await operator.authorize();
        const before = await operator.utility(174379) + await operator.utility(600000);
        const over = { done: false };
        let least = Infinity;
        const watcher = (async () => {
            while (!over.done) least = Math.min(least, await operator.balance(ASHA));
        })();
        const paid = await Promise.all(many(64, (client) => spend(operator, client, listener,
                                                                  11 + client % 3, over)));
        await watcher;
        const spent = paid.reduce((sum, one) => sum + one, 0);
        const left = await operator.balance(ASHA);
        least = Math.min(least, left);
        check(least >= 0, `the wallet was at ${least}`);
        equal(left, funds - spent, 'what is left: what there was less what was paid');
        const after = await operator.utility(174379) + await operator.utility(600000);
        equal(after - before, spent, 'what the two merchants got');
        const transactions = await operator.transactions();
        const succeeded = transactions.filter((t) => t.status === 'SUCCESS');
        equal(succeeded.reduce((sum, t) => sum + t.amount, 0), spent, 'the sum of all that succeeded');
        equal(new Set(succeeded.map((t) => t.receipt)).size, succeeded.length, 'different receipts');
        const told = () => new Set(listener.received.filter((c) =>
            c.json.Body.stkCallback.ResultCode === 0)
            .map((c) => c.json.Body.stkCallback.CheckoutRequestID)).size;
        await until(() => told() === succeeded.length, 'every paid payment is called back');
        check(left < 11 * SHILLING + 200, `${left} left: the clients stopped too early`);
        proved(`${succeeded.length} paid of ${transactions.length}, ${spent / SHILLING} of ` +
               `${funds / SHILLING} spent, ${left / SHILLING} left, never below zero, sums exact`);
    });
}

await story('64 at once take money out of one wallet', async (scene) => {
    const server = await Server.open(scene);
    const { operator } = server;
    await operator.openSubscriber(ASHA, 1000 * SHILLING);
    for (let round = 0, balance = 1000 * SHILLING; round < 4; round++) {
        const amounts = many(64, () => (1 + random(40)) * SHILLING);
        const answers = await server.allAtOnce(64, () => Promise.all(amounts.map((amount) =>
            operator.sim('PATCH', `/subscribers/${ASHA}`, { adjust_balance: -amount }))));
        answers.forEach((answer, i) => {
            if (answer.status === 200) balance -= amounts[i];
            else equal([answer.status, answer.json.code], [409, 'not_enough_money'], 'a refusal');
        });
        check(balance >= 0, `more was taken than there was: ${balance}`);
        equal(await operator.balance(ASHA), balance, 'what is left');
        for (const answer of answers.filter((a) => a.status === 200)) {
            check(answer.json.balance >= balance, 'an answer shows less than what is left');
        }
    }
    proved('those that fit are taken, the others refused: never below zero, the sum exact');
});

await story('a hot merchant: 200 phones pay one till at once', async (scene) => {
    const server = await Server.open(scene);
    const { operator } = server;
    await operator.authorize();
    const pushes = await server.allAtOnce(200, () => Promise.all(many(200, (i) => operator.push({
        PhoneNumber: ASHA + i, PartyB: 5551234, TransactionType: 'CustomerBuyGoodsOnline',
        Amount: 1 + i }))));
    equal(count(pushes, (a) => a.status), { 200: 200 }, 'the pushes');
    const ends = await server.allAtOnce(200, () => Promise.all(pushes.map((push) =>
        operator.approve(push.json.CheckoutRequestID))));
    equal(count(ends, (a) => a.json.status), { SUCCESS: 200 }, 'the payments');
    equal(await operator.utility(5551234), (1000000 + 200 * 201 / 2) * SHILLING, 'what the till has');
    equal(new Set(ends.map((end) => end.json.receipt)).size, 200, 'different receipts');
    proved('200 payments with 200 receipts, the sum exact');
});

await story('one prompt, many answers', async (scene) => {
    const server = await Server.open(scene);
    const { operator } = server;
    await operator.authorize();
    const ended = (answer, what) =>
        equal([answer.status, answer.json.code], [409, 'payment_ended'], what);

    let { CheckoutRequestID: id } = await operator.pushed({ PhoneNumber: ASHA });
    equal((await operator.approved(id)).status, 'SUCCESS', 'the payment');
    const facts = async () => {
        const { timeline, ...rest } = await operator.transaction(id);
        return { ...rest, steps: timeline.filter((step) => !step.event.startsWith('callback')) };
    };
    const paid = await facts();
    ended(await operator.approve(id), 'a second approval');
    ended(await operator.approve(id, '9999'), 'a second approval with a wrong PIN');
    ended(await operator.cancel(id), 'a cancel after the approval');
    equal(await facts(), paid, 'the transaction after all that');
    equal((await operator.subscriber(ASHA)).pin_attempts_left, 3, 'PIN attempts left');
    proved('a second approval, and a cancel after the end, are 409 and change nothing');

    for (let round = 0; round < 10; round++) {
        const balance = await operator.balance(ASHA);
        ({ CheckoutRequestID: id } = await operator.pushed({ PhoneNumber: ASHA, Amount: 20 + round }));
        const answers = await server.allAtOnce(64, () => Promise.all(many(64, (i) =>
            (i + round) % 2 ? operator.approve(id) : operator.cancel(id))));
        equal(count(answers, (a) => a.status), { 200: 1, 409: 63 }, 'the answers');
        const end = answers.find((answer) => answer.status === 200).json;
        const got = await operator.transaction(id);
        equal([got.status, got.receipt], [end.status, end.receipt], 'the end, told and looked up');
        equal(balance - await operator.balance(ASHA),
              end.status === 'SUCCESS' ? (20 + round) * SHILLING : 0, 'what the wallet paid');
    }
    proved('10 times: of 32 approvals and 32 cancels at once one counts, 63 are 409');
});

await story('an approval while the payment is still PENDING', async (scene) => {
    const server = await Server.open(scene);
    const { operator } = server;
    await operator.authorize();
    let parked = 0;
    for (let round = 0; round < 20; round++) {
        const right = round % 2 === 0;
        const number = (await operator.metrics()).hakika_payments_accepted_total + 1;
        // Push and answer wait side by side; the payment's own id is not known before its answer,
        // but it will be the next number.
        const [push, answer] = await server.allAtOnce(2, () => {
            const push = operator.push({ PhoneNumber: ASHA + round, Amount: 5 });
            return Promise.all([push, operator.sent().then(() =>
                operator.approve(`txn_${number}`, right ? '1234' : '9999'))]);
        });
        equal(push.status, 200, 'the push');
        const id = push.json.CheckoutRequestID;
        if (answer.status === 404) { // the answer was read first: there was no payment yet
            await operator.cancel(id);
            continue;
        }
        equal(answer.status, 200, 'the approval');
        equal(answer.json.status, right ? 'SUCCESS' : 'FAILED', 'the payment');
        const steps = answer.json.timeline.map((step) => step.event);
        if (steps.includes('answered')) {
            const at = Object.fromEntries(answer.json.timeline.map((s) => [s.event, s.position]));
            const order = [at.accepted, at.answered, at.prompted, at.ended]
                .map((position) => Number(position.split(':')[1]));
            equal(order, [...order].sort((a, b) => a - b), 'accepted, answered, prompted, ended');
            parked++;
        }
        equal((await operator.approve(id)).json.code, 'payment_ended', 'another approval');
    }
    check(parked > 0, 'no approval came while its payment was PENDING');
    proved(`${parked} of 20 came while PENDING and took effect when the prompt opened`);
});
