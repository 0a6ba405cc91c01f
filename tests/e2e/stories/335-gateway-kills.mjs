// kill -9 after each sync of the gateway's journal in each of its stories, then a restart and the
// story to its end. What the application does is what an application should do: the same request
// with the same idempotency key until it is answered.
import { both, PHONE } from '../lib/gateway.mjs';
import { check, equal, proved, seed, story, within } from '../lib/story.mjs';

const { SHIM } = process.env;
const EACH = Number(process.env.EACH ?? 3);
const AMOUNT = 15000;
const DAY_MS = 86400_000;
const approve = { act: 'approve', delay_ms: 2000 };
const rule = (then, api = 'stk_push', more = {}) => ({ name: api, match: { api, ...more }, then });

// Each ends in one of `ends`, whenever the process died. What was marked as leaving, and of which
// nobody knows whether it left, stays unconfirmed for a person (nothing is sent twice to find out).
const STORIES = [
    { name: 'paid', rules: [rule({ prompt: approve })], ends: ['succeeded'] },
    { name: 'callback lost', rules: [rule({ prompt: approve, callback: { never: true } })], ends: ['succeeded'] },
    { name: 'callback three times', rules: [rule({ prompt: approve, callback: { times: 3, spacing_ms: 500 } })],
      ends: ['succeeded'] },
    { name: 'callback after the query', rules: [rule({ prompt: approve, callback: { delay_ms: 300_000 } })],
      ends: ['succeeded'] },
    { name: 'callback before the answer', rules: [rule({ prompt: { act: 'approve' },
                                                        callback: { before_answer: true } })],
      ends: ['succeeded'] },
    { name: 'nobody answers', rules: [rule({ prompt: { act: 'ignore' } })], ends: ['expired'] },
    { name: 'cancelled', rules: [rule({ prompt: { act: 'cancel', delay_ms: 1000 } })], ends: ['cancelled'] },
    { name: 'answer lost', rules: [rule({ answer: { connection: 'reset' }, prompt: approve })],
      ends: ['succeeded'] },
    { name: 'answer and callback lost', rules: [rule({ answer: { connection: 'half_body' }, prompt: approve,
                                                      callback: { never: true } })], ends: ['unconfirmed'] },
    { name: 'busy at first', rules: [rule({ answer: { error: '500.003.02' } }, 'stk_push', { nth: 1 }),
                                     rule({ prompt: approve })], ends: ['succeeded'] },
    { name: 'wrong amount', rules: [rule({ prompt: approve, callback: { amount: 99900 } })], ends: ['mismatched'] },
    { name: 'payout', rules: [rule({ prompt: approve })], ends: ['succeeded'],
      then: { path: '/v1/payouts', body: () => ({ amount: 5000, phone: String(PHONE), reference: 'WAGE' }) } },
    { name: 'payout, its result lost', ends: ['succeeded'],
      rules: [rule({ prompt: approve }), rule({ callback: { never: true } }, 'b2c')],
      then: { path: '/v1/payouts', body: () => ({ amount: 5000, phone: String(PHONE), reference: 'WAGE' }) } },
    { name: 'refund', rules: [rule({ prompt: approve })], ends: ['succeeded'],
      then: { path: '/v1/refunds', body: (payment) => ({ payment }) } },
    { name: 'paybill', tell: byPaybill, judge: judgePaybill, least: 5 },
    { name: 'paystack', rules: [rule({ prompt: approve }, 'paystack_charge')], tell: byPaystack, judge: judgePaystack },
    { name: 'paystack, its webhook lost', tell: byPaystack, judge: judgePaystack,
      rules: [rule({ prompt: approve, callback: { never: true } }, 'paystack_charge')] },
];
const DONE = ['succeeded', 'failed', 'expired', 'cancelled', 'mismatched', 'reversed'];

// Moves the clock on until the thing at `path` has ended, or three days have brought no end.
async function settled({ gateway, operator }, path) {
    const steps = [...Array(24).fill(5000), ...Array(12).fill(60_000), ...Array(10).fill(3600_000),
                   DAY_MS / 2, DAY_MS / 2, DAY_MS];
    for (const ms of steps) {
        const one = await gateway.ok('GET', path);
        if (DONE.includes(one.status)) return one;
        await operator.advance(ms);
    }
    return gateway.ok('GET', path);
}

async function asked({ gateway }, path, body, key) {
    const answer = await gateway.call('POST', path, body, { 'Idempotency-Key': key });
    equal(answer.status, 201, `POST ${path}: ${answer.text.slice(0, 200)}`);
    return answer.json.id;
}

