// operator.mjs - a client of the operator: Daraja's calls as an integration makes them, and the
// control API (the phone, the clock, the books) as a test uses it.
import { connections, request } from './http.mjs';
import { check, equal, fail, until } from './story.mjs';

export const PASSKEY = 'bfb279f9aa9bdbcf158e97dd71a467cd2e0c893059b10f78e6b72ada1ed2c919';
export const SHORT_CODE = 174379;
export const PHONE = 254708374149;
export const PIN = '1234';

export function password(shortCode, timestamp, passkey = PASSKEY) {
    return Buffer.from(`${shortCode}${passkey}${timestamp}`).toString('base64');
}

export class Operator {
    // former: the client of the same server before its restart, whose token is still good.
    constructor(base, former) {
        this.base = base;
        this.agent = connections();
        this.token = former?.token;
        this.onSent = new Set();
    }

    // Resolves as soon as so many more requests have left (whether they arrive is another matter).
    sent(count = 1) {
        return new Promise((resolve) => {
            const tell = () => {
                if (--count === 0) {
                    this.onSent.delete(tell);
                    resolve();
                }
            };
            this.onSent.add(tell);
        });
    }

    // Opens so many connections, which later requests use.
    async warmUp(count) {
        const ask = () => this.call('GET', '/healthz');
        for (const answer of await Promise.all(Array.from({ length: count }, ask))) {
            equal(answer.status, 200, 'status of /healthz');
        }
    }

    hangUp() {
        this.agent.destroy();
    }

    call(method, path, options = {}) {
        const onSent = () => {
            for (const tell of this.onSent) tell();
        };
        return request(this.base, method, path, { agent: this.agent, onSent, ...options });
    }

    // ---- Daraja ----

    async authorize(key = 'key', secret = 'secret') {
        const basic = Buffer.from(`${key}:${secret}`).toString('base64');
        const answer = await this.call('GET', '/oauth/v1/generate?grant_type=client_credentials',
                                       { headers: { Authorization: `Basic ${basic}` } });
        equal(answer.status, 200, 'status of OAuth');
        this.token = answer.json.access_token;
        return answer;
    }

    async bearer() {
        if (!this.token) await this.authorize();
        return { Authorization: `Bearer ${this.token}` };
    }

    pushBody(fields = {}) {
        const shortCode = fields.BusinessShortCode ?? SHORT_CODE;
        const timestamp = fields.Timestamp ?? '20260101120000';
        return {
            BusinessShortCode: shortCode,
            Password: password(shortCode, timestamp),
            Timestamp: timestamp,
            TransactionType: 'CustomerPayBillOnline',
            Amount: 10,
            PartyA: fields.PhoneNumber ?? PHONE,
            PartyB: shortCode,
            PhoneNumber: PHONE,
            CallBackURL: 'http://127.0.0.1:9/nobody',
            AccountReference: 'INV-1',
            TransactionDesc: 'Test',
            ...fields,
        };
    }

    // The answer, whatever it is.
    async tryPush(fields = {}, options = {}) {
        return this.call('POST', '/mpesa/stkpush/v1/processrequest',
                         { body: this.pushBody(fields), headers: await this.bearer(), ...options });
    }

    // The answer; "System is busy", which a slow disk may cause at any time, means to ask again.
    push(fields, options) {
        return until(async () => {
            const answer = await this.tryPush(fields, options);
            return answer.json?.errorCode !== '500.003.02' && answer;
        }, 'the server is not busy any more');
    }

    // An accepted push: {CheckoutRequestID, ...}.
    async pushed(fields = {}) {
        const answer = await this.push(fields);
        if (answer.status !== 200) fail(`the push was refused: ${answer.status} ${answer.text}`);
        equal(answer.json.ResponseCode, '0', 'ResponseCode of the push');
        return answer.json;
    }

    async query(checkoutRequestId, fields = {}) {
        const timestamp = '20260101120000';
        return this.call('POST', '/mpesa/stkpushquery/v1/query', {
            headers: await this.bearer(),
            body: { BusinessShortCode: SHORT_CODE, Password: password(SHORT_CODE, timestamp),
                    Timestamp: timestamp, CheckoutRequestID: checkoutRequestId, ...fields },
        });
    }

