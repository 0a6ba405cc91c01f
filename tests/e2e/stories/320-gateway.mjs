// A shop's payment through the gateway and the operator next door (R2, R5.1): prompt, PIN,
// callback, wallet, signed webhook; the same request twice; the same order twice; 64 at once; and
// kill -9 of everything at each point of the story.
import { both, Gateway, PHONE, prompt, signed } from '../lib/gateway.mjs';
import { Listener } from '../lib/listener.mjs';
import { Server } from '../lib/server.mjs';
import { check, equal, matches, proved, story, until } from '../lib/story.mjs';

await story('a payment through the gateway', async (scene) => {
    const server = await both(scene);
    const { gateway, operator } = server;
    const shop = await Listener.open(scene);
    const endpoint = await gateway.ok('POST', '/v1/webhook_endpoints', { url: shop.url }, 201);
    check(endpoint.secret.startsWith('whsec_'), 'a secret to verify with');

    const made = await gateway.paying({ order_id: 'INV-1', description: 'Two chairs' });
    equal([made.status, made.stk_state, made.amount], ['created', 'INITIATED', 15000], 'created');
    const asked = await gateway.become(made.id, 'pending');
    const checkout = await prompt(operator);
    equal(asked.checkout_request_id, checkout, 'the operator\'s id is known');
    equal((await operator.transaction(checkout)).account_reference, 'INV-1', 'the reference shown');
    await operator.approved(checkout);
    const paid = await gateway.become(made.id, 'succeeded');
    const told = await operator.transaction(checkout);
    equal([paid.receipt, paid.source, paid.stk_state], [told.receipt, 'callback', 'COMPLETED'], 'paid');
    equal([await gateway.balance('wallet'), await gateway.balance('clearing_174379')],
          [15000, 15000], 'wallet and clearing');
    proved('a payment goes to the phone and back, and its money is booked once');

    const delivered = await until(() => shop.received.length >= 3 && shop.received,
                                  'the shop has heard of everything');
    equal(delivered.map((one) => one.json.type),
          ['payment.created', 'payment.pending', 'payment.succeeded'], 'webhooks, in order');
    equal(delivered.map((one) => one.json.object_seq), [1, 2, 3], 'numbered for the object');
    check(delivered.every((one) => signed(one, endpoint.secret)), 'each is signed');
    equal(delivered[2].json.data.receipt, told.receipt, 'the receipt is in it');
    equal((await gateway.events()).map((one) => one.seq), [1, 2, 3], 'and the feed has all of them');
    const metrics = await gateway.call('GET', '/metrics');
    check(metrics.text.includes('hakika_gateway_entered_total{state="succeeded"} 1\n'),
          'the metrics count it');
    proved('webhooks are signed and in order; the feed proves that none is missing');

    // The idempotency key: the same again, another body, none.
    const again = await gateway.pay({ order_id: 'INV-1', description: 'Two chairs' });
    equal([again.status, again.json.id, again.headers['idempotent-replayed']],
          [201, made.id, 'true'], 'the same request again');
    const other = await gateway.pay({ order_id: 'INV-1', amount: 20000 });
    equal([other.status, other.json.code], [422, 'idempotency_key_reused'], 'another body');
    matches(other.json.title, /^Unprocessable/, 'what HTTP calls it');
    const none = await gateway.call('POST', '/v1/payments', {});
    equal([none.status, none.json.code], [400, 'idempotency_key_missing'], 'no key');
    const twice = await gateway.pay({ order_id: 'INV-1' }, 'another key');
    equal([twice.status, twice.json.code, twice.json.payment],
          [409, 'order_already_paid', made.id], 'a paid order');
    proved('a repeated request makes no second payment, nor does a second for a paid order');

    // R2.9: 64 at once for one order give one prompt.
    const racers = await Promise.all(Array.from({ length: 64 }, (_, i) =>
        gateway.pay({ order_id: 'INV-2' }, `race-${i}`)));
    equal(racers.filter((one) => one.status === 201).length, 1, 'one of 64 is taken');
    check(racers.filter((one) => one.status === 409)
        .every((one) => one.json.code === 'order_in_progress'), 'the others are told why');
    const second = racers.find((one) => one.status === 201).json;
    await gateway.become(second.id, 'pending');
    await operator.cancel(await prompt(operator));
    const cancelled = await gateway.become(second.id, 'cancelled');
    equal([cancelled.result_code, cancelled.retryable], ['1032', true], 'cancelled on the phone');
    proved('64 racing requests for one order: one push');

    // A callback twice, a forged one, and one on a URL that we never gave (R6.10).
    const url = told.callback_url;
    const raw = (await gateway.timeline(made.id)).find((one) => one.event === 'notice').notice.body;
    const post = (path, body) => gateway.call('POST', path, body, { 'Content-Type': 'application/json' });
    const path = new URL(url).pathname;
    equal((await post(path, raw)).status, 200, 'the same callback again');
    equal((await post(path, raw.replace('"Value":150.00', '"Value":999.00'))).status, 200, 'another amount');
    const forged = `/callbacks/${'0'.repeat(32)}/stk`;
    equal((await post(forged, raw)).status, 404, 'a token that is not ours');
    equal(await gateway.balance('wallet'), 15000, 'nothing more was booked');
    equal((await gateway.types(made.id)).length, 3, 'nothing more was told');
    const notices = (await gateway.ok('GET', '/v1/notices')).data;
    equal(notices.filter((one) => one.payment === made.id).map((one) => [one.status, one.repeats]),
          [['mismatch', 0], ['applied', 1]], 'both are kept as evidence');
    proved('a callback counts once, and a forged one not at all');

    // What belongs to one merchant is nobody else's.
    const { key } = await gateway.ok('POST', '/v1/api_keys', { merchant: 'Another shop' }, 201);
    const stranger = new Gateway(server.ready.merchant, key);
    scene.atEnd(() => stranger.hangUp());
    for (const [method, where] of [['GET', `/v1/payments/${made.id}`],
                                   ['GET', `/v1/payments/${made.id}/timeline`],
                                   ['POST', `/v1/payments/${made.id}/resolve`],
                                   ['POST', `/v1/payments/${made.id}/release`],
                                   ['GET', '/v1/events/evt_1'],
                                   ['GET', '/v1/accounts/clearing_174379'],
                                   ['DELETE', `/v1/webhook_endpoints/${endpoint.id}`]]) {
        equal((await stranger.call(method, where)).status, 404, `${method} ${where} by a stranger`);
    }
    const third = await stranger.call('POST', '/v1/api_keys', { merchant: 'A third shop' });
    equal([third.status, third.json.code], [403, 'not_yours'], 'a stranger opens no merchants');
    const own = await stranger.ok('POST', '/v1/api_keys', {}, 201);
    equal(own.merchant, 2, 'another key is for its own merchant');
    for (const list of ['payments', 'events', 'notices', 'webhook_endpoints', 'providers']) {
        equal((await stranger.ok('GET', `/v1/${list}`)).data, [], `${list} of a stranger`);
    }
    equal(await stranger.balance('wallet'), 0, 'a wallet of its own');
    // Where a list goes on: after the last one there is nothing, and nothing else is an id.
    for (const [list, first] of [['payments', 'pay_'], ['notices', 'ntc_'], ['receipts', 'rcp_'],
                                 ['discrepancies', 'dis_'], ['payouts', 'po_'], ['dead_letters', 'dl_']]) {
        for (const n of [0, 1]) {
            const page = await gateway.ok('GET', `/v1/${list}?starting_after=${first}${n}`);
            equal([page.data, page.has_more], [[], false], `${list} after ${first}${n}`);
        }
        equal((await gateway.call('GET', `/v1/${list}?starting_after=x`)).json.code,
              'invalid_starting_after', `${list} after x`);
    }
    const [newest] = (await gateway.ok('GET', '/v1/payments?limit=1')).data;
    const rest = await gateway.ok('GET', `/v1/payments?starting_after=${newest.id}`);
    check(rest.data.length > 0 && rest.data.every((one) => one.id !== newest.id), 'the others');
    equal((await new Gateway(server.ready.merchant, 'sk_wrong').call('GET', '/v1/payments')).status,
          401, 'a wrong key');
    proved('an API key reaches its own merchant\'s things only');

    equal((await gateway.call('GET', '/readyz')).status, 200, 'and it is ready');
    const paths = (await gateway.ok('GET', '/openapi.json')).paths;
    check(paths['/v1/payments'] && paths['/callbacks/{token}/{door}'], 'its own document');

    await operator.simOk('POST', '/reset', {});
    equal((await gateway.call('GET', `/v1/payments/${made.id}`)).status, 404, 'a reset begins both anew');
    equal(await gateway.balance('wallet'), 0, 'with an empty wallet');
    await gateway.become((await gateway.paying({ order_id: 'INV-1' }, 'anew')).id, 'pending');
    proved('a reset of the operator begins both books anew');

    const production = ['--book', 'merchant', '--profile', 'production',
                        '--merchant-url', 'https://pay.example.com'];
    const refused = await Server.refused(scene, production, { data: scene.path('production') });
    check(/HAKIKA_MERCHANT_KEY/.test(refused.errors), 'production needs a key');
    const alone = await Server.open(scene, [...production, '--merchant-key', 'sk_live_0123456789abcdef'],
                                    { data: scene.path('production') });
    const live = new Gateway(alone.ready.merchant, 'sk_live_0123456789abcdef');
    scene.atEnd(() => live.hangUp());
    equal((await live.pay({ order_id: 'INV-1' })).json.code, 'no_provider', 'nothing is configured');
    equal((await live.call('POST', '/v1/providers', { short_code: 600000, base_url: 'http://127.0.0.1:1' })).status,
          422, 'only https and public providers');
    equal((await live.call('POST', '/v1/webhook_endpoints', { url: 'https://10.0.0.1/hook' })).status,
          422, 'nor a private webhook');
    equal((await new Gateway(alone.ready.merchant).call('GET', '/v1/payments')).status, 401, 'no default key');
    proved('production starts alone, with its own key, and believes no private address');
});