// The story from its beginning; told again after a restart it goes on where it was.
async function tell(server, told) {
    await server.operator.simOk('PUT', '/rules', { rules: told.rules });
    const order = { amount: AMOUNT, currency: 'KES', phone: String(PHONE), order_id: 'ORDER-1' };
    const id = await asked(server, '/v1/payments', order, 'key-1');
    const payment = await settled(server, `/v1/payments/${id}`);
    let other = null;
    if (told.then && ['succeeded', 'reversed'].includes(payment.status)) {
        const { path, body } = told.then;
        other = await settled(server, `${path}/${await asked(server, path, body(id), 'key-2')}`);
    }
    await server.operator.advance(400_000); // what is late comes now
    return { payment: await server.gateway.payment(id), other };
}

// ---- money that a customer pays by paybill (C2B): told, assigned by a person, and no push after it ----

const SECONDS = 2000;
async function becomes({ operator }, ask, what) {
    for (let i = 0; i < 40; i++) {
        const answer = await ask();
        if (answer) return answer;
        await operator.advance(SECONDS);
    }
    throw new Error(`in vain: ${what}`);
}

async function byPaybill(server) {
    const { gateway, operator } = server;
    const c2b = async () => (await gateway.ok('GET', '/v1/providers')).data[0].c2b.status;
    if (!['asked', 'registered'].includes(await c2b())) {
        await gateway.ok('POST', '/v1/providers/prov_1/c2b', {}, 202);
    }
    await becomes(server, async () => await c2b() === 'registered', 'the URLs are registered');
    if (await operator.utility() === server.utility) {
        await operator.authorize(); // each story has a book of its own
        const headers = await operator.bearer();
        const body = { ShortCode: 174379, CommandID: 'CustomerPayBillOnline', Amount: AMOUNT / 100,
                       Msisdn: PHONE, BillRefNumber: 'TYPO' };
        const paid = await operator.call('POST', '/mpesa/c2b/v2/simulate', { headers, body });
        equal(paid.status, 200, `a simulated payment: ${paid.text}`);
    }
    const receipts = async () => (await gateway.ok('GET', '/v1/receipts')).data;
    const [receipt] = await becomes(server, async () => {
        const list = await receipts();
        return list.length > 0 && list;
    }, 'its confirmation');
    await gateway.ok('POST', `/v1/receipts/${receipt.id}/assign`, { order_id: 'ORDER-1' });
    const push = await gateway.pay({ order_id: 'ORDER-1', amount: AMOUNT });
    equal([push.status, push.json.code, push.json.receipt], [409, 'order_already_paid', receipt.id], 'no push');
    await operator.advance(400_000);
    return { receipts: await receipts() };
}

async function judgePaybill({ gateway, operator, utility }, told, { receipts }) {
    equal(receipts.map((one) => [one.status, one.amount, one.order_id]), [['assigned', AMOUNT, 'ORDER-1']], 'one credit');
    equal((await gateway.events()).map((event) => event.type), ['receipt.created', 'receipt.assigned'], 'told once');
    equal([await gateway.balance('wallet'), await gateway.balance('suspense')], [AMOUNT, 0], 'the books');
    equal(await gateway.balance('clearing_174379'), await operator.utility() - utility, 'clearing');
    equal((await operator.transactions()).length, 0, 'nobody was asked');
}

// ---- a charge at Paystack ----

const SECRET = 'sk_test_0123456789abcdef';
async function byPaystack(server, told) {
    const { gateway, operator } = server;
    const account = async () => (await gateway.ok('GET', '/v1/providers')).data.find((one) => one.kind === 'paystack');
    const { webhook_url } = await account() ??
        await gateway.ok('POST', '/v1/providers', { kind: 'paystack', secret_key: SECRET }, 201);
    await operator.simOk('PUT', '/organisations/174379/paystack', { secret_key: SECRET, webhook_url });
    await operator.simOk('PUT', '/rules', { rules: told.rules });
    const order = { method: 'paystack', email: 'wanjiru@example.com', amount: AMOUNT, currency: 'KES',
                    phone: String(PHONE), order_id: 'ORDER-1' };
    const id = await asked(server, '/v1/payments', order, 'key-1');
    await settled(server, `/v1/payments/${id}`);
    await operator.advance(400_000);
    return { payment: await gateway.payment(id) };
}

