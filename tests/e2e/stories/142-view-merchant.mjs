// The merchant's SQL view: its answers are those of /v1 (payments, payouts, refunds, receipts,
// notices, events, discrepancies, balances, reconciliations), it follows the server through kill -9,
// hakika query finds it by itself on a merchant's server, and no secret is in it.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { both, eventually, Gateway, KEY } from '../lib/gateway.mjs';
import { Listener } from '../lib/listener.mjs';
import { metricsOf, viewed } from '../lib/operator.mjs';
import { HAKIKA, Server } from '../lib/server.mjs';
import { check, equal, matches, proved, story, until } from '../lib/story.mjs';

const PHONE = 254711420000;
const VIEW = 'merchant-view.sqlite';
const TABLES = ['meta', 'merchants', 'api_keys', 'providers', 'webhook_endpoints', 'transactions', 'moves',
                'notices', 'receipts', 'discrepancies', 'refund_proposals', 'events', 'webhooks', 'outgoing',
                'attempts', 'entries', 'holds', 'accounts', 'shadow_calls', 'worlds'];

function hakika(...args) {
    const run = spawnSync(HAKIKA, args, { encoding: 'utf8', timeout: 60000, maxBuffer: 1 << 28 });
    return { status: run.status, text: run.stdout, errors: run.stderr };
}

function ask(data, sql, ...flags) {
    const answer = hakika('query', data, sql, '--json', ...flags);
    equal(answer.status, 0, `exit status of ${sql} (${answer.errors})`);
    return JSON.parse(answer.text);
}

const merchant = (server, sql) => ask(server.data, sql, '--book', 'merchant');

const everything = (data) => Object.fromEntries(TABLES.map((table) =>
    [table, ask(data, `select * from ${table} order by 1, 2`, '--book', 'merchant')]));

function rebuilt(scene, server, name) {
    const folder = scene.path(name);
    mkdirSync(folder);
    const run = hakika('view', 'rebuild', server.data, '--book', 'merchant', '--out', join(folder, VIEW));
    equal(run.status, 0, `exit status of the rebuild (${run.errors})`);
    return everything(folder);
}

function equalViews(a, b) {
    for (const table of TABLES) equal(a[table], b[table], `table ${table}`);
}

async function whole(gateway, path) {
    const all = [];
    for (let next = `${path}${path.includes('?') ? '&' : '?'}limit=50`; next;) {
        const page = await gateway.ok('GET', next);
        all.push(...page.data);
        next = page.has_more ? `${path}?limit=50&starting_after=${page.data.at(-1).id}` : null;
    }
    return all;
}

// Booleans of JSON are 0 and 1 in SQL.
const plain = (row) => Object.fromEntries(Object.entries(row).map(([name, value]) =>
    [name, typeof value === 'boolean' ? Number(value) : value]));

// Every row of a list of the API, in the columns of the view that have its names; `least`: how many
// of them there are.
async function compare(server, path, table, least) {
    const [known] = merchant(server, `select * from ${table} limit 1`);
    const api = (await whole(server.gateway, path)).map((one) => Object.fromEntries(
        Object.entries(plain(one)).filter(([name]) => name in known)));
    const names = Object.keys(api[0]);
    check(names.length >= least, `${path} has ${names.length} of at least ${least} members`);
    const columns = names.map((name) => `"${name}"`).join(', ');
    equal(merchant(server, `select ${columns} from ${table} order by number desc`), api, path);
    return api;
}

async function compareAll(server) {
    const { gateway } = server;
    await viewed(server.gateway);
    await compare(server, '/v1/payments', 'payments', 30);
    await compare(server, '/v1/payouts', 'payouts', 26);
    await compare(server, '/v1/receipts',
                  `(select r.*, p.short_code, 'pay_' || r.transaction_number as payment from receipts r
                    join providers p on p.number = r.provider_number)`,
                  13);
    await compare(server, '/v1/discrepancies',
                  `(select d.*, p.short_code, 'pay_' || d.transaction_number as payment, 'rcp_' ||
                    d.receipt_number as receipt_id, 'ntc_' || d.notice_number as notice
                    from discrepancies d join providers p on p.number = d.provider_number)`, 14);
    const events = (await gateway.events()).map(({ id, type, timestamp, seq, object_seq: nth, data }) =>
        ({ id, type, at: timestamp, seq, object_seq: nth, object_id: data.id ?? null }));
    const rows = merchant(server, `select id, type, at, seq, object_seq, object_id from events order by seq`);
    equal(rows.map((row) => ({ ...row, object_id: row.object_id.startsWith('prov_') ? null : row.object_id })),
          events, 'the feed');
    for (const { id, balance } of merchant(server, 'select id, balance from balances')) {
        equal(balance, await gateway.balance(id), `balance of ${id}`);
    }
    for (const row of merchant(server, 'select * from reconciliations')) {
        const report = await gateway.ok('GET', `/v1/reconciliations/${row.id}`);
        const account = report.accounts.find((one) => one.short_code === row.short_code);
        equal([row.checked, row.repaired, row.late_callbacks, row.repair_rate_ppm, row.alert],
              [account.checked, account.repaired, account.late_callbacks, account.repair_rate_ppm,
               Number(account.alert)], row.id);
    }
    equal(merchant(server, 'select sum(balance) as sum from accounts'), [{ sum: 0 }], 'sum of accounts');
}

