// The production profile (interfaces): nothing by default, nothing that simulates, refuses to start
// until configured. And hakika doctor: one line for each thing looked at, with what to do.
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { Gateway } from '../lib/gateway.mjs';
import { HAKIKA, Server } from '../lib/server.mjs';
import { check, equal, proved, story } from '../lib/story.mjs';

const OWN_KEY = 'sk_live_0123456789abcdefghijkl';
const URL = 'https://pay.example.com';

function secret(scene, name, text, mode = 0o600) {
    const path = scene.path(name);
    writeFileSync(path, text);
    chmodSync(path, mode);
    return path;
}

await story('production starts only when it is configured', async (scene) => {
    const good = secret(scene, 'key', `${OWN_KEY}\n`);
    const production = ['--profile', 'production', '--book', 'merchant'];
    const refused = async (words, ...flags) => {
        const end = await Server.refused(scene, [...flags], { data: scene.path('none') });
        check(end.code !== 0 && words.test(end.errors), `${flags.join(' ')}: ${end.code} ${end.errors}`);
        check(!end.errors.includes(OWN_KEY), 'a secret is never repeated');
    };
    await refused(/merchant book alone/, '--profile', 'production', '--book', 'both');
    await refused(/--merchant-url must be given/, ...production);
    await refused(/https/, ...production, '--merchant-url', 'http://pay.example.com');
    await refused(/--merchant-url/, ...production, '--merchant-url', 'https://127.0.0.1');
    const complete = [...production, '--merchant-url', URL];
    await refused(/takes no --ephemeral/, ...complete, '--clock', 'virtual');
    await refused(/takes no --ephemeral/, ...complete, '--magic');
    await refused(/first API key.*--api-key-file/s, ...complete);
    await refused(/No such file/, ...complete, '--api-key-file', scene.path('nowhere'));
    await refused(/one word of 24/, ...complete, '--api-key-file', secret(scene, 'short', 'sk_live_1'));
    await refused(/chmod 600/, ...complete, '--api-key-file', secret(scene, 'open', OWN_KEY, 0o644));
    proved('it refuses to start, and says what is missing');

    const server = new Server(scene, [...complete, '--api-key-file', good, '--merchant-port', '0']);
    await server.start();
    const call = (key, method, path, body) => {
        const gateway = new Gateway(server.ready.merchant, key);
        scene.atEnd(() => gateway.hangUp());
        return gateway.call(method, path, body);
    };
    equal((await call('sk_test_hakika', 'GET', '/v1/payments')).status, 401, 'no default key');
    equal((await call(OWN_KEY, 'GET', '/v1/providers')).json.data, [], 'no provider by default');
    equal((await call(OWN_KEY, 'GET', '/v1/payments')).json.data, [], 'and no payment');
    for (const path of ['/sim/v1/clock', '/sim/v1/rules', '/', '/mpesa/c2b/v1/simulate']) {
        equal((await call(OWN_KEY, 'GET', path)).status, 404, `${path} in production`);
    }
    const webhook = await call(OWN_KEY, 'POST', '/v1/webhook_endpoints', { url: 'http://127.0.0.1:1/' });
    equal(webhook.status, 422, 'webhooks to public https addresses only');
    await server.stop();
    const bytes = readdirSync(server.data, { recursive: true, withFileTypes: true })
        .filter((one) => one.isFile())
        .map((one) => readFileSync(`${one.parentPath ?? one.path}/${one.name}`, 'latin1')).join('');
    check(!bytes.includes(OWN_KEY), 'the key is in no file of the data folder');
    server.flags = [...complete, '--merchant-port', '0'];
    await server.start();
    equal((await call(OWN_KEY, 'GET', '/v1/payments')).status, 200, 'the book knows the key');
    proved('with its own key, nothing that simulates, and the key nowhere on disk');
});

// Its lines as [ok or WRONG, what, words], and how it ended.
function doctor(...flags) {
    return new Promise((resolve, reject) => {
        const child = spawn(HAKIKA, ['doctor', ...flags], { stdio: ['ignore', 'pipe', 'pipe'] });
        let text = '';
        child.stdout.on('data', (part) => { text += part; });
        child.once('error', reject);
        child.once('close', (code) => {
            const lines = text.trim().split('\n').map((one) =>
                [one.slice(0, 5).trim(), one.slice(6, 18).trim(), one.slice(19)]);
            resolve({ code, text, said: (what) => lines.filter((one) => one[1] === what) });
        });
    });
}

