// Webhooks of the gateway (R5.1) in the hands of the npm package standardwebhooks, unmodified: it
// takes what we send, and nothing that was changed on the way. Secrets are rotated, events replayed,
// dead letters retried.
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { both, Gateway, prompt } from '../lib/gateway.mjs';
import { Listener } from '../lib/listener.mjs';
import { metricsOf } from '../lib/operator.mjs';
import { validate } from '../lib/schema.mjs';
import { check, equal, proved, story, until } from '../lib/story.mjs';

const folder = fileURLToPath(new URL('../clients/standardwebhooks/', import.meta.url));
const { Webhook, WebhookVerificationError } = createRequire(folder)('standardwebhooks');

// Does the client take this message with this secret?
function takes(secret, received, text = received.text, headers = received.headers) {
    try {
        return new Webhook(secret).verify(text, headers);
    } catch (error) {
        if (error instanceof WebhookVerificationError) return false;
        throw error;
    }
}

await story('a reference client verifies our webhooks', async (scene) => {
    const { gateway } = await both(scene);
    const shop = await Listener.open(scene);
    const endpoint = await gateway.ok('POST', '/v1/webhook_endpoints', { url: shop.url }, 201);
    const other = await gateway.ok('POST', '/v1/webhook_endpoints',
                                   { url: shop.url, events: ['payment.reversed'] }, 201);
    const made = await gateway.paying({ order_id: 'INV-1', description: 'Café "Ünal"' });
    const created = await shop.find((one) => one.json.type === 'payment.created', 'the first event');
    equal(takes(endpoint.secret, created), created.json, 'it is verified and read');
    equal(created.json.data.id, made.id, 'it tells of the payment');
    equal(created.headers['webhook-id'], created.json.id, 'webhook-id is the event\'s id');
    proved('standardwebhooks 1.1.1 takes our webhook');

    check(!takes(other.secret, created), 'another secret');
    check(!takes(endpoint.secret, created, created.text.replace('15000', '15001')), 'another amount');
    const moved = (name, value) => ({ ...created.headers, [name]: value });
    check(!takes(endpoint.secret, created, created.text, moved('webhook-id', 'evt_2')), 'another id');
    const later = String(Number(created.headers['webhook-timestamp']) + 1);
    check(!takes(endpoint.secret, created, created.text, moved('webhook-timestamp', later)),
          'another time');
    proved('it refuses a changed body, id or time, and another secret');
});

// All signatures that come with a message.
const signatures = (received) => received.headers['webhook-signature'].split(' ').length;

await story('secrets change without losing a message', async (scene) => {
    const server = await both(scene);
    const { operator } = server;
    const shop = await Listener.open(scene);
    const endpoint = await server.gateway.ok('POST', '/v1/webhook_endpoints', { url: shop.url }, 201);
    const told = async (order) => {
        const made = await server.gateway.paying({ order_id: order });
        return shop.find((one) => one.json.type === 'payment.created' &&
                                  one.json.data.id === made.id, `${order} is told`);
    };
    const rotate = () => server.gateway.ok('POST', `/v1/webhook_endpoints/${endpoint.id}/rotate`);
    equal(signatures(await told('INV-0')), 1, 'one secret, one signature');

    const second = await rotate();
    check(second.secret !== endpoint.secret && second.secret_before_until, 'another secret');
    await server.restart();
    const during = await told('INV-1');
    equal([signatures(during), takes(endpoint.secret, during), takes(second.secret, during)],
          [2, during.json, during.json], 'both secrets sign, also after kill -9');
    const third = await rotate();
    const lost = await told('INV-2');
    check([endpoint, second, third].every((one) => takes(one.secret, lost)),
          'after a lost answer the shop\'s old secret still holds');

    await operator.advance(24 * 3600_000);
    const after = await told('INV-3');
    equal([signatures(after), takes(endpoint.secret, after), takes(second.secret, after)],
          [1, false, false], 'after 24 h only the last one signs');
    check(takes(third.secret, after), 'the new one holds');
    const [shown] = (await server.gateway.ok('GET', '/v1/webhook_endpoints')).data;
    equal([shown.secret, shown.secret_before_until], [undefined, null], 'and is never shown again');
    const fourth = await rotate();
    equal(signatures(await told('INV-4')), 2, 'the oldest do not come back');
    check(fourth.secret_before_until > second.secret_before_until, 'a time of its own');
    proved('a rotated secret signs beside the new one for 24 h, over kill -9, and then no more');
});

