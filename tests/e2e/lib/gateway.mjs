// gateway.mjs - a client of the merchant gateway, and both books in one process with ports that
// stay the same over restarts (callbacks name them).
import { createHmac, timingSafeEqual } from 'node:crypto';
import { connections, request } from './http.mjs';
import { Server } from './server.mjs';
import { check, equal, until } from './story.mjs';

export const KEY = 'sk_test_hakika';
export const PHONE = 254708374149;

export class Gateway {
    constructor(base, key = KEY) {
        this.base = base;
        this.key = key;
        this.agent = connections();
    }

    call(method, path, body, headers = {}) {
        return request(this.base, method, path, {
            agent: this.agent, body,
            headers: { Authorization: `Bearer ${this.key}`, ...headers },
        });
    }

    async ok(method, path, body, status = 200, headers) {
        const answer = await this.call(method, path, body, headers);
        equal(answer.status, status, `status of ${method} ${path}: ${answer.text.slice(0, 300)}`);
        return answer.json;
    }

    pay(fields = {}, key = `key-${fields.order_id}`) {
        return this.call('POST', '/v1/payments',
                         { amount: 15000, currency: 'KES', phone: String(PHONE), ...fields },
                         { 'Idempotency-Key': key });
    }

    // A new payment; "busy", which a slow disk may cause at any time, means to ask again.
    async paying(fields, key) {
        const answer = await until(async () => {
            const one = await this.pay(fields, key);
            return one.json?.code !== 'busy' && one;
        }, 'the gateway is not busy any more');
        equal(answer.status, 201, `status of a new payment: ${answer.text.slice(0, 300)}`);
        return answer.json;
    }

    payment(id) {
        return this.ok('GET', `/v1/payments/${id}`);
    }

    // Until it is in one of these states.
    async become(id, ...states) {
        return until(async () => {
            const payment = await this.payment(id);
            return states.includes(payment.status) && payment;
        }, `${id} becomes ${states.join(' or ')}`);
    }

    async timeline(id) {
        return (await this.ok('GET', `/v1/payments/${id}/timeline`)).data;
    }

    async balance(account) {
        return (await this.ok('GET', `/v1/accounts/${account}`)).balance;
    }

    // The whole feed, which must be without gaps for a single merchant.
    async events() {
        const all = [];
        for (let after = 0; ;) {
            const page = await this.ok('GET', `/v1/events?after_seq=${after}&limit=100`);
            all.push(...page.data);
            if (!page.has_more) return all;
            after = page.next_after_seq;
        }
    }

    async types(id) {
        return (await this.events()).filter((event) => event.data.id === id)
            .map((event) => event.type);
    }

    hangUp() {
        this.agent.destroy();
    }
}

// A server with both books; its `gateway` is a client of the merchant's port.
export async function both(scene, flags = []) {
    const server = new Server(scene, ['--book', 'both', '--clock', 'virtual', ...flags]);
    const start = server.start.bind(server);
    server.start = async () => {
        await start();
        server.gateway?.hangUp();
        server.gateway = new Gateway(server.ready.merchant);
        if (server.port === 0) {
            server.port = Number(new URL(server.ready.operator).port);
            server.flags.push('--merchant-port', new URL(server.ready.merchant).port);
        }
        return server;
    };
    await server.start();
    scene.atEnd(() => server.gateway.hangUp());
    return server;
}

// Until it is so. What the operator was too busy for is sent again a second later, of the books'
// clock, which somebody has to move.
export function eventually(operator, ask, what) {
    let looks = 0;
    return until(async () => {
        if (++looks % 40 === 0) await operator.advance(1000);
        return ask();
    }, what);
}

// Standard Webhooks, v1: is one of the signatures right?
export function signed(received, secret) {
    const id = received.headers['webhook-id'];
    const timestamp = received.headers['webhook-timestamp'];
    const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
    const wanted = createHmac('sha256', key).update(`${id}.${timestamp}.${received.text}`).digest();
    return (received.headers['webhook-signature'] ?? '').split(' ').some((one) => {
        const given = Buffer.from(one.replace(/^v1,/, ''), 'base64');
        return given.length === wanted.length && timingSafeEqual(given, wanted);
    });
}

// The only prompt on a phone.
export async function prompt(operator, phone = PHONE) {
    const open = await until(async () => {
        const prompts = await operator.prompts(phone);
        return prompts.length > 0 && prompts;
    }, 'a prompt is on the phone');
    check(open.length === 1, 'more than one prompt');
    return open[0].checkout_request_id;
}
