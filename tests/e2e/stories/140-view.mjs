// The SQL view (hakika query, hakika view rebuild): its answers are those of the control API, it
// follows the server through kill -9, reset and damage, and it is only ever read.
import { spawnSync } from 'node:child_process';
import { existsSync, openSync, closeSync, writeSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Listener } from '../lib/listener.mjs';
import { viewed } from '../lib/operator.mjs';
import { HAKIKA, Server } from '../lib/server.mjs';
import { check, equal, matches, proved, random, said, story, until } from '../lib/story.mjs';

const TABLES = ['meta', 'worlds', 'transactions', 'requests', 'entries', 'holds', 'callbacks', 'deliveries', 'prompts',
                'rules', 'rulings', 'validations', 'messages', 'accounts', 'subscribers', 'organisations'];
const phone = (n) => 254711000000 + n;

function hakika(...args) {
    const run = spawnSync(HAKIKA, args, { encoding: 'utf8', timeout: 60000, maxBuffer: 1 << 28 });
    return { status: run.status, text: run.stdout, errors: run.stderr };
}

function ask(data, sql) {
    const answer = hakika('query', data, sql, '--json');
    equal(answer.status, 0, `exit status of ${sql} (${answer.errors})`);
    return JSON.parse(answer.text);
}

// Every row of every table.
function everything(data) {
    return Object.fromEntries(TABLES.map((table) =>
        [table, ask(data, `select * from ${table} order by 1`)]));
}

// A copy of the journal's tables made from scratch, next to a server or not.
function rebuilt(scene, server, name) {
    const folder = scene.path(name);
    spawnSync('mkdir', [folder]);
    const run = hakika('view', 'rebuild', server.data, '--out', join(folder, 'view.sqlite'));
    equal(run.status, 0, `exit status of the rebuild (${run.errors})`);
    matches(run.text, /\d+ frames, \d+ rows written in [\d.]+ s \(\d+ rows\/s\)/, 'what it says');
    return everything(folder);
}

function equalViews(a, b) {
    for (const table of TABLES) equal(a[table], b[table], `table ${table}`);
}

// What the API says of a transaction, in the columns of the view.
function transactionRow(transaction) {
    const { object, timeline, ruled_by, ...columns } = transaction;
    equal(object, 'transaction', 'object');
    check(timeline.length > 0, 'no timeline');
    return { ...columns, ruled_by: ruled_by?.rule ?? null };
}

async function compareTransactions(server) {
    const api = (await server.operator.transactions()).map(transactionRow);
    const names = Object.keys(api[0]).join(', ');
    equal(ask(server.data, `select ${names} from transactions order by number desc`), api,
          'transactions');
    return api;
}

async function compareDeliveries(server) {
    const all = await server.operator.wholeList('/deliveries');
    for (const { id } of all) {
        const delivery = await server.operator.simOk('GET', `/deliveries/${id}`);
        const [row] = ask(server.data, `select c.*, t.id as txn from callbacks c join transactions t
            on t.number = c.transaction_number where c.id = '${id}'`);
        equal([row.txn, row.state, row.kind, row.url, row.queued_at, row.next_try_at, row.body],
              [delivery.transaction, delivery.state, delivery.kind, delivery.url,
               delivery.queued_at, delivery.next_try_at, delivery.request_body], id);
        equal(ask(server.data, `select at, status as response_status, answer as response_body,
            duration_ms, error from deliveries where callback_number = ${row.number}
            order by attempt`), delivery.attempts, `attempts of ${id}`);
        equal(row.attempts, delivery.attempts.length, `attempts of ${id}`);
    }
    return all;
}

