// hakika export: files of one day in Kenya. What is in them is what the view says, in CSV (RFC 4180,
// formulas guarded) and JSON lines; the same bytes each time; whole or not at all; sums agree.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { both, eventually } from '../lib/gateway.mjs';
import { viewed } from '../lib/operator.mjs';
import { HAKIKA } from '../lib/server.mjs';
import { check, equal, matches, proved, story } from '../lib/story.mjs';

const PHONE = 254711440000;
const MERCHANT = ['discrepancies', 'entries', 'notices', 'payments', 'payouts', 'receipts', 'refunds'];

function hakika(...args) {
    const run = spawnSync(HAKIKA, args, { encoding: 'utf8', timeout: 60000, maxBuffer: 1 << 28 });
    return { status: run.status, text: run.stdout, errors: run.stderr };
}

function exported(server, day, out, ...flags) {
    const run = hakika('export', server.data, '--day', day, '--out', out, ...flags);
    equal(run.status, 0, `exit status of the export (${run.errors})`);
    return run.text;
}

function ask(server, sql, book = 'merchant') {
    const answer = hakika('query', server.data, sql, '--json', '--book', book);
    equal(answer.status, 0, `exit status of ${sql} (${answer.errors})`);
    return JSON.parse(answer.text);
}

// RFC 4180 read strictly: [[cell, ...], ...]; null: an empty cell without quotes.
function csv(text) {
    const rows = [];
    let row = [];
    for (let at = 0; at < text.length;) {
        let cell = null;
        if (text[at] === '"') {
            cell = '';
            for (at++; text[at] !== '"' || text[at + 1] === '"'; at++) {
                check(at < text.length, 'a quote that is not closed');
                if (text[at] === '"') at++;
                cell += text[at];
            }
            at++;
        } else {
            const end = /[,\r]/.exec(text.slice(at)).index;
            cell = end === 0 ? null : text.slice(at, at + end);
            check(!/["\n]/.test(cell ?? ''), `an unquoted cell: ${cell}`);
            at += end;
        }
        row.push(cell);
        if (text[at] === ',') { at++; continue; }
        equal(text.slice(at, at + 2), '\r\n', 'the end of a line');
        at += 2;
        rows.push(row);
        row = [];
    }
    equal(row, [], 'the last line');
    return rows;
}

const unguarded = (cell) => (cell?.startsWith("'") ? cell.slice(1) : cell);

// The rows of a CSV file as objects, all values texts.
function table(path) {
    const [names, ...rows] = csv(readFileSync(path, 'utf8'));
    return rows.map((row) => {
        equal(row.length, names.length, 'cells of a row');
        return Object.fromEntries(names.map((name, i) => [name, unguarded(row[i])]));
    });
}

const texts = (rows) => rows.map((row) => Object.fromEntries(Object.entries(row)
    .map(([name, value]) => [name, value === null ? null : String(value)])));

const lines = (path) => readFileSync(path, 'utf8').split('\n').slice(0, -1).map((line) => JSON.parse(line));

// The day in Kenya.
const kenyan = (iso) => new Date(Date.parse(iso) + 3 * 3600 * 1000).toISOString().slice(0, 10);

function statement(account) {
    const line = ['TK60708BHZ', '31-01-2026 10:00:00', '31-01-2026 10:00:00', 'Pay Bill from customer',
        'Completed', '70.00', '', '70.00', '', 'Pay Bill Online', `${PHONE + 9} - CUSTOMER`, '', account].join(',');
    return ['Organization: Shop', 'Short Code: 174379',
        'Receipt No.,Completion Time,Initiation Time,Details,Transaction Status,Paid In,Withdrawn,' +
        'Balance,Balance Confirmed,Reason Type,Other Party Info,Linked Transaction ID,A/C No.', line, ''].join('\n');
}

await story('a day as files', async (scene) => {
    const server = await both(scene);
    const { gateway, operator } = server;
    await operator.simOk('PUT', '/rules', { rules: [
        { name: 'yes', match: { api: 'stk_push' }, then: { prompt: { act: 'approve', delay_ms: 1000 } } }] });
    const pay = async (n, fields = {}) => {
        const { id } = await gateway.paying({ order_id: `E-${n}`, phone: String(PHONE + n), ...fields });
        await eventually(operator, async () => (await gateway.payment(id)).status === 'succeeded', `${id} is paid`);
        return gateway.payment(id);
    };
    const first = await pay(1, { order_id: '=HYPERLINK("http://evil.example","click")' });
    await pay(2, { order_id: "'quoted', with a comma" });
    await pay(3, { order_id: '-1+1', description: 'say "hi", now' });
    const read = await gateway.call('POST', '/v1/statements', statement('@SUM(A1:A9)'), { 'Content-Type': 'text/csv' });
    equal([read.status, read.json.new_receipts], [200, 1], read.text);
    const day = kenyan(first.created_at);
    // The next day begins at midnight in Kenya, which is 21:00 in UTC.
    const midnight = Date.parse(`${day}T21:00:00Z`);
    await operator.advance(midnight - Date.parse((await gateway.payment(first.id)).created_at) + 60_000);
    const second = await pay(4);
    equal(kenyan(second.created_at) > day, true, 'the next day');

    const out = scene.path('out');
    const said = exported(server, day, out, '--book', 'merchant');
    equal(readdirSync(out).sort(), MERCHANT.map((name) => `merchant-${name}-${day}.csv`), 'files');
    const path = (name, ending = 'csv', folder = out) => join(folder, `merchant-${name}-${day}.${ending}`);
    equal(statSync(path('payments')).mode & 0o777, 0o600, 'only its owner reads it');
    const payments = table(path('payments'));
    equal(payments.map((one) => one.order_id), [first.order_id, "'quoted', with a comma", '-1+1'], 'payments of the day');
    const names = Object.keys(payments[0]).join(', ');
    check(!names.includes('raw_callback'), 'without raw bytes unless asked for');
    equal(payments, texts(ask(server, `select ${names} from payments where number < 4 order by number`)),
          'every cell of payments');
    equal(payments[2].description, 'say "hi", now', 'a text with quotes');
    equal(table(path('receipts')).map((one) => one.account_reference), ['@SUM(A1:A9)'], 'the receipt');
    equal(table(path('discrepancies')).map((one) => one.kind), ['unknown_account'], 'the discrepancy');
    const raw = readFileSync(path('payments'), 'utf8') + readFileSync(path('receipts'), 'utf8');
    for (const risky of [`"'=HYPERLINK(`, `"''quoted`, `"'-1+1"`, `"'@SUM`]) {
        check(raw.includes(risky), `${risky} is not guarded`);
    }
    proved('CSV by RFC 4180: every cell is the view\'s, formulas have a \' in front, days are Kenya\'s');

    const entries = table(path('entries'));
    const sum = (direction) => entries.filter((one) => one.direction === direction)
        .reduce((all, one) => all + Number(one.amount), 0);
    equal([sum('debit'), sum('credit')], [3 * 15000 + 7000, 3 * 15000 + 7000], 'debits and credits');
    matches(said, /^all of them\s+520\.00\s+520\.00\s+0\.00\s+8$/m, 'the sums that are printed');
    matches(said, /^wallet\s+0\.00\s+450\.00\s+450\.00\s+3$/m, 'the wallet');
    matches(said, /^suspense\s+0\.00\s+70\.00\s+70\.00\s+1$/m, 'the suspense account');
    matches(said, /^clearing_174379\s+520\.00\s+0\.00\s+-520\.00\s+4$/m, 'what lies at the provider');
    equal(entries.at(-1).balance_after, String(ask(server, `select balance_after from entries where at < '${
        new Date(midnight).toISOString()}' order by number desc limit 1`)[0].balance_after), 'a balance');
    proved('entries are in balance, and their sums are printed');

    const again = scene.path('again');
    await viewed(gateway); // what it has not cannot be exported without the server
    await viewed(operator);
    await server.kill();
    exported(server, day, again, '--book', 'merchant');
    for (const name of MERCHANT) {
        equal(readFileSync(path(name, 'csv', again), 'utf8'), readFileSync(path(name), 'utf8'), `${name}, again`);
    }
    exported(server, day, again, '--book', 'merchant', '--format', 'jsonl', '--raw');
    const objects = lines(path('payments', 'jsonl', again));
    equal(texts(objects.map(({ raw_callback: a, raw_query_response: b, ...rest }) => rest)), payments, 'JSON lines');
    equal(JSON.parse(objects[0].raw_callback).Body.stkCallback.ResultCode, 0, 'with raw bytes');
    equal(lines(path('receipts', 'jsonl', again))[0].account_reference, '@SUM(A1:A9)', 'nothing is guarded in JSON');
    check(lines(path('notices', 'jsonl', again)).every((one) => one.body !== undefined), 'bodies of notices');
    proved('the same bytes after a kill -9; JSON lines say the same, with --raw the messages');

    const next = kenyan(second.created_at);
    exported(server, next, again, '--book', 'merchant');
    equal(table(join(again, `merchant-payments-${next}.csv`)).map((one) => one.id), [second.id], 'the next day');
    exported(server, '2020-02-29', again, '--book', 'merchant');
    equal(csv(readFileSync(join(again, 'merchant-payments-2020-02-29.csv'), 'utf8')).length, 1, 'an empty day: names only');
    exported(server, day, again); // the operator's by itself
    const transactions = table(join(again, `operator-transactions-${day}.csv`));
    equal(transactions.map((one) => [one.status, one.amount, one.account_reference]),
          ask(server, `select status, amount, account_reference from transactions where number < 4`, 'operator')
              .map((one) => [one.status, String(one.amount), one.account_reference]), 'the operator\'s');
    check(table(join(again, `operator-entries-${day}.csv`)).length > 6, 'entries of the operator');
    check(existsSync(join(again, `operator-requests-${day}.csv`)), 'requests of the operator');
    proved('each day for itself; the operator\'s book, too');

    // What goes wrong is said, and leaves nothing.
    const wrong = (status, words, ...args) => {
        const run = hakika('export', ...args);
        equal(run.status, status, `${args.join(' ')}: ${run.errors}`);
        matches(run.errors, words, args.join(' '));
    };
    wrong(2, /2026-02-30 is not understood/, server.data, '--day', '2026-02-30');
    wrong(2, /--format xml is not understood/, server.data, '--day', day, '--format', 'xml');
    wrong(2, /it is hakika export DIR/, server.data);
    wrong(1, /there is no view to read .*hakika view rebuild/s, scene.path('nowhere'), '--day', day);
    const file = scene.path('a-file');
    writeFileSync(file, '');
    wrong(1, /cannot write .*a-file\/.*Not a directory/s, server.data, '--day', day, '--out', file);
    const blocked = scene.path('blocked');
    mkdirSync(join(blocked, `merchant-entries-${day}.csv`, 'x'), { recursive: true });
    wrong(1, /cannot rename to .*merchant-entries/, server.data, '--day', day, '--out', blocked, '--book', 'merchant');
    check(!readdirSync(blocked).some((name) => name.endsWith('.part')), 'a temporary file is left');
    equal(hakika('export', '--help').status, 0, '--help');
    server.flags.push('--view', 'off');
    await server.start();
    await server.gateway.paying({ order_id: 'E-5', phone: String(PHONE + 5) });
    wrong(1, /the view has not all of that day.*rebuild/s, server.data, '--day', next, '--book', 'merchant',
          '--out', scene.path('stale'));
    equal(readdirSync(scene.path('stale')), [], 'no file of a stale view');
    exported(server, day, scene.path('stale'), '--book', 'merchant'); // the day before is whole
    proved('errors in plain words, and nothing is left half written; a view that lags is refused');
});
