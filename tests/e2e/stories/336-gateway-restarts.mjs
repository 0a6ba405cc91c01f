// The process that holds both books is killed a hundred times: while requests are under way, while
// pushes leave and while callbacks come. The application repeats what was not answered, with the
// same key. In the end each payment has its callback, and the money is there once.
import { both, PHONE } from '../lib/gateway.mjs';
import { metricsOf } from '../lib/operator.mjs';
import { check, equal, proved, random, story, until } from '../lib/story.mjs';

const RESTARTS = Number(process.env.RESTARTS ?? 100);
const EACH_TIME = 4;
const AMOUNT = 15000;

await story('a hundred restarts under load', async (scene) => {
    const server = await both(scene, ['--view', 'off']);
    const utility = await server.operator.utility();
    await server.operator.simOk('PUT', '/rules', { rules: [
        { name: 'paid', match: { api: 'stk_push' },
          then: { prompt: { act: 'approve', delay_ms: 1000 }, callback: { times: 2, spacing_ms: 500 } } }] });
    let orders = 0;
    let unanswered = [];

    // Answered, or to be asked again.
    const ask = async (gateway, order) => {
        const phone = String(PHONE + 1 + order % 1000);
        const answer = await gateway.pay({ order_id: `ORDER-${order}`, amount: AMOUNT, phone }, `key-${order}`)
            .catch(() => undefined);
        if (answer?.status !== 201) {
            check(answer === undefined || answer.status === 503, `order ${order}: ${answer?.text}`);
            unanswered.push(order);
        }
    };
    for (let restart = 0; restart < RESTARTS; restart++) {
        const { gateway, operator } = server;
        const now = [...unanswered, ...Array.from({ length: EACH_TIME }, () => orders++)];
        unanswered = [];
        const asked = now.map((order) => ask(gateway, order));
        const moved = operator.advance(500 + random(2000)).catch(() => undefined);
        // Killed when some have been answered, or when the clock has moved, or at once.
        await Promise.all(asked.slice(0, random(asked.length + 1)));
        if (random(2) === 0) await moved;
        await server.kill();
        await Promise.all([...asked, moved]);
        await server.start();
    }
    const { gateway, operator } = server;
    const last = unanswered;
    unanswered = [];
    for (const order of last) await ask(gateway, order);
    equal(unanswered, [], 'all were answered in the end');
    for (let i = 0; i < 60; i++) await operator.advance(60_000);

    const payments = [];
    for (let more = ''; ;) {
        const page = await gateway.ok('GET', `/v1/payments?limit=100${more}`);
        payments.push(...page.data);
        if (!page.has_more) break;
        more = `&starting_after=${page.data.at(-1).id}`;
    }
    equal(payments.length, orders, 'a payment for each order');
    const pushes = await operator.transactions();
    const paid = pushes.filter((one) => one.receipt);
    equal(new Set(pushes.map((one) => one.account_reference)).size, pushes.length, 'no order was pushed twice');

    // Of a push that was marked as leaving when the process died nobody knows whether it left.
    const succeeded = payments.filter((one) => one.status === 'succeeded');
    const unknown = payments.filter((one) => one.status === 'unconfirmed');
    equal(succeeded.length + unknown.length, payments.length, `others: ${JSON.stringify(payments.find((one) =>
        !succeeded.includes(one) && !unknown.includes(one)))}`);
    equal(unknown.filter((one) => one.reason !== 'answer_lost').length, 0, 'unknown only for that reason');
    equal(succeeded.length, paid.length, 'what the operator has been paid for has succeeded, and nothing else');
    for (const one of succeeded) {
        const notices = (await gateway.timeline(one.id)).filter((step) => step.notice?.source === 'callback');
        equal(notices.length, 1, `callbacks of ${one.id}, kept once`);
    }
    const told = (await gateway.events()).filter((event) => event.type === 'payment.succeeded');
    equal(new Set(told.map((event) => event.data.id)).size, told.length, 'none is told twice');
    equal(told.length, succeeded.length, 'each is told');
    equal(await gateway.balance('wallet'), succeeded.length * AMOUNT, 'the wallet');
    equal(await operator.utility() - utility, paid.length * AMOUNT, 'the operator');
    proved(`${RESTARTS} restarts, ${payments.length} payments: ${succeeded.length} with their callback, ` +
           `${unknown.length} of which nobody knows whether the push left, none twice`);
});

// The seeded account means the operator next door: without it there is nobody to ask for a token.
await story('a provider without an address', async (scene) => {
    const server = await both(scene, ['--clock', 'real']);
    await server.restart(['--book', 'merchant', '--merchant-port', new URL(server.ready.merchant).port]);
    const { gateway } = server;
    const made = await gateway.paying({ order_id: 'ORDER-1' });
    await until(async () => (await metricsOf(gateway)).hakika_callbacks_in_flight === 0, 'nothing is in flight');
    const attempt = (await gateway.timeline(made.id)).find((step) => step.event === 'push_attempted');
    equal(attempt?.error, 'not sent: the provider gave no access token', 'what came of the push');
    equal((await gateway.payment(made.id)).status, 'created', 'the payment, which is tried again');
    proved('what cannot be asked for its token is told so, and is in flight no longer');
});
