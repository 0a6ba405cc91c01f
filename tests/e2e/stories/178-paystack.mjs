// Paystack's side of the network (R5.6): charges with M-Pesa on the same phones and ledger, verify,
// refunds, initialize with its page, webhooks signed and tried again as Paystack does. Asked by the
// npm package @paystack/paystack-sdk, unmodified: it has Paystack's host built in, so https.request
// is turned to our port.
import { createHmac } from 'node:crypto';
import http from 'node:http';
import https from 'node:https';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { Listener } from '../lib/listener.mjs';
import { request } from '../lib/http.mjs';
import { Server } from '../lib/server.mjs';
import { check, equal, matches, proved, story, until } from '../lib/story.mjs';

const folder = fileURLToPath(new URL('../clients/paystack/', import.meta.url));
const Paystack = createRequire(folder)('@paystack/paystack-sdk');

const KEY = 'sk_test_story';
const SHOP = 174379;
const PHONE = '254711000001';
const PIN = '1234';

function turnTo(base) {
    const there = new URL(base);
    https.request = (url, options, answered) => {
        equal(String(url), 'https://api.paystack.co', 'the host that the library asks');
        return http.request({ ...options, host: there.hostname, port: there.port }, answered);
    };
}

const signed = (one, key = KEY, text = one.text) =>
    one.headers['x-paystack-signature'] === createHmac('sha512', key).update(text).digest('hex');

async function open(scene, key = KEY) {
    const server = await Server.open(scene, ['--clock', 'virtual']);
    const hooks = await Listener.open(scene);
    const { operator } = server;
    const made = await operator.sim('PUT', `/organisations/${SHOP}/paystack`,
                                    { secret_key: key, webhook_url: hooks.url });
    equal(made.status, 200, `the business is opened: ${made.text}`);
    equal(made.json.paystack, { live: key.startsWith('sk_live_'), webhook_url: hooks.url },
          'it shows where it is told');
    turnTo(server.base);
    return { server, operator, hooks, paystack: new Paystack(key) };
}

// Asked again while a slow machine is busy: then nothing was accepted.
const charge = (paystack, reference, amount = 15000, phone = `+${PHONE}`) => until(async () => {
    const said = await paystack.charge.create({ email: 'wanjiru@example.com', amount, reference,
                                                mobile_money: { phone, provider: 'mpesa' } });
    return !/cannot keep up/.test(said.message) && said;
}, 'nobody is busy any more');

async function prompt(operator, phone = PHONE) {
    const open = await until(async () => {
        const prompts = await operator.prompts(phone);
        return prompts.length > 0 && prompts;
    }, 'the phone is asked');
    equal(open.length, 1, 'prompts on the phone');
    return open[0];
}

async function answer(operator, verb, body) {
    const id = (await prompt(operator)).checkout_request_id;
    const answered = await operator.sim('POST', `/prompts/${id}/${verb}?wait=10`, body);
    check(answered.status === 200 || answered.status === 202, `${verb}: ${answered.text}`);
}

const verify = (paystack, reference) => paystack.transaction.verify({ reference });

// What a refusal says: the library adds an undefined `data`.
async function refused(asked, message, what) {
    const said = await asked;
    equal([said.status, said.message, said.data], [false, message, undefined], what);
}

const ends = (paystack, reference, status) => until(async () => {
    const said = await verify(paystack, reference);
    return said.data.status === status && said.data;
}, `${reference} becomes ${status}`);

await story('a charge is paid on the phone, and Paystack says so', async (scene) => {
    const { operator, hooks, paystack } = await open(scene);
    const before = await operator.utility(SHOP);
    const charged = await charge(paystack, 'order-1');
    equal(charged, { status: true, message: 'Charge attempted',
                     data: { reference: 'order-1', status: 'pay_offline',
                             display_text: 'Please complete authorization process on your mobile phone' } },
          'what a charge answers');
    equal((await paystack.charge.check({ reference: 'order-1' })).data.status, 'pending', 'it waits');
    await answer(operator, 'approve', { pin: PIN });
    const paid = await ends(paystack, 'order-1', 'success');
    equal([paid.amount, paid.currency, paid.channel, paid.gateway_response],
          [15000, 'KES', 'mobile_money', 'Approved'], 'what verify says');
    check(paid.id > 2 ** 31, 'its id is above 2^31');
    equal(await operator.utility(SHOP), before + 15000, 'the money is the shop\'s, on the ledger');
    proved('the money moved, on the same phone and the same ledger');

    const told = await hooks.find(() => true, 'the webhook');
    equal([told.json.event, told.json.data.reference, told.json.data.amount, told.json.data.status],
          ['charge.success', 'order-1', 15000, 'success'], 'what the webhook says');
    check(signed(told), 'it is signed with HMAC-SHA512 over its bytes');
    check(signed(told, KEY, JSON.stringify(told.json)), 'and over what JavaScript makes of it');
    check(!signed(told, 'sk_test_other'), 'with no other key');
    equal(told.json.data.receipt_number, paid.receipt_number, 'it has the receipt');
    proved('the webhook is signed as Paystack\'s libraries check it');
});

