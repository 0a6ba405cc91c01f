// kill -9 during a thousand open prompts, late callbacks and running standing orders (R6.5): after
// the restart everything goes on, nothing is done twice, and the view catches up and equals one
// that is built from scratch.
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { Listener } from '../lib/listener.mjs';
import { SHORT_CODE } from '../lib/operator.mjs';
import { HAKIKA, Server } from '../lib/server.mjs';
import { check, equal, proved, random, story, until } from '../lib/story.mjs';

const PROMPTS = 1000;
const ORDERS = 20;
const DAYS = 6;
const DAY_MS = 24 * 3600 * 1000;
const LATE_MS = 45 * 1000;
const BALANCE = 10_000_00;
const phone = (n) => 254713000000 + n;
const amount = (n) => 10 + (n % 90);

function hakika(...args) {
    const run = spawnSync(HAKIKA, args, { encoding: 'utf8', timeout: 60000, maxBuffer: 1 << 28 });
    equal(run.status, 0, `exit status of ${args[0]} (${run.stderr})`);
    return run.stdout;
}

const ask = (data, sql) => JSON.parse(hakika('query', data, sql, '--json'));

// Runs `act` for 0 to count - 1, some at a time.
async function each(count, act, abreast = 40) {
    let next = 0;
    const lane = async () => {
        while (next < count) await act(next++);
    };
    await Promise.all(Array.from({ length: abreast }, lane));
}

async function dateAfter(operator, days) {
    const { now } = await operator.clock();
    return new Date(Date.parse(now) + 3 * 3600 * 1000 + days * DAY_MS)
        .toISOString().slice(0, 10).replaceAll('-', '');
}

async function standingOrder(world, n) {
    const { operator, listener } = world;
    const answer = await operator.call('POST', '/standingorder/v1/createStandingOrderExternal', {
        headers: await operator.bearer(),
        body: { StandingOrderName: `Order ${n}`, StartDate: await dateAfter(operator, 1),
                EndDate: await dateAfter(operator, DAYS), BusinessShortCode: String(SHORT_CODE),
                TransactionType: 'Standing Order Customer Pay Bill', ReceiverPartyIdentifierType: '4',
                Amount: '7', PartyA: String(phone(n)), CallBackURL: `${listener.url}/order`,
                AccountReference: `ORDER-${n}`, TransactionDesc: 'o', Frequency: '2' } });
    equal(answer.status, 200, answer.text);
    const [prompt] = await until(async () => {
        const all = await operator.prompts(phone(n));
        return all.length > 0 && all;
    }, 'the prompt of a standing order');
    equal((await operator.approve(prompt.checkout_request_id)).status, 200, 'the PIN of an order');
}

// Callbacks are late by rule, so that a kill finds them queued and not sent.
async function prepare(scene) {
    const listener = await Listener.open(scene);
    const server = await Server.open(scene, ['--clock', 'virtual', '--keep-closed', '0']);
    const world = { listener, server, ids: [], get operator() { return server.operator; } };
    await each(PROMPTS + ORDERS, (n) => world.operator.openSubscriber(phone(n), BALANCE));
    for (let n = PROMPTS; n < PROMPTS + ORDERS; n++) await standingOrder(world, n);
    await world.operator.advance(DAY_MS + 9 * 3600 * 1000); // the first payments are made
    await world.operator.authorize();
    await world.operator.simOk('PUT', '/rules', { rules: [{
        name: 'late', match: { api: 'stk_push' }, then: { callback: { delay_ms: LATE_MS } } }] });
    await each(PROMPTS, async (n) => {
        const { CheckoutRequestID: id } = await world.operator.pushed(
            { PhoneNumber: phone(n), Amount: amount(n), AccountReference: `K-${n}`,
              CallBackURL: listener.url });
        world.ids[n] = id;
    });
    return world;
}

// Phones answer while the process is killed: what became of each answer is not known.
async function killWhile(world, numbers) {
    const after = numbers.length / 2 + random(numbers.length / 3);
    let answered = 0;
    let killed;
    await each(numbers.length, async (i) => {
        await world.operator.approve(world.ids[numbers[i]], '1234', 0).catch(() => {});
        if (++answered > after && !killed) killed = world.server.kill();
    });
    check(killed, 'nobody was killed');
    await killed;
    await world.server.start();
}

// A kill in the middle of moving time, when callbacks leave and standing orders run.
async function killWhileTimePasses(world, ms, messages = 20) {
    const heard = world.listener.received.length;
    const moving = world.operator.advance(ms).catch(() => {});
    await until(() => world.listener.received.length > heard + messages, 'callbacks are leaving');
    await world.server.kill();
    await moving;
    await world.server.start();
}