// What happened to one payment, step by step (R6.7, R2.8).
async function compareTimeline(server, id) {
    const timeline = await server.gateway.timeline(id);
    const moves = timeline.filter((one) => one.stk_state)
        .map(({ at, event, stk_state: stk }) => ({ at, status: event, stk_state: stk }));
    equal(merchant(server, `select m.at, m.status, m.stk_state from moves m join transactions t
        on t.number = m.transaction_number where t.id = '${id}' order by m.number`), moves, `moves of ${id}`);
    const notices = timeline.filter((one) => one.notice).map(({ notice: { object, payment, ...rest } }) => rest);
    check(notices.length > 0, `no notice of ${id}`);
    equal(merchant(server, `select n.id, n.status, n.source, n.about, n.verdict, n.reason,
        'rcp_' || n.receipt_number as receipt_id, n.reference, n.receipt, n.result_code, n.amount, n.repeats,
        n.received_at, n.peer, n.headers, n.digest, n.body from notices n join transactions t
        on t.number = n.transaction_number where t.id = '${id}' order by n.number`), notices, `notices of ${id}`);
    const attempts = timeline.filter((one) => one.event === 'push_attempted')
        .map((one) => ({ at: one.at, status: one.response_status ?? null, answer: one.response_body ?? null }));
    equal(merchant(server, `select a.at, a.status, a.answer from attempts a join outgoing o
        on o.number = a.outgoing_number join transactions t on t.number = o.transaction_number
        where t.id = '${id}' and o.kind = 'push' order by a.number`), attempts, `attempts of ${id}`);
}

// Payments that end in every way, money out, money in, a statement. With virtual time.
async function live(server, listener, round) {
    const { gateway, operator } = server;
    const order = (n) => `R${round}-${n}`;
    const phone = (n) => String(PHONE + 10 * round + n);
    const rules = (act, then = {}) => operator.simOk('PUT', '/rules', { rules: [
        { name: 'so', match: { api: 'stk_push' }, then: { prompt: { act, delay_ms: 1000 }, ...then } }] });
    const pay = async (n, wanted, fields = {}) => {
        const { id } = await gateway.paying({ order_id: order(n), phone: phone(n), ...fields });
        await eventually(operator, async () => (await gateway.payment(id)).status === wanted,
                         `${id} is ${wanted}`);
        return gateway.payment(id);
    };
    await rules('approve');
    const paid = await pay(1, 'succeeded', { description: 'a "quoted", text' });
    await pay(2, 'succeeded', { capture: 'escrow', amount: 30000 });
    await rules('cancel');
    await pay(3, 'cancelled');
    await rules('approve', { callback: { never: true } });
    const { id: lost } = await gateway.paying({ order_id: order(4), phone: phone(4) });
    await eventually(operator, async () =>
        !['created', 'submitted'].includes((await gateway.payment(lost)).status), `${lost} has left`);
    await operator.advance(200_000);
    await eventually(operator, async () => (await gateway.payment(lost)).receipt,
                     'a query finds the one whose callback is lost, and a status its receipt');
    await operator.simOk('PUT', '/rules', { rules: [] });
    const payout = await gateway.ok('POST', '/v1/payouts',
        { amount: 5000, phone: phone(1), reference: order('salary') }, 201,
        { 'Idempotency-Key': `out-${round}` });
    await eventually(operator, async () =>
        !['created', 'submitted'].includes((await gateway.ok('GET', `/v1/payouts/${payout.id}`)).status),
                     'the payout has left');
    const line = (receipt, account) => [receipt, '31-01-2026 10:00:00', '31-01-2026 10:00:00',
        'Pay Bill from customer', 'Completed', '70.00', '', '70.00', '', 'Pay Bill Online',
        `${PHONE + 9} - CUSTOMER`, '', account].join(',');
    const statement = ['Organization: Shop', 'Short Code: 174379',
        'Receipt No.,Completion Time,Initiation Time,Details,Transaction Status,Paid In,Withdrawn,' +
        'Balance,Balance Confirmed,Reason Type,Other Party Info,Linked Transaction ID,A/C No.',
        line(`TK6070${round}BHZ`, 'WHO-KNOWS'), ''].join('\n');
    const read = await gateway.call('POST', '/v1/statements', statement, { 'Content-Type': 'text/csv' });
    equal([read.status, read.json.new_receipts], [200, 1], read.text);
    const [receipt] = (await gateway.ok('GET', '/v1/receipts')).data;
    if (round % 2 === 0) {
        await gateway.ok('POST', `/v1/receipts/${receipt.id}/assign`, { order_id: order(9) });
    }
    await until(() => listener.received.length > 0, 'webhooks arrive');
    return { paid, lost };
}