async function compareBalances(server) {
    for (const row of ask(server.data, 'select * from organisation_balances')) {
        const { utility, working, charges_paid: charges, settlement } = row;
        equal({ utility, working, charges_paid: charges, settlement },
              await server.operator.accounts(row.short_code), `accounts of ${row.short_code}`);
    }
    for (const row of ask(server.data, 'select * from subscriber_balances')) {
        const subscriber = await server.operator.subscriber(row.msisdn);
        equal([row.name, row.status, row.balance],
              [subscriber.name, subscriber.status, subscriber.balance], `${row.msisdn}`);
    }
    equal(ask(server.data, 'select sum(balance) as sum from accounts')[0].sum, 0, 'sum of accounts');
}

await story('SQL and the API give the same answers', async (scene) => {
    const listener = await Listener.open(scene);
    listener.behave = (callback, count) =>
        (count < 3 ? { status: 503, body: '{"why":"not yet, \\"soon\\""}' } : undefined);
    // A snapshot holds only what has not left memory, and the retries take hours.
    const server = await Server.open(scene, ['--clock', 'virtual', '--keep-closed', '0']);
    const { operator } = server;
    const { CheckoutRequestID: id } = await operator.pushed(
        { PhoneNumber: phone(1), Amount: 120, AccountReference: 'INV, "77"', CallBackURL: listener.url });
    await operator.approved(id);
    await until(async () => (await operator.delivery(id)).attempts.length === 1, 'the first attempt');
    await viewed(server.operator);
    equal(ask(server.data, 'select state, attempts from callbacks'),
          [{ state: 'waiting', attempts: 1 }], 'the callback while it waits');
    await operator.untilIdle();
    await operator.authorize(); // the retries took hours
    const { CheckoutRequestID: other } = await operator.pushed(
        { PhoneNumber: phone(2), CallBackURL: 'http://127.0.0.1:9/nobody' });
    await operator.cancel(other);
    await operator.untilIdle();
    await operator.authorize();
    await operator.pushed({ PhoneNumber: phone(3) });
    await viewed(server.operator);

    const transactions = await compareTransactions(server);
    equal(transactions.map((t) => t.status), ['PROCESSING', 'CANCELLED', 'SUCCESS'], 'statuses');
    proved('transactions: every field, of a paid, a cancelled and an open one');
    const deliveries = await compareDeliveries(server);
    equal(deliveries.map((d) => d.state).sort(), ['dead', 'delivered'], 'states of callbacks');
    const bodies = ask(server.data, `select body from callbacks where transaction_number = 1`);
    equal(listener.received.map((r) => r.text), Array(3).fill(bodies[0].body),
          'the bytes that the receiver got');
    equal(ask(server.data, `select status, answer from deliveries where callback_number = 1
        and attempt < 3`), Array(2).fill({ status: 503, answer: '{"why":"not yet, \\"soon\\""}' }),
          'answers of the refused attempts');
    proved('callbacks: the bytes that the receiver got, every attempt with its answer');
    await compareBalances(server);
    const entries = ask(server.data, `select e.direction, e.amount, e.balance_after, e.reason, a.kind
        from entries e join accounts a using (account) where transaction_number = 1
        order by e.number`);
    const shop = (await operator.accounts()).utility;
    equal(entries, [
        { direction: 'debit', amount: 12000, balance_after: 10000000 - 12000, reason: 'stk_payment',
          kind: 'wallet' },
        { direction: 'credit', amount: 12000, balance_after: shop, reason: 'stk_payment',
          kind: 'utility' }], 'entries of the payment');
    equal(ask(server.data, 'select transaction_number as n, reached, answer from prompts order by 1'),
          [{ n: 1, reached: 1, answer: 'pin' }, { n: 2, reached: 1, answer: 'cancel' },
           { n: 3, reached: 1, answer: null }], 'prompts');
    proved('balances and entries: those of the API, to the cent');

    equalViews(everything(server.data), rebuilt(scene, server, 'beside'));
    const metrics = await operator.metrics();
    equal([metrics.hakika_view_lag_events, metrics.hakika_view_lag_seconds,
           metrics.hakika_view_events_skipped, metrics.hakika_view_waits], [0, 0, 0, 0], 'metrics');
    proved('beside the server, a rebuild gives the same rows');

    const before = everything(server.data);
    await operator.simOk('POST', '/snapshots', { name: 'three' }, 201);
    await operator.simOk('POST', '/reset', {});
    await viewed(server.operator);
    equal(ask(server.data, 'select count(*) as n from transactions')[0].n, 0, 'after a reset');
    equal(ask(server.data, `select value from meta where name = 'generation'`)[0].value, 2,
          'generation');
    await compareBalances(server);
    equal(before.transactions.length, 3, 'payments before the reset');
    equalViews(everything(server.data), rebuilt(scene, server, 'after-reset'));
    proved('a reset empties the tables, and a rebuild agrees');

    await operator.simOk('POST', '/snapshots/three/restore', {});
    await viewed(server.operator);
    const restored = everything(server.data);
    for (const table of TABLES.filter((name) => !['meta', 'worlds'].includes(name))) {
        equal(restored[table], before[table], `table ${table} in the restored world`);
    }
    await compareTransactions(server);
    await compareBalances(server);
    await operator.authorize();
    await operator.pushed({ PhoneNumber: phone(4) });
    await viewed(server.operator);
    await compareTransactions(server);
    equalViews(everything(server.data), rebuilt(scene, server, 'restored'));
    proved('a restored world fills them as they were, and goes on from there');
});