await story('hakika doctor', async (scene) => {
    const server = await Server.open(scene, ['--book', 'both']);
    mkdirSync(scene.path('fresh'));
    const good = ['--data', scene.path('fresh'), '--merchant-url', server.ready.merchant,
                  '--api-key-file', secret(scene, 'key', OWN_KEY),
                  '--provider-url', server.ready.operator,
                  '--consumer-key-file', secret(scene, 'consumer-key', 'the-consumer-key\n'),
                  '--consumer-secret-file', secret(scene, 'consumer-secret', 'the-consumer-secret')];
    const but = (flag, value) => good.map((one, i) => good[i - 1] === flag ? value : one);
    const well = await doctor(...good);
    const disk = well.said('disk'); // this machine's own: full or slow, as it may be
    equal(well.code, disk.every((one) => one[0] === 'ok') ? 0 : 1, well.text);
    for (const what of ['settings', 'API key', 'key file', 'DNS', 'callback URL', 'provider', 'clock']) {
        check(well.said(what).length > 0 && well.said(what).every((one) => one[0] === 'ok'),
              `${what}: ${well.text}`);
    }
    equal(readdirSync(scene.path('fresh')), [], 'it leaves nothing behind');
    check(!existsSync(scene.path('fresh/secret.key')), 'and makes no key');
    proved('all is well: exit status 0');

    const wrong = async (what, words, flags) => {
        const answer = await doctor(...flags);
        equal(answer.code, 1, `exit status: ${answer.text}`);
        check(answer.said(what).some((one) => one[0] === 'WRONG' && words.test(one[2])),
              `${what} ${words}: ${answer.text}`);
        check(!/sk_live|the-consumer/.test(answer.text), 'a secret is never repeated');
    };
    await wrong('API key', /chmod 600/, but('--api-key-file', secret(scene, 'open', OWN_KEY, 0o644)));
    await wrong('provider', /HTTP 40\d.*copy consumer key and secret/,
                but('--consumer-key-file', secret(scene, 'bad', 'invalid')));
    await wrong('provider', /No such file/, but('--consumer-secret-file', scene.path('nowhere')));
    await wrong('provider', /check the URL, DNS and firewall/, but('--provider-url', 'http://127.0.0.1:1'));
    await wrong('callback URL', /asked http:\/\/127.0.0.1:1\/healthz.*start the proxy/,
                but('--merchant-url', 'http://127.0.0.1:1'));
    await wrong('DNS', /nowhere\.invalid does not resolve.*where its domain is kept/,
                but('--merchant-url', 'https://nowhere.invalid'));
    await wrong('settings', /--merchant-url/, [...good, '--profile', 'production', '--book', 'merchant']);
    proved('each thing that is wrong is named, with what to do: exit status 1');

    execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', '-subj',
                             '/CN=localhost', '-keyout', scene.path('tls.key'), '-out',
                             scene.path('tls.crt')], { stdio: 'ignore' });
    const proxy = https.createServer({ key: readFileSync(scene.path('tls.key')),
                                       cert: readFileSync(scene.path('tls.crt')) },
                                     (_, answer) => answer.end('ok'));
    await new Promise((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    scene.atEnd(() => { proxy.closeAllConnections(); proxy.close(); });
    await wrong('TLS', /certificate/, but('--merchant-url', `https://localhost:${proxy.address().port}`));
    proved('a certificate that nobody vouches for is noticed');

    const past = http.createServer((_, answer) => answer
        .writeHead(200, { Date: 'Thu, 01 Jan 2026 00:00:00 GMT' }).end('{"access_token":"x"}'));
    await new Promise((resolve) => past.listen(0, '127.0.0.1', resolve));
    scene.atEnd(() => { past.closeAllConnections(); past.close(); });
    await wrong('clock', /\d s ahead of that of.*synchronise it/,
                but('--provider-url', `http://127.0.0.1:${past.address().port}`));
    proved('a clock that differs from others is noticed');

    writeFileSync(scene.path('fresh/secret.key'), 'too short');
    await wrong('key file', /damaged/, good);
    proved('a damaged key file is noticed, and left as it is');
});
