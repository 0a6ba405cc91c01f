// The guide to going live is true: the commands of docs/shop.md are taken from the page and run, with
// the operator next door in Safaricom's place and a name that nobody has in that of the shop.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { Gateway } from '../lib/gateway.mjs';
import { HAKIKA, Server } from '../lib/server.mjs';
import { check, equal, proved, story } from '../lib/story.mjs';

const page = readFileSync(new URL('../../../docs/shop.md', import.meta.url), 'utf8')
    .split('## Going live with the real Daraja\n')[1];
check(page, 'docs/shop.md has the guide');

// What stands between backquotes and begins like this, on one line.
function quoted(beginning, among = page) {
    const found = [...among.matchAll(/`([^`]+)`/g)].map(([, text]) => text.replace(/\s+/g, ' '))
        .find((text) => text.startsWith(beginning));
    check(found, `the guide says ${beginning}...`);
    return found;
}

const step = (number) => page.split(new RegExp(`^${number}\\. `, 'm'))[1].split(/^\d\. /m)[0];

await story('the guide to going live', async (scene) => {
    const next = await Server.open(scene, [], { data: scene.path('operator') });
    const here = (text) => text.replace('/var/lib/hakika', scene.path('hakika'))
        .replace('pay.example.com', 'pay.invalid')
        .replace('https://api.safaricom.co.ke', next.ready.operator);
    const inFolder = { cwd: scene.folder, encoding: 'utf8' };
    mkdirSync(scene.path('hakika'));
    execFileSync('sh', ['-euc', `umask 077; ${quoted('openssl rand')}`], inFolder);
    writeFileSync(scene.path('consumer-key'), 'the-key\n', { mode: 0o600 });
    writeFileSync(scene.path('consumer-secret'), 'the-secret\n', { mode: 0o600 });
    const key = readFileSync(scene.path('api-key'), 'utf8').trim();

    const command = here(quoted('hakika doctor')).split(' ').slice(1);
    const told = spawnSync(HAKIKA, command, inFolder);
    const lines = told.stdout.trim().split('\n').map((one) => [one.slice(0, 5).trim(), one.slice(6, 18).trim()]);
    for (const what of ['settings', 'API key', 'key file', 'provider']) {
        const its = lines.filter((one) => one[1] === what);
        check(its.length > 0 && its.every((one) => one[0] === 'ok'), `${what}: ${told.stdout}${told.stderr}`);
    }
    check(lines.some((one) => one[0] === 'WRONG' && one[1] === 'DNS'), 'a name that nobody has is noticed');
    proved('the doctor takes the flags of the guide, and finds files, keys and provider good');

    const upTo = command.indexOf('--api-key-file') + 2;
    const flags = command.slice(1, upTo).filter((one, i, all) => one !== '--data' && all[i - 1] !== '--data')
        .map((one) => (one === 'api-key' ? scene.path(one) : one));
    const server = new Server(scene, [...flags, '--merchant-port', '0'], { data: scene.path('hakika') });
    await server.start();
    const live = new Gateway(server.ready.merchant, key);
    scene.atEnd(() => live.hangUp());
    equal((await live.ok('GET', '/v1/providers')).data, [], 'nothing is configured');
    proved('it starts with the same flags');

    // The members that the guide names, with the values that it gives.
    const names = [...step(5).matchAll(/`([a-z_]+)(: ([^`]+))?`/g)];
    const account = Object.fromEntries(names.map(([, name, , value]) =>
        [name, value === undefined ? `a-secret-${name}` : JSON.parse(value)]));
    // What Safaricom's portal gives: 256 bytes, encrypted with its certificate, in base64.
    const credential = Buffer.alloc(256, 'a-secret-credential').toString('base64');
    equal(credential.length, 344, 'characters of a SecurityCredential');
    Object.assign(account, { short_code: 600100, is_till: false, party_b: 600100, security_credential: credential });
    for (const name of ['consumer_key', 'consumer_secret', 'passkey', 'base_url', 'production',
                        'initiator', 'security_credential']) {
        check(name in account, `the guide names ${name}`);
    }
    const document = await live.ok('GET', '/openapi.json');
    const { schema } = document.paths['/v1/providers'].post.requestBody.content['application/json'];
    equal(Object.keys(account).filter((name) => !(name in schema.properties)), [],
          'members that the document does not have');
    const made = await live.call('POST', '/v1/providers', account);
    equal([made.status, made.json?.production, made.json?.base_url],
          [201, true, 'https://api.safaricom.co.ke'], `an account as the guide says: ${made.text}`);
    check(!made.text.includes('a-secret-') && !made.text.includes(credential), 'no secret is shown');
    check(!(await live.call('GET', '/v1/providers')).text.includes('a-secret-'), 'nor later');
    const timeline = quoted('GET /v1/payments').slice('GET '.length);
    check(document.paths[timeline]?.get, `${timeline} exists`);
    check((await live.call('GET', '/metrics')).text.includes('hakika_gateway_attention'), 'what to watch');
    proved('the account is opened as the guide says, and no secret comes back');
});