async function compareViews(scene, server) {
    await until(async () => {
        const values = await server.operator.metrics();
        return values.hakika_view_position === values.hakika_durable_position;
    }, 'the view has caught up', 30);
    equal(await server.stop(), 0, 'exit status');
    const folder = scene.path('rebuilt');
    mkdirSync(folder);
    hakika('view', 'rebuild', server.data, '--out', `${folder}/view.sqlite`);
    const tables = ask(server.data, `select name from sqlite_schema where type = 'table'
        and name not like 'sqlite_%' order by name`).map((row) => row.name);
    for (const table of tables) {
        const sql = `select * from ${table} order by 1, 2`;
        check(hakika('query', server.data, sql, '--csv') === hakika('query', folder, sql, '--csv'),
              `table ${table} of the view that was killed is not that of a rebuild`);
    }
    check(tables.length > 12, `there are ${tables.length} tables`);
}

await story('kill -9 during a thousand prompts, late callbacks and standing orders', async (scene) => {
    const world = await prepare(scene);
    const { listener, server } = world;
    const even = world.ids.map((_, n) => n).filter((n) => n % 2 === 0);
    const odd = world.ids.map((_, n) => n).filter((n) => n % 2 === 1);

    await server.restart(); // a thousand prompts open
    let open = (await world.operator.transactions()).filter((t) => t.status === 'PROCESSING');
    equal(open.length, PROMPTS, 'open prompts after the first kill');
    await killWhile(world, even);
    await killWhileTimePasses(world, LATE_MS + 5000);
    await killWhile(world, odd.filter((n) => n % 4 === 1));
    await killWhileTimePasses(world, LATE_MS + 5000);
    await world.operator.untilIdle(2 * 3600 * 1000); // what nobody answered runs out
    await killWhileTimePasses(world, DAY_MS, ORDERS / 4); // orders run
    await world.operator.untilIdle((DAYS + 2) * DAY_MS);
    proved(`killed in the middle of ${PROMPTS} prompts, of answers, of late callbacks and of orders`);

    const transactions = await world.operator.transactions();
    equal(transactions.length, PROMPTS, 'transactions');
    const byId = new Map(transactions.map((t) => [t.checkout_request_id, t]));
    equal(world.ids.filter((id) => !byId.has(id)), [], 'accepted pushes that are gone');
    open = transactions.filter((t) => !['SUCCESS', 'FAILED'].includes(t.status));
    equal(open, [], 'payments without an end');
    const receipts = new Set();
    await each(PROMPTS, async (n) => {
        const t = byId.get(world.ids[n]);
        if (t.receipt) receipts.add(t.receipt);
        equal(await world.operator.balance(phone(n)),
              BALANCE - (t.status === 'SUCCESS' ? amount(n) * 100 : 0), `the wallet of ${phone(n)}`);
    });
    const paid = transactions.filter((t) => t.status === 'SUCCESS');
    equal(receipts.size, paid.length, 'receipts, each once');
    check(paid.length > PROMPTS / 3 && paid.length < PROMPTS, `${paid.length} are paid`);
    proved(`${paid.length} paid once, ${PROMPTS - paid.length} ran out; every wallet fits its end`);

    const bodies = new Map();
    for (const { text, json } of listener.received.filter((c) => c.json?.Body)) {
        const { CheckoutRequestID: id } = json.Body.stkCallback;
        equal(bodies.get(id) ?? text, text, `callbacks of ${id} say the same`);
        bodies.set(id, text);
    }
    for (const id of world.ids) {
        check(bodies.has(id), `no callback of ${id} arrived`);
        equal(String(JSON.parse(bodies.get(id)).Body.stkCallback.ResultCode),
              byId.get(id).result_code, `ResultCode of ${id}`);
    }
    proved(`${listener.received.length} messages arrived; each payment was told, always the same`);

    const orders = await world.operator.wholeList('/standing-orders');
    equal(orders.length, ORDERS, 'standing orders');
    for (let n = PROMPTS; n < PROMPTS + ORDERS; n++) {
        equal(await world.operator.balance(phone(n)), BALANCE - DAYS * 700, `payments of order ${n}`);
    }
    proved(`${ORDERS} standing orders paid on each of their ${DAYS} days, once`);

    await compareViews(scene, server);
    hakika('verify', server.data);
    proved('the view caught up and equals a rebuild; verify finds nothing');
});
