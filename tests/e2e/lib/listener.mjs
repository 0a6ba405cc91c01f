// listener.mjs - a merchant's callback endpoint that behaves as the story wants: answers, answers
// badly or late, hangs, resets, is down and comes back on the same port.
import http from 'node:http';
import { until } from './story.mjs';

export const ACCEPTED = { status: 200, body: '{"ResultCode":0,"ResultDesc":"Accepted"}' };

// A rule can order callbacks that are no JSON.
function parse(text) {
    try {
        return JSON.parse(text);
    } catch {
        return undefined;
    }
}

// What a behaviour may do with a callback: {status, body, delayMs}, or 'hang', or 'reset'.
export class Listener {
    constructor(scene) {
        this.received = []; // {path, headers, text, json, at, answered}
        this.behave = () => ACCEPTED;
        this.port = 0;
        this.sockets = new Set();
        scene.atEnd(() => this.down());
    }

    static async open(scene) {
        const listener = new Listener(scene);
        await listener.up();
        return listener;
    }

    get url() {
        return `http://127.0.0.1:${this.port}/callback`;
    }

    // Accepts connections (again, on the port that it had).
    async up() {
        this.server = http.createServer((call, answer) => this.take(call, answer));
        this.server.keepAliveTimeout = 60000;
        this.server.on('connection', (socket) => {
            this.sockets.add(socket);
            socket.on('close', () => this.sockets.delete(socket));
            socket.on('error', () => {});
        });
        await new Promise((resolve, reject) => {
            this.server.once('error', reject);
            this.server.listen(this.port, '127.0.0.1', 4096, resolve);
        });
        this.port = this.server.address().port;
    }

    // Refuses connections from now on.
    async down() {
        if (!this.server) return;
        const closed = new Promise((resolve) => this.server.close(resolve));
        for (const socket of this.sockets) socket.destroy();
        this.server = undefined;
        await closed;
    }

    take(call, answer) {
        const parts = [];
        call.on('data', (part) => parts.push(part));
        call.on('error', () => {});
        call.on('end', () => {
            const text = Buffer.concat(parts).toString('utf8');
            const callback = { method: call.method, path: call.url, headers: call.headers, text,
                               json: parse(text), at: performance.now() };
            this.received.push(callback);
            this.reply(call, answer, this.behave(callback, this.received.length) ?? ACCEPTED);
        });
    }

    reply(call, answer, how) {
        if (how === 'hang') return;
        if (how === 'reset') {
            call.socket.resetAndDestroy();
            return;
        }
        const send = () => {
            answer.writeHead(how.status, { 'Content-Type': 'application/json', ...how.headers });
            answer.end(how.body ?? '');
        };
        if (how.delayMs) setTimeout(send, how.delayMs).unref();
        else send();
    }

    // The callbacks about one payment, as parsed.
    about(checkoutRequestId) {
        return this.received.map((callback) => callback.json?.Body?.stkCallback)
            .filter((result) => result?.CheckoutRequestID === checkoutRequestId);
    }

    // The first callback about a payment, waiting for it.
    // The first call that `is`, as soon as it comes.
    async find(is, what, seconds = 10) {
        await until(() => this.received.some(is), what, seconds);
        return this.received.find(is);
    }

    async callback(checkoutRequestId, seconds = 10) {
        await until(() => this.about(checkoutRequestId).length > 0,
                    `a callback about ${checkoutRequestId} arrives`, seconds);
        return this.about(checkoutRequestId)[0];
    }
}
