// The delivery inspector: each attempt's request and answer, replay, edit and replay (an edited copy
// is a delivery of its own), and a curl line that sends the same bytes.
import { spawn } from 'node:child_process';
import http from 'node:http';
import { Listener } from '../lib/listener.mjs';
import { SHORT_CODE } from '../lib/operator.mjs';
import { Server } from '../lib/server.mjs';
import { check, equal, proved, story, until, within } from '../lib/story.mjs';

// A receiver of any bytes: the listener of other stories wants JSON.
async function rawReceiver(scene) {
    const got = [];
    const server = http.createServer((call, answer) => {
        const parts = [];
        call.on('data', (part) => parts.push(part));
        call.on('end', () => {
            got.push({ method: call.method, path: call.url, headers: call.headers,
                       body: Buffer.concat(parts).toString('utf8') });
            answer.end('thanks');
        });
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    scene.atEnd(() => { server.closeAllConnections(); server.close(); });
    return { got, url: `http://127.0.0.1:${server.address().port}` };
}

function shell(command) {
    return within(new Promise((resolve) => {
        const child = spawn('sh', ['-c', command], { stdio: ['ignore', 'pipe', 'pipe'] });
        let text = '';
        child.stdout.on('data', (part) => { text += part; });
        child.stderr.on('data', (part) => { text += part; });
        child.on('close', (code) => resolve({ code, text }));
    }), 'the command to end');
}

async function ended(operator, id) {
    return until(async () => {
        const answer = await operator.simOk('GET', `/deliveries/${id}`);
        return answer.state !== 'waiting' && answer;
    }, `${id} is sent`);
}

await story('attempts, replays, edited copies', async (scene) => {
    const listener = await Listener.open(scene);
    const raw = await rawReceiver(scene);
    const server = await Server.open(scene, ['--clock', 'virtual']);
    let { operator } = server;
    listener.behave = () => ({ status: 503, body: 'try later' });
    const { CheckoutRequestID: id } = await operator.pushed({ CallBackURL: listener.url });
    await operator.approved(id);
    await until(async () => (await operator.delivery(id)).attempts.length > 0, 'a first attempt');
    listener.behave = () => ({ status: 200, body: 'ok' });
    await operator.untilIdle();
    const delivery = await operator.delivery(id);
    const [first] = listener.received;
    equal([delivery.method, delivery.url, delivery.request_body, delivery.edited, delivery.original],
          ['POST', listener.url, first.text, false, null], 'the request');
    for (const [name, value] of Object.entries(delivery.request_headers)) {
        equal(first.headers[name.toLowerCase()], value, `the header ${name}`);
    }
    equal(delivery.attempts.map((a) => [a.response_status, a.response_body]),
          [[503, 'try later'], [200, 'ok']], 'the answers');

    // Edited: another body, another URL, both; as often as one likes, and from a copy too.
    const path = (dlv) => `/deliveries/${dlv}/replay`;
    const nasty = 'it\'s "$HOME" `id` $(id) \\ %s\n\t!{a,b}[1-3] @file é';
    const edits = [
        [{ body: { Body: { stkCallback: { ResultCode: 1, Amount: 1.5 } } } },
         '{"Body":{"stkCallback":{"ResultCode":1,"Amount":1.5}}}', listener.url],
        [{ url: `${raw.url}/x?y=[1]&z={2}` }, first.text, `${raw.url}/x?y=[1]&z={2}`],
        [{ url: `${raw.url}/n`, body: nasty }, nasty, `${raw.url}/n`],
    ];
    const copies = [];
    for (const [body, text, url] of edits) {
        const copy = await operator.simOk('POST', path(copies.at(-1)?.id ?? delivery.id), body, 202);
        equal([copy.edited, copy.original, copy.url, copy.transaction],
              [true, delivery.id, body.url ? url : copy.url, delivery.transaction], 'the copy');
        copies.push(copy);
        const sent = await ended(operator, copy.id);
        equal([sent.state, sent.request_body, sent.attempts.length],
              ['delivered', body.body || copies.length < 2 ? text : sent.request_body, 1], 'what was sent');
    }
    equal(raw.got.map((g) => g.path), ['/x?y=[1]&z={2}', '/n'], 'where it went');
    equal(raw.got[1].body, nasty, 'the bytes of a text that is no JSON');
    equal(listener.about(id).length, 2, 'the original was not sent again');
    equal((await operator.deliveriesOf(id)).map((d) => d.id), [delivery.id, ...copies.map((c) => c.id)],
          'all of the transaction');
    equal((await operator.transaction(id)).status, 'SUCCESS', 'the payment is what it was');

    // The same bytes with curl.
    for (const dlv of [delivery.id, ...copies.map((c) => c.id)]) {
        const shown = await operator.simOk('GET', `/deliveries/${dlv}`);
        const curl = await operator.call('GET', `/sim/v1/deliveries/${dlv}/curl`);
        equal([curl.status, curl.headers['content-type']], [200, 'text/plain; charset=utf-8'], 'curl');
        const before = raw.got.length;
        const there = shown.url.startsWith(raw.url);
        const line = there ? curl.text : curl.text.replace(listener.url, `${raw.url}/there`);
        const run = await shell(line);
        equal([run.code, run.text], [0, 'thanks'], `the command ${line}`);
        const got = raw.got[before];
        equal([got.method, got.body, got.headers['content-type'], got.headers['user-agent']],
              ['POST', shown.request_body, 'application/json', shown.request_headers['User-Agent']],
              'what curl sent');
        equal(`${raw.url}${got.path}`, there ? shown.url : `${raw.url}/there`, 'where curl sent it');
    }

    // As it was, after kill -9; and what is refused.
    await server.restart();
    ({ operator } = server);
    const kept = await operator.deliveriesOf(id);
    equal(kept.map((d) => [d.id, d.edited, d.request_body]),
          [[delivery.id, false, first.text], ...await Promise.all(copies.map(async (c) =>
              [c.id, true, (await operator.simOk('GET', `/deliveries/${c.id}`)).request_body]))],
          'after kill -9');
    await operator.simOk('POST', path(delivery.id), {}, 202);
    await until(() => listener.about(id).length === 3, 'the original, again');
    for (const [what, code, body] of [
        ['a URL that is none', 'invalid_url', { url: 'nonsense' }],
        ['a URL that is no text', 'invalid_url', { url: 5 }],
        ['an empty body', 'invalid_body', { body: '' }],
        ['a number', 'invalid_body', { body: 5 }],
        ['a long body', 'invalid_body', { body: 'x'.repeat(2047) }]]) {
        const answer = await operator.sim('POST', path(delivery.id), body);
        equal([answer.status, answer.json.code], [400, code], what);
    }
    equal((await operator.sim('POST', path('dlv_99'), { body: 'x' })).status, 404, 'no such delivery');
    equal((await operator.call('GET', '/sim/v1/deliveries/dlv_99/curl')).status, 404, 'no such delivery');
    proved('attempts are shown as they were; edited copies are deliveries of their own, survive kill -9, ' +
           'and go out as curl lines byte for byte');
});

await story('a body too long for an edited copy', async (scene) => {
    const raw = await rawReceiver(scene);
    const server = await Server.open(scene, ['--clock', 'virtual', '--profile', 'sandbox']);
    const { operator } = server;
    const late = `${raw.url}/late?${'"'.repeat(900)}`;
    const asked = await operator.call('POST', '/mpesa/b2b/v1/paymentrequest', {
        headers: await operator.bearer(),
        body: { Initiator: 'testapi', SecurityCredential: 'AAAA', CommandID: 'BusinessPayBill',
                SenderIdentifierType: '4', RecieverIdentifierType: '4', Amount: '10',
                PartyA: SHORT_CODE, PartyB: 600000, AccountReference: 'A', Remarks: 'OK',
                QueueTimeOutURL: late, ResultURL: `${raw.url}/result` } });
    equal(asked.status, 200, asked.text);
    await operator.untilIdle();
    const [result] = (await operator.simOk('GET', '/deliveries')).data;
    const shown = await operator.simOk('GET', `/deliveries/${result.id}`);
    check(shown.request_body.length > 2046, `a long result: ${shown.request_body.length}`);
    const path = `/deliveries/${result.id}/replay`;
    const refused = await operator.sim('POST', path, { url: `${raw.url}/other` });
    equal([refused.status, refused.json.code], [400, 'invalid_body'], 'the same body elsewhere');
    await operator.simOk('POST', path, { url: `${raw.url}/other`, body: 'short' }, 202);
    await operator.simOk('POST', path, {}, 202);
    await until(() => raw.got.length === 3, 'a shorter one, and the same again');
    equal(raw.got.map((g) => g.body).sort(), ['short', shown.request_body, shown.request_body].sort(),
          'what was sent');
    proved('a body that an edited copy cannot have is refused, and the program goes on');
});
