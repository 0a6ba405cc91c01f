// The provider's connection fails ten times in a row and the breaker opens, in virtual time: a new
// payment is refused at once with 503 and when to try again, or, as the account is set, queued until
// the breaker lets it leave. Either way nothing is half sent: the operator has seen no push of it.
import { both } from '../lib/gateway.mjs';
import { Operator } from '../lib/operator.mjs';
import { check, equal, proved, story, until } from '../lib/story.mjs';

const PHONE = 254711700000;
const FAILURES = 10;

await story('an unreachable provider', async (scene) => {
    const server = await both(scene);
    let orders = 0;
    const order = () => ({ order_id: `ORDER-${++orders}`, phone: String(PHONE + orders) });
    const rules = (list) => server.operator.simOk('PUT', '/rules', { rules: list });
    const account = async () => (await server.gateway.ok('GET', '/v1/providers')).data[0];
    const seen = async () => (await server.operator.transactions()).length;
    const number = async () => (await server.gateway.ok('GET', '/v1/payments?limit=100')).data.length;
    // Every answer to a push is lost at the level of the connection.
    const breaks = async () => {
        await rules([{ name: 'gone', match: { api: 'stk_push' }, then: { answer: { connection: 'reset' },
                                                                       prompt: { act: 'ignore' } } }]);
        for (let i = 0; i < FAILURES; i++) {
            const made = await server.gateway.paying(order());
            await server.gateway.become(made.id, 'unconfirmed');
        }
        await until(async () => !(await account()).available, 'the breaker is open');
        await rules([]);
    };

    equal([(await account()).when_unavailable, (await account()).available], ['refuse', true], 'at first');
    const early = order();
    await server.gateway.become((await server.gateway.paying(early)).id, 'pending');
    await breaks();
    const [sent, made] = [await seen(), await number()];
    const refused = await server.gateway.pay(order());
    equal([refused.status, refused.json.code], [503, 'provider_unavailable'], 'refused');
    check(Number(refused.headers['retry-after']) >= 1, 'and when to try again');
    const again = await server.gateway.pay(early);
    equal([again.status, again.headers['idempotent-replayed']], [201, 'true'], 'what was made before');
    const client = new Operator(server.ready.merchant);
    scene.atEnd(() => client.hangUp());
    await client.authorize();
    const push = await client.tryPush({ PhoneNumber: PHONE + 99 });
    equal([push.status, push.json.errorCode], [500, '500.003.02'], 'on Daraja\'s own path');
    check(Number(push.headers['retry-after']) >= 1, 'with Retry-After, too');
    equal([await seen(), await number()], [sent, made], 'nothing was made or sent');
    await server.operator.advance(2000);
    check((await account()).available, 'the breaker has let go');
    const later = await server.gateway.paying(order());
    await server.gateway.become(later.id, 'pending');
    proved('refuse: 503 with Retry-After, no payment and no push; then as before');

    await server.gateway.ok('POST', '/v1/providers/prov_1', { when_unavailable: 'queue' });
    await breaks();
    const before = await seen();
    const queued = await server.gateway.paying(order());
    equal(queued.status, 'created', 'it is taken');
    equal((await server.gateway.payment(queued.id)).status, 'created', 'and waits');
    equal(await seen(), before, 'nothing has left');
    await server.operator.advance(2000);
    await server.gateway.become(queued.id, 'pending');
    equal(await seen(), before + 1, 'one push, when the breaker let it');
    await breaks();
    const kept = await server.gateway.paying(order());
    const then = await seen();
    await server.restart();
    equal((await account()).when_unavailable, 'queue', 'the setting is durable');
    await server.operator.advance(2000);
    await server.gateway.become(kept.id, 'pending');
    equal(await seen(), then + 1, 'one push after kill -9, too');
    proved('queue: durable, sent once when the provider may be asked again');
});