// A charge that may not have left is verified by the reference: nothing is left to a person.
async function judgePaystack({ gateway, operator, balance, utility }, told, { payment }) {
    const came = await operator.utility() - utility;
    check(['succeeded', 'failed', 'expired', 'unconfirmed'].includes(payment.status), payment.status);
    equal(came, payment.status === 'succeeded' ? AMOUNT : 0, `what came, of a payment that is ${payment.status}`);
    equal(balance - await operator.balance(), came, 'paid once at most');
    const successes = (await gateway.types(payment.id)).filter((type) => type === 'payment.succeeded').length;
    equal(successes, payment.status === 'succeeded' ? 1 : 0, 'told once, if it succeeded');
    equal([await gateway.balance('wallet'), await gateway.balance('clearing_paystack')], [came, came], 'the books');
}

// Once with a kill after the n-th sync. False: it did not come to so many.
async function killedAfter(server, told, n) {
    server.data = server.scene.path(`data-${told.name.replace(/\W+/g, '-')}-${n}`);
    server.environment = { LD_PRELOAD: SHIM, FAULT_CALL: 'sync', FAULT_MODE: 'kill', FAULT_N: String(n),
                           FAULT_FOLDER: `${server.data}/merchant` };
    let ended;
    let killed = false;
    for (;;) {
        try {
            if (!ended) {
                await server.start();
                ended = await (told.tell ?? tell)(server, told);
            }
            break;
        } catch (error) {
            if (killed) throw error;
            const end = await within(server.ended, `the end of a server that does not answer (${error.stack})`, 5);
            if (end.signal !== 'SIGKILL') throw error;
            killed = true;
            server.environment = {};
        }
    }
    await (told.judge ?? judge)(server, told, ended);
    await server.kill();
    return killed;
}

async function judge({ gateway, operator, balance, utility }, told, { payment, other }) {
    const pushes = await operator.transactions();
    const paid = pushes.filter((one) => one.receipt).length;
    check(pushes.length <= 1, `${pushes.length} pushes`);
    const nobodyKnows = payment.status === 'unconfirmed' && pushes.length === 0;
    check(told.ends.includes(payment.status) || nobodyKnows || payment.status === 'reversed',
          `it ended ${payment.status} (${payment.reason}), with ${pushes.length} pushes`);
    if (payment.status === 'succeeded') equal(paid, 1, 'what succeeded was paid');
    if (['expired', 'cancelled', 'failed'].includes(payment.status)) equal(paid, 0, 'what failed was not');

    const credited = ['succeeded', 'reversed'].includes(payment.status);
    const successes = (await gateway.types(payment.id)).filter((type) => type === 'payment.succeeded').length;
    equal(successes, credited ? 1 : 0, 'told once, if it succeeded');
    // A payout has an id that the operator recognises: it is sent again. A reversal has none.
    const ends = other?.object === 'payout' ? ['succeeded'] : ['succeeded', 'unconfirmed'];
    if (other) check(ends.includes(other.status), JSON.stringify(other));
    const came = await operator.balance() - balance + paid * AMOUNT;
    if (other?.status === 'unconfirmed') equal([other.reason, other.attention], ['answer_lost', true], 'for a person');
    else equal(came, other?.amount ?? 0, 'what the person got back');
    check(came === 0 || came === other?.amount, `the person has ${came} more`);
    const out = other?.status === 'succeeded' ? other.amount : 0; // what is unconfirmed is held
    equal(await gateway.balance('wallet'), (credited ? AMOUNT : 0) - out, 'the wallet');
    if (credited && other?.status !== 'unconfirmed') {
        equal(await gateway.balance('clearing_174379'), (await operator.utility()) - utility, 'clearing');
    }
}

await story('kill -9 after every sync of the gateway\'s journal', async (scene) => {
    check(SHIM, 'SHIM must name the library that kills');
    const server = await both(scene, ['--view', 'off']);
    server.balance = await server.operator.balance();
    server.utility = await server.operator.utility();
    await server.kill();
    let kills = 0;
    for (const told of STORIES.filter((one) => !process.env.STORY || one.name === process.env.STORY)) {
        let n = EACH === 1 ? 1 : 1 + (seed + STORIES.indexOf(told)) % EACH;
        while (await killedAfter(server, told, n)) {
            kills++;
            n += EACH;
        }
        check(n > (told.least ?? 10), `${told.name}: there were only ${n} syncs`);
    }
    proved(`stories of payments, payouts, refunds, paybill and Paystack, killed at ${kills} places: no payment lost, doubled or told twice`);
});