await story('kill -9, restart, damage: the view equals a rebuild', async (scene) => {
    const listener = await Listener.open(scene);
    listener.behave = () => (random(3) === 0 ? { status: 500, body: 'no' } : undefined);
    const server = await Server.open(scene, []);
    let made = 0;
    for (let round = 0; round < 3; round++) {
        let working = true;
        const work = async (n) => {
            for (let i = 0; working; i++) {
                const pushed = await server.operator.tryPush(
                    { PhoneNumber: phone(100 * n + i % 50), Amount: 1 + random(50),
                      AccountReference: `R${round}-${n}-${i}`, CallBackURL: listener.url });
                const checkout = pushed.json?.CheckoutRequestID;
                if (checkout) await server.operator.approve(checkout, '1234', 0);
                made++;
            }
        };
        const begun = made;
        const workers = [1, 2, 3, 4].map((n) => work(n).catch(() => {}));
        await until(async () => made - begun > 60 &&
                    (await server.operator.metrics()).hakika_view_position > 0,
                    'payments have been made, and the view has some of them', 30);
        const kill = server.kill();
        working = false;
        await kill;
        await Promise.all(workers);
        const counted = hakika('query', server.data, 'select count(*) from transactions');
        equal(counted.status, 0, `a question right after kill -9 (${counted.errors})`);
        await server.start();
        await viewed(server.operator);
        await compareTransactions(server);
        await compareBalances(server);
    }
    proved(`3 times killed in the middle of ${made} payments: the answers are those of the API`);
    equal(await server.stop(), 0, 'exit status');
    equalViews(everything(server.data), rebuilt(scene, server, 'after'));
    proved('after a clean stop the view is complete and equals a rebuild');

    const file = join(server.data, 'view.sqlite');
    const handle = openSync(file, 'r+');
    writeSync(handle, Buffer.alloc(64, 0x5a), 0, 64, 0);
    closeSync(handle);
    equal(hakika('query', server.data, 'select 1 from meta').status, 1, 'a question to the ruin');
    await server.start();
    await viewed(server.operator);
    matches(server.errors, /view\.sqlite: file is not a database; it is thrown away and built again/,
            'what the server says');
    equal((await server.operator.metrics()).hakika_view_rebuilt_total, 1, 'rebuilt');
    await compareTransactions(server);
    const refused = hakika('view', 'rebuild', server.data);
    equal(refused.status, 1, 'exit status of a rebuild under the server');
    matches(refused.errors, /another process .* keeps the view .*--out FILE/s, 'its words');
    await server.stop();
    const again = hakika('view', 'rebuild', server.data);
    equal(again.status, 0, `exit status of a rebuild (${again.errors})`);
    equalViews(everything(server.data), rebuilt(scene, server, 'last'));
    proved('a damaged file is thrown away, said and built again');
});