    // ---- the control API ----

    sim(method, path, body) {
        return this.call(method, `/sim/v1${path}`, { body });
    }

    // The JSON of an answer that must have this status.
    async simOk(method, path, body, status = 200) {
        const answer = await this.sim(method, path, body);
        if (answer.status !== status) {
            fail(`${method} ${path}: expected ${status}, got ${answer.status} ${answer.text}`);
        }
        return answer.json;
    }

    subscriber(msisdn = PHONE) {
        return this.simOk('GET', `/subscribers/${msisdn}`);
    }

    async balance(msisdn = PHONE) {
        return (await this.subscriber(msisdn)).balance;
    }

    openSubscriber(msisdn, balance, pin = PIN) {
        return this.simOk('POST', '/subscribers', { msisdn, pin, balance }, 201);
    }

    async accounts(shortCode = SHORT_CODE) {
        return (await this.simOk('GET', `/organisations/${shortCode}`)).accounts;
    }

    async utility(shortCode = SHORT_CODE) {
        return (await this.accounts(shortCode)).utility;
    }

    async prompts(msisdn = PHONE) {
        return (await this.simOk('GET', `/subscribers/${msisdn}/prompts`)).data;
    }

    approve(checkoutRequestId, pin = PIN, wait = 10) {
        const query = wait ? `?wait=${wait}` : '';
        return this.sim('POST', `/prompts/${checkoutRequestId}/approve${query}`, { pin });
    }

    // The payment after the PIN has had its effect.
    async approved(checkoutRequestId, pin = PIN) {
        const answer = await this.approve(checkoutRequestId, pin);
        equal(answer.status, 200, `status of the approval (${answer.text})`);
        return answer.json;
    }

    cancel(checkoutRequestId, wait = 10) {
        return this.sim('POST', `/prompts/${checkoutRequestId}/cancel?wait=${wait}`, {});
    }

    transaction(id) {
        return this.simOk('GET', `/transactions/${id}`);
    }

    // All STK payments, newest first.
    async transactions() {
        return this.wholeList('/transactions?type=stk_push');
    }

    async deliveriesOf(id) {
        return (await this.simOk('GET', `/deliveries?transaction=${id}`)).data;
    }

    async delivery(id) {
        const all = await this.deliveriesOf(id);
        equal(all.length, 1, `callbacks of ${id}`);
        return all[0];
    }

    async wholeList(path) {
        const all = [];
        for (let after = ''; ;) {
            const page = await this.simOk('GET',
                                          `${path}${path.includes('?') ? '&' : '?'}limit=100${after}`);
            all.push(...page.data);
            if (!page.has_more) return all;
            check(page.data.length > 0, `${path} says that there is more and gives nothing`);
            after = `&starting_after=${page.data.at(-1).id}`;
        }
    }

    clock() {
        return this.simOk('GET', '/clock');
    }

    advance(ms) {
        return this.simOk('POST', '/clock', { advance_ms: ms });
    }

    untilIdle(maxMs) {
        return this.simOk('POST', '/clock/run-until-idle',
                          maxMs === undefined ? {} : { max_advance_ms: maxMs });
    }

    metrics() {
        return metricsOf(this);
    }
}

// The figures of whatever answers here: the operator's port, or the gateway's.
export async function metricsOf(client) {
    const answer = await client.call('GET', '/metrics');
    const values = {};
    for (const line of answer.text.split('\n')) {
        const at = line.lastIndexOf(' ');
        if (at > 0 && !line.startsWith('#')) {
            values[line.slice(0, at)] = Number(line.slice(at + 1));
        }
    }
    return values;
}

// Its SQL view holds everything that is durable now.
export function viewed(client) {
    return until(async () => {
        const values = await metricsOf(client);
        return values.hakika_view_position === values.hakika_durable_position;
    }, 'the view has caught up', 30);
}