await story('what is refused, and what fails', async (scene) => {
    const { operator, hooks, paystack } = await open(scene);
    await refused(verify(new Paystack('sk_test_wrong'), 'x'), 'Invalid key', 'an unknown key');
    await refused(verify(paystack, 'nothing'), 'Transaction reference not found.',
                  'an unknown reference');
    await refused(charge(paystack, 'bad', 0), 'Invalid Amount Sent', 'no amount');
    await refused(charge(paystack, 'bad', 100, '12'), 'Invalid phone number', 'no phone');
    await charge(paystack, 'order-1');
    await refused(charge(paystack, 'order-1'), 'Duplicate Transaction Reference',
                  'a reference again');
    await refused(paystack.charge.submitOtp({ otp: '1', reference: 'order-1' }),
                  'Charge is not waiting for anything but the phone', 'M-Pesa asks on the phone');
    await answer(operator, 'cancel', {});
    await ends(paystack, 'order-1', 'failed');
    await charge(paystack, 'order-2');
    await prompt(operator);
    await operator.advance(61000);
    await ends(paystack, 'order-2', 'failed');
    equal((await paystack.charge.check({ reference: 'order-2' })).data.status, 'timeout', 'no answer');
    await charge(paystack, 'order-3', 20000000000);
    await ends(paystack, 'order-3', 'failed');
    await charge(paystack, 'order-4');
    await answer(operator, 'approve', { pin: PIN });
    await hooks.find(() => true, 'a webhook');
    equal(hooks.received.map((one) => one.json.data.reference), ['order-4'],
          'only the success is told');
    proved('failed charges send no event: they are found by asking');
});

await story('a refund gives it back, once', async (scene) => {
    const { operator, hooks, paystack } = await open(scene);
    await charge(paystack, 'order-1');
    await refused(paystack.refund.create({ transaction: 'order-1' }),
                  'Transaction has not been paid', 'nothing is refunded before it is paid');
    await answer(operator, 'approve', { pin: PIN });
    await ends(paystack, 'order-1', 'success');
    const before = await operator.utility(SHOP);
    const asked = await paystack.refund.create({ transaction: 'order-1', amount: 15000 });
    equal([asked.status, asked.data.status, asked.data.transaction.reference],
          [true, 'pending', 'order-1'], 'what a refund answers');
    const told = await hooks.find((one) => one.json.event === 'refund.processed', 'its webhook');
    check(signed(told), 'it is signed');
    equal([told.json.data.transaction_reference, told.json.data.amount], ['order-1', 15000],
          'what it says');
    await ends(paystack, 'order-1', 'reversed');
    equal(await operator.utility(SHOP), before - 15000, 'the money went back');
    equal((await paystack.refund.fetch({ id: String(asked.data.id) })).data.status, 'processed',
          'it can be asked about');
    await refused(paystack.refund.create({ transaction: 'order-1' }),
                  'Transaction has been fully reversed', 'a second refund');
    proved('a transaction is refunded once');
});

await story('an initialized transaction is paid on its page', async (scene) => {
    const { server, operator, paystack } = await open(scene);
    const begun = await paystack.transaction.initialize({ email: 'juma@example.com', amount: '25000' });
    equal([begun.status, begun.message], [true, 'Authorization URL created'], 'what it answers');
    equal((await verify(paystack, begun.data.reference)).data.status, 'abandoned', 'nobody paid yet');
    const page = new URL(begun.data.authorization_url);
    equal(page.origin, server.base, 'the page is next door');
    const shown = await request(server.base, 'GET', page.pathname);
    matches(shown.text, /<form method="post">/, 'the page asks for a phone');
    const sent = await request(server.base, 'POST', page.pathname, {
        body: `phone=%2B${PHONE}`, headers: { 'Content-Type': 'application/x-www-form-urlencoded' } });
    matches(sent.text, /PIN/, 'the phone is asked');
    await answer(operator, 'approve', { pin: PIN });
    equal((await ends(paystack, begun.data.reference, 'success')).amount, 25000, 'it is paid');
    const left = await paystack.transaction.initialize({ email: 'juma@example.com', amount: 100 });
    await operator.advance(25 * 3600 * 1000);
    equal((await verify(paystack, left.data.reference)).data.status, 'abandoned', 'it stays that');
    proved('initialize, page, phone, money');
});

// Book times of the attempts at a webhook, in seconds from the first.
async function attempts(operator) {
    const list = (await operator.simOk('GET', '/deliveries')).data;
    equal(list.length, 1, 'deliveries');
    const item = await operator.simOk('GET', `/deliveries/${list[0].id}`);
    const times = item.attempts.map((one) => Date.parse(one.at) / 1000);
    return times.map((at) => Math.round(at - times[0]));
}

for (const [key, wanted] of [
    ['sk_test_story', Array.from({ length: 11 }, (_, i) => i * 3600)],
    ['sk_live_story', [0, 180, 360, 540, ...Array.from({ length: 72 }, (_, i) => 540 + (i + 1) * 3600)]],
]) {
    await story(`webhooks are tried again as Paystack does with ${key}`, async (scene) => {
        const { operator, hooks, paystack } = await open(scene, key);
        hooks.behave = () => ({ status: 201 }); // any answer but 200 is a failure
        await charge(paystack, 'order-1');
        await answer(operator, 'approve', { pin: PIN });
        await hooks.find(() => true, 'the first attempt');
        await operator.untilIdle();
        equal(await attempts(operator), wanted, 'when it was tried');
        check(hooks.received.every((one) => signed(one, key)), 'each is signed');
        proved(`${wanted.length} attempts, at Paystack's times; 201 is no receipt`);
    });
}