await story('an application is told again', async (scene) => {
    const server = await both(scene);
    const { gateway, operator } = server;
    const shop = await Listener.open(scene);
    const endpoint = await gateway.ok('POST', '/v1/webhook_endpoints',
                                      { url: shop.url, events: ['payment.created'] }, 201);
    const of = (id) => shop.received.filter((one) => one.headers['webhook-id'] === id);
    await gateway.paying({ order_id: 'INV-1' });
    const first = await shop.find((one) => one.json.type === 'payment.created', 'it is told');
    const { id } = first.json;
    // The shop may have seen the message before its answer has come back to the sender: until then
    // the message is under way, and a replay says so.
    const { json: replayed } = await until(async () => {
        const answer = await gateway.call('POST', `/v1/events/${id}/replay`);
        return answer.json.code !== 'delivery_under_way' && answer;
    }, 'the first attempt has ended');
    equal([replayed.event, replayed.webhooks], [id, 1], 'one webhook leaves');
    const again = await until(() => of(id)[1], 'it comes again');
    equal(takes(endpoint.secret, again), first.json, 'the same event, signed anew');
    const pending = (await until(async () => {
        const events = await gateway.events();
        return events.length > 1 && events;
    }, 'a second event'))[1];
    equal((await gateway.call('POST', `/v1/events/${pending.id}/replay`)).json.code,
          'nothing_to_send', 'no endpoint wants this type');
    proved('one event is sent again under its own id');

    // Dead: refused by the shop for all tries.
    shop.behave = () => ({ status: 500 });
    const made = await gateway.paying({ order_id: 'INV-2' });
    const event = (await gateway.events()).find((one) => one.data.id === made.id);
    await until(() => of(event.id).length === 1, 'a first try');
    await until(async () => {
        const hurried = await gateway.call('POST', `/v1/events/${event.id}/replay`);
        check(hurried.status === 202 || hurried.json.code === 'delivery_under_way',
              `status ${hurried.status}`);
        return of(event.id).length > 1;
    }, 'what waits is tried at once');
    const letters = async (who = gateway) => (await who.ok('GET', '/v1/dead_letters')).data;
    equal(await letters(), [], 'none is dead yet');
    const dead = await until(async () => {
        await operator.advance(25 * 3600_000);
        return (await letters())[0];
    }, 'it is dead');
    equal([dead.event, dead.endpoint, dead.status, dead.last_status],
          [event.id, endpoint.id, 'dead', 500], 'what, where and why');
    const document = await gateway.ok('GET', '/openapi.json');
    const faults = validate(document, document.components.schemas.DeadLetter, dead);
    equal(faults.filter((one) => !one.endsWith('keyword format is not checked here')), [],
          'as documented');

    const { key } = await gateway.ok('POST', '/v1/api_keys', { merchant: 'Another shop' }, 201);
    const stranger = new Gateway(server.ready.merchant, key);
    scene.atEnd(() => stranger.hangUp());
    equal(await letters(stranger), [], 'no letters of a stranger');
    for (const path of [`events/${id}/replay`, `dead_letters/${dead.id}/retry`,
                        `webhook_endpoints/${endpoint.id}/rotate`]) {
        equal((await stranger.call('POST', `/v1/${path}`)).status, 404, `${path} by a stranger`);
    }

    await server.restart();
    shop.behave = () => ({ status: 200 });
    const before = of(event.id).length;
    const retried = await server.gateway.ok('POST', `/v1/dead_letters/${dead.id}/retry`,
                                               undefined, 202);
    equal([retried.id, retried.status], [dead.id, 'waiting'], 'it waits again');
    await until(() => of(event.id).length > before, 'it arrives');
    await until(async () => (await letters(server.gateway)).length === 0, 'no letter is left');
    equal((await server.gateway.call('POST', `/v1/dead_letters/${dead.id}/retry`)).json.code,
          'not_dead', 'and it is not sent once more');
    proved('a dead letter is found, kept over kill -9, sent again, and only by its own merchant');
});

await story('a question without an answer is no dead letter', async (scene) => {
    const server = await both(scene);
    const shop = await Listener.open(scene);
    const { operator } = server;
    const letters = async () => (await server.gateway.ok('GET', '/v1/dead_letters')).data;
    const figure = async (name) => (await metricsOf(server.gateway))[name];
    const counted = (count, what) =>
        until(async () => await figure('hakika_callbacks_dead') === count, what);
    await operator.simOk('PUT', '/rules', { rules: [
        { name: 'lost', match: { api: 'stk_push' }, then: { callback: { never: true } } },
        { name: 'mute', match: { api: 'stk_query' }, then: { answer: { error: '500.003.02' } } }] });
    const made = await server.gateway.paying({ order_id: 'MUTE-1' });
    await server.gateway.become(made.id, 'pending');
    await operator.approved(await prompt(operator));
    await operator.advance(11 * 60_000);
    await until(async () => await figure('hakika_callback_attempts_failed_total') > 0,
                'questions were not answered');
    equal(await letters(), [], 'no letter is dead');
    equal(await figure('hakika_callbacks_dead'), 0, 'and none is counted');

    await operator.simOk('PUT', '/rules', { rules: [] });
    shop.behave = () => ({ status: 500 });
    await server.gateway.ok('POST', '/v1/webhook_endpoints', { url: shop.url }, 201);
    const told = await server.gateway.paying({ order_id: 'DEAF-1' });
    await server.gateway.become(told.id, 'pending');
    const dead = await until(async () => {
        await operator.advance(25 * 3600_000);
        const list = await letters();
        return list.length > 0 && list;
    }, 'webhooks are given up');
    await counted((await letters()).length, 'each is counted');
    equal(await server.stop(), 0, 'a clean stop');
    await server.start();
    await counted((await letters()).length, 'and after a start from the snapshot');
    shop.behave = () => ({ status: 200 });
    for (const { id } of dead) await server.gateway.call('POST', `/v1/dead_letters/${id}/retry`);
    await until(async () => (await letters()).length === 0, 'they arrive');
    await counted(0, 'the figure falls again');
    proved('only what GET /v1/dead_letters lists is counted as given up');
});