await story('SQL and /v1 give the same answers', async (scene) => {
    const server = await both(scene);
    const { gateway, operator } = server;
    const listener = await Listener.open(scene);
    const endpoint = await gateway.ok('POST', '/v1/webhook_endpoints', { url: listener.url }, 201);
    const key = await gateway.ok('POST', '/v1/api_keys', {}, 201);
    const { paid, lost } = await live(server, listener, 0);
    await compareAll(server);
    proved('payments, payouts, receipts, discrepancies, feed, balances, reconciliations: those of /v1');
    await compareTimeline(server, paid.id);
    await compareTimeline(server, lost);
    const [raw] = merchant(server, `select raw_callback, raw_query_response, repaired from payments
        where id = '${paid.id}'`);
    equal(JSON.parse(raw.raw_callback).Body.stkCallback.CheckoutRequestID, paid.checkout_request_id,
          'the raw callback');
    equal([raw.raw_query_response, raw.repaired], [null, 0], 'nobody had to ask');
    const [found] = merchant(server, `select raw_callback, raw_query_response, repaired from payments
        where id = '${lost}'`);
    equal([found.raw_callback, found.repaired], [null, 1], 'found by a query');
    equal(JSON.parse(found.raw_query_response).Result.ResultCode, 0, 'the raw answer to the last question');
    const [query] = merchant(server, `select n.body from notices n join payments p
        on p.number = n.transaction_number where p.id = '${lost}' and n.source = 'query'`);
    equal(JSON.parse(query.body).ResultCode, '0', 'the raw answer to the query');
    proved('every step of a payment, with the raw callback and the raw answer to a query');

    const bytes = readFileSync(join(server.data, VIEW)).toString('latin1') +
                  readFileSync(join(server.data, `${VIEW}-wal`)).toString('latin1');
    check(bytes.includes(paid.receipt), 'the file has the receipt');
    const provider = (await gateway.ok('GET', '/v1/providers')).data[0];
    for (const secret of [endpoint.secret, key.key ?? key.secret, KEY, provider.callback_url.split('/').at(-1)]) {
        check(secret && secret.length > 8, `no secret: ${secret}`);
        check(!bytes.includes(secret), `the view has the secret ${secret}`);
    }
    proved('no key, secret or token is in it');

    // Both views, side by side.
    equal(ask(server.data, 'select count(*) > 0 as yes from subscribers'), [{ yes: 1 }], 'the operator\'s is the default');
    equal(ask(server.data, 'select count(*) > 0 as yes from subscribers', '--book', 'operator'), [{ yes: 1 }],
          'and can be named');
    equal(hakika('query', server.data, 'select 1', '--book', 'nobody').status, 2, 'an unknown book');
    equal(hakika('query', server.data, 'delete from notices', '--book', 'merchant').status, 1, 'only read');
    const again = hakika('view', 'rebuild', server.data, '--book', 'merchant');
    equal(again.status, 1, 'a rebuild under the server');
    matches(again.errors, /another process .* keeps the view .*merchant-view/s, 'its words');
    equalViews(everything(server.data), rebuilt(scene, server, 'beside'));
    const values = await metricsOf(server.gateway);
    equal([values.hakika_view_lag_events, values.hakika_view_events_skipped, values.hakika_view_waits],
          [0, 0, 0], 'metrics of the merchant\'s port');
    proved('beside the server, a rebuild gives the same rows');

    for (let round = 1; round < 3; round++) {
        const working = live(server, listener, round).catch(() => {});
        const begun = (await metricsOf(server.gateway)).hakika_position;
        await until(async () => (await metricsOf(server.gateway)).hakika_position > begun + 10 * round, 'it has begun');
        await server.kill();
        await working;
        await server.start();
        await compareAll(server);
    }
    await operator.advance(0).catch(() => {});
    equal(await server.stop(), 0, 'exit status');
    equalViews(everything(server.data), rebuilt(scene, server, 'after'));
    proved('twice killed in the middle: the answers are the API\'s, and a rebuild gives the same rows');
    const all = hakika('view', 'rebuild', server.data);
    equal(all.status, 0, all.errors);
    matches(all.text, /\/view\.sqlite: .*\n.*\/merchant-view\.sqlite: /, 'without --book both are built');
});

await story('a merchant\'s server alone', async (scene) => {
    const server = await Server.open(scene, ['--book', 'merchant', '--clock', 'virtual']);
    server.gateway = new Gateway(server.ready.merchant);
    scene.atEnd(() => server.gateway.hangUp());
    await viewed(server.gateway);
    equal(ask(server.data, 'select count(*) as n from merchants'), [{ n: 1 }], 'found by itself');
    check(!existsSync(join(server.data, 'view.sqlite')), 'there is no view of an operator');
    equal(hakika('query', server.data, 'select 1', '--book', 'operator').status, 1, 'nor can it be asked');
    await server.kill();
    equal(hakika('view', 'rebuild', server.data).status, 0, 'rebuilt without being named');
    proved('hakika query and hakika view rebuild choose the book that is there');
});
