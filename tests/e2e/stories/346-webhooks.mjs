// Webhooks of the gateway (R5.1) in the hands of the npm package standardwebhooks, unmodified: it
// takes what we send, and nothing that was changed on the way.
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { both } from '../lib/gateway.mjs';
import { Listener } from '../lib/listener.mjs';
import { check, equal, proved, story } from '../lib/story.mjs';

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
