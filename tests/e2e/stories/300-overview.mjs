// What the console reads (R1.8, R3.10), and that a web page from elsewhere moves nothing: requests
// with the headers that browsers add, made here by hand.
import { Server } from '../lib/server.mjs';
import { check, equal, proved, story } from '../lib/story.mjs';

const ANNA = 254711000001;
const SHILLING = 100;

await story('the whole at a glance', async (scene) => {
    const { operator } = await Server.open(scene, ['--clock', 'virtual']);
    for (let i = 0; i < 5; i++) await operator.openSubscriber(ANNA + i, 1000 * SHILLING);
    const all = (await operator.simOk('GET', '/subscribers')).data.map((one) => one.msisdn);
    equal(all, [4, 3, 2, 1, 0].map((i) => String(ANNA + i)).concat('254708374149'), 'newest first');
    const page = await operator.simOk('GET', `/subscribers?limit=2&starting_after=${ANNA + 3}`);
    equal(page.data.map((one) => one.msisdn), [2, 1].map((i) => String(ANNA + i)), 'the next page');
    equal(page.has_more, true, 'has_more');
    const codes = (await operator.simOk('GET', '/organisations')).data.map((one) => one.short_code);
    check(codes.includes(174379) && codes.includes(600000), `the seed's organisations: ${codes}`);

    const before = await operator.simOk('GET', '/money');
    const { CheckoutRequestID: id } = await operator.pushed({ PhoneNumber: ANNA, Amount: 100 });
    equal((await operator.simOk('GET', `/entries?transaction=${id}`)).data, [], 'entries before');
    await operator.approved(id);
    const [entry, ...more] = (await operator.simOk('GET', `/entries?transaction=${id}`)).data;
    equal(more, [], 'one transfer');
    equal([entry.amount, entry.code, entry.debit.kind, entry.debit.owner, entry.credit.kind,
           entry.credit.owner], [10000, 'stk_push', 'wallet', String(ANNA), 'utility', '174379'],
          'the entry');
    equal(entry.debit.balance_now, 900 * SHILLING, 'what the payer holds now');
    const after = await operator.simOk('GET', '/money');
    equal([after.difference, after.wallets - before.wallets,
           after.organisations - before.organisations, after.posted - before.posted],
          [0, -10000, 10000, 10000], 'the money');
    equal(after.wallets + after.organisations + after.fees, -after.trust, 'backed by the trust');
    proved('lists, entries and sums agree with what was paid');
});

await story('pages from elsewhere move nothing', async (scene) => {
    const server = await Server.open(scene, ['--clock', 'virtual']);
    const { operator } = server;
    const host = new URL(server.base).host;
    const page = await operator.call('GET', '/');
    const token = /name="hakika-token" content="([0-9a-f]{32})"/.exec(page.text)?.[1];
    const fresh = page.text.includes('console.js');
    check(token || !fresh, 'the page carries a token');
    const own = { Origin: server.base, 'Sec-Fetch-Site': 'same-origin' };
    const body = { msisdn: ANNA, balance: 100 };
    const simulate = { ShortCode: 600000, CommandID: 'CustomerPayBillOnline', Amount: 5,
                       Msisdn: 254708374149, BillRefNumber: 'A' };
    const bearer = await operator.bearer();
    const tries = [
        ['/sim/v1/subscribers', body, { Origin: 'http://evil.example' }, 'origin_not_allowed'],
        ['/sim/v1/subscribers', body, { Origin: 'null' }, 'origin_not_allowed'],
        ['/sim/v1/subscribers', body, { Origin: `http://127.0.0.1:1` }, 'origin_not_allowed'],
        ['/sim/v1/subscribers', body, { Host: 'evil.example', Origin: 'http://evil.example' },
         'host_not_allowed'],
        ['/sim/v1/subscribers', body, { 'Sec-Fetch-Site': 'cross-site' }, 'origin_not_allowed'],
        ['/sim/v1/subscribers', body, own, 'console_token_needed'],
        ['/sim/v1/subscribers', body, { ...own, 'Hakika-Token': '0'.repeat(32) },
         'console_token_needed'],
        ['/mpesa/c2b/v2/simulate', simulate, { ...bearer, Origin: 'http://evil.example' },
         'origin_not_allowed'],
        ['/mpesa/c2b/v2/simulate', simulate,
         { ...bearer, Host: 'evil.example', Origin: 'http://evil.example' }, 'host_not_allowed'],
        ['/mpesa/c2b/v2/simulate', simulate, { ...bearer, ...own }, 'console_token_needed'],
        ['/sim/v1/reset', {}, own, 'console_token_needed'],
    ];
    const before = await operator.simOk('GET', '/money');
    for (const [path, json, headers, code] of tries) {
        const answer = await operator.call('POST', path, { body: json, headers });
        equal([answer.status, answer.json.code], [403, code], `${path} with ${JSON.stringify(headers)}`);
    }
    for (const path of ['/', '/console.js']) {
        const answer = await operator.call('GET', path, { headers: { Host: 'evil.example' } });
        equal(answer.json?.code, 'host_not_allowed', `${path} for a name that was bound to us`);
        check(!answer.text.includes(token ?? host), 'no token for it');
    }
    equal(await operator.simOk('GET', '/money'), before, 'the money');
    equal((await operator.simOk('GET', '/subscribers')).data.length, 1, 'phones');
    proved(`${tries.length} requests of foreign pages are refused and nothing moved`);
    if (!fresh) return;
    const good = await operator.call('POST', '/sim/v1/subscribers',
                                     { body, headers: { ...own, 'Hakika-Token': token } });
    equal(good.status, 201, 'our own page');
    await server.restart();
    const late = await server.operator.call('POST', '/sim/v1/reset',
        { body: {}, headers: { Origin: server.base, 'Sec-Fetch-Site': 'same-origin', 'Hakika-Token': token } });
    equal(late.json.code, 'console_token_needed', 'the token of the start before');
    proved('our own page is believed, by the token of this start only');
});