await story('questions only read, in three forms', async (scene) => {
    const server = await Server.open(scene, ['--clock', 'virtual']);
    await server.operator.pushed({ PhoneNumber: phone(1), AccountReference: 'a, "b"' });
    await viewed(server.operator);
    for (const sql of ['delete from transactions', 'update accounts set debits_posted = 0',
                       'drop table meta', 'select 1; delete from meta']) {
        const answer = hakika('query', server.data, sql);
        equal([answer.status, answer.text], [1, ''], `exit status of ${sql}`);
        matches(answer.errors, /nothing was changed|one question at a time/, `words about ${sql}`);
    }
    equal(hakika('query', server.data, 'delete from transactions').errors.trim().split('\n').length,
          1, 'lines of the refusal');
    equal(ask(server.data, 'select count(*) as n from transactions'), [{ n: 1 }], 'rows');
    const sql = `select number, account_reference, receipt, 1.5 as half from transactions`;
    equal(hakika('query', server.data, sql).text,
          'number  account_reference  receipt  half\n' +
          '------  -----------------  -------  ----\n' +
          '     1  a, "b"                       1.5\n', 'as a table');
    equal(hakika('query', server.data, sql, '--csv').text,
          'number,account_reference,receipt,half\r\n1,"a, ""b""",,1.5\r\n', 'as CSV');
    equal(hakika('query', server.data, sql, '--json').text,
          '[{"number":1,"account_reference":"a, \\"b\\"","receipt":null,"half":1.5}]\n', 'as JSON');
    equal(hakika('query', server.data, 'select no from meta').status, 1, 'a wrong question');
    equal(hakika('query').status, 2, 'no question');
    equal(hakika('query', '--what', 'x').status, 2, 'an unknown flag');
    equal(hakika('query', '--help').status, 0, '--help');
    equal(hakika('view', 'rebuild').status, 2, 'view rebuild without a folder');
    equal(hakika('view', '--help').status, 0, 'view --help');
    proved('changes are refused in plain words; rows come as a table, CSV or JSON');

    const tool = spawnSync('sqlite3', ['-readonly', join(server.data, 'view.sqlite'),
                                       'select status from transactions'], { encoding: 'utf8' });
    if (tool.error) {
        said('sqlite3 is not installed: not tried');
    } else {
        equal([tool.status, tool.stdout], [0, 'PROCESSING\n'], `sqlite3 (${tool.stderr})`);
        proved('the plain sqlite3 reads it while the server runs');
    }
    const schema = ask(server.data, `select sql from sqlite_schema where name = 'transactions'`);
    matches(schema[0].sql, /result_code TEXT,\s+-- Daraja's ResultCode/, 'comments in the schema');
    const mode = spawnSync('stat', ['-c', '%a', join(server.data, 'view.sqlite')]);
    equal(mode.stdout.toString().trim(), '600', 'mode of the file');
});

await story('--view off keeps none', async (scene) => {
    const server = await Server.open(scene, ['--clock', 'virtual', '--view', 'off']);
    await server.operator.pushed({ PhoneNumber: phone(1) });
    equal(Object.keys(await server.operator.metrics()).filter((n) => n.startsWith('hakika_view')), [],
          'metrics of the view');
    const answer = hakika('query', server.data, 'select 1');
    equal(answer.status, 1, 'exit status of a question');
    matches(answer.errors, /there is no view to ask in .*hakika view rebuild/s, 'its words');
    check(!existsSync(join(server.data, 'view.sqlite')), 'there is a view');
    await server.stop();
    await server.restart(['--clock', 'virtual']);
    await viewed(server.operator);
    await compareTransactions(server);
    check(readFileSync(join(server.data, 'view.sqlite')).length > 0, 'there is no view');
    proved('off and then on again: it takes in what it has missed');
});