// The same story with kill -9 after each step; whatever was acknowledged is there afterwards.
await story('kill -9 at every point', async (scene) => {
    const server = await both(scene);
    const shop = await Listener.open(scene);
    await server.gateway.ok('POST', '/v1/webhook_endpoints', { url: shop.url }, 201);
    const steps = ['created', 'pending', 'approved', 'paid', 'told'];
    let wallet = 0;
    let pushes = 0;
    for (const [i, point] of steps.entries()) {
        const order = `INV-${i}`;
        const die = async (here) => {
            if (here === point) await server.restart();
        };
        const made = await server.gateway.paying({ order_id: order });
        await die('created');
        const now = await server.gateway.become(made.id, 'pending', 'unconfirmed');
        if (now.status === 'unconfirmed') {
            // It died between mark and answer: never sent again, and the phone decides.
            const prompts = await server.operator.prompts(PHONE);
            if (prompts.length === 0) continue;
        }
        await die('pending');
        const checkout = await prompt(server.operator);
        await server.operator.approve(checkout, '1234', 0);
        await die('approved');
        const paid = await server.gateway.become(made.id, 'succeeded');
        await die('paid');
        wallet += 15000;
        pushes++;
        await until(() => shop.received.some((one) => one.json.type === 'payment.succeeded' &&
                                                      one.json.data.id === made.id),
                    `the shop hears of ${made.id}`);
        await die('told');
        equal(await server.gateway.balance('wallet'), wallet, 'booked once');
        equal((await server.gateway.types(made.id)).filter((one) => one === 'payment.succeeded').length,
              1, 'told once');
        equal((await server.operator.transactions()).length, pushes, 'one push each');
        check(paid.receipt, 'with its receipt');
    }
    const ids = new Map();
    for (const one of shop.received.filter((r) => r.json.type === 'payment.succeeded')) {
        const id = one.headers['webhook-id'];
        check(!ids.has(id) || ids.get(id) === one.text, 'a webhook is the same message each time');
        ids.set(id, one.text);
    }
    equal(await server.stop(), 0, 'a clean stop');
    await server.start();
    equal(await server.gateway.balance('wallet'), wallet, 'and from the snapshot');
    proved(`killed after each of ${steps.length} steps: one push, one credit, one event`);
});
