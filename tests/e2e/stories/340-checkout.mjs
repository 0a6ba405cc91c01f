// The payer's page over HTTP (R2.6): its address is nobody's to guess, it shows what the payer may
// see and nothing else, it works without a script, and it says "no money was taken" only when that
// is definite.
import { both, Gateway, KEY, PHONE, prompt } from '../lib/gateway.mjs';
import { request } from '../lib/http.mjs';
import { PASSKEY } from '../lib/operator.mjs';
import { check, equal, proved, story } from '../lib/story.mjs';

const NO_MONEY = /No money was taken/;

await story('the payer\'s page', async (scene) => {
    const server = await both(scene);
    const { gateway, operator } = server;
    const base = server.ready.merchant;
    const look = (url) => request(base, 'GET', url.slice(base.length), { agent: gateway.agent });
    const state = async (url) => (await look(`${url}/state`)).json;

    const first = await gateway.paying({ order_id: 'INV-1' });
    const second = await gateway.paying({ order_id: 'INV-2', phone: '254722000001' });
    for (const made of [first, second]) {
        check(new RegExp(`^${base}/pay/[0-9a-f]{32}$`).test(made.checkout_url), made.checkout_url);
    }
    check(first.checkout_url !== second.checkout_url, 'each has an address of its own');
    equal((await gateway.payment(first.id)).checkout_url, first.checkout_url, 'and keeps it');
    await gateway.become(first.id, 'pending');
    await gateway.become(second.id, 'pending');

    const page = await look(first.checkout_url);
    equal(page.status, 200, 'the page');
    equal(page.headers['content-type'], 'text/html; charset=utf-8', 'its type');
    check(page.text.includes('KSh 150.00') && page.text.includes('Default merchant') &&
          page.text.includes('2547*****149') && page.text.includes('enter your M-PESA PIN') &&
          page.text.includes('uweke PIN yako'), `amount, shop, masked phone and words: ${page.text}`);
    const shown = await state(first.checkout_url);
    equal(Object.keys(shown).sort(), ['amount', 'currency', 'ended', 'merchant', 'object', 'phone',
                                      'receipt', 'retryable', 'status', 'words'], 'all that it tells');
    equal([shown.status, shown.ended, shown.amount], ['prompted', false, 15000], 'how it stands');
    const told = page.text + JSON.stringify(shown) + JSON.stringify(page.headers);
    for (const secret of [KEY, String(PHONE), first.id, 'INV-1', '/callbacks/',
                          (await gateway.payment(first.id)).checkout_request_id]) {
        check(!told.includes(secret), `${secret} is not the payer's to see`);
    }
    proved('the page shows amount, shop, masked phone and state, and nothing else');

    const policy = page.headers['content-security-policy'];
    check(policy.includes("default-src 'none'") && policy.includes("frame-ancestors 'none'") &&
          !policy.includes('unsafe'), policy);
    equal([page.headers['referrer-policy'], page.headers['cache-control']],
          ['no-referrer', 'no-store'], 'its address stays with the payer');
    const script = await look(`${base}/pay/checkout.js`);
    equal(script.headers['content-type'], 'text/javascript; charset=utf-8', 'the script');
    check(Buffer.byteLength(script.text) <= 2048, `the script has ${script.text.length} bytes`);
    equal(script.headers['access-control-allow-origin'], '*', 'for pages of shops');
    equal((await look(`${base}/pay/checkout.css`)).status, 200, 'the style');
    proved('a strict policy, and a script of at most 2 kB');

    const dear = await gateway.paying({ order_id: 'INV-9', amount: 12345600, phone: '254722000009' });
    check((await look(dear.checkout_url)).text.includes('KSh 123,456.00'), 'a large amount');

    // What a shop names itself is text, not markup.
    const { key } = await gateway.ok('POST', '/v1/api_keys', { merchant: '<b>Duka & "Co"</b>' }, 201);
    const other = new Gateway(base, key);
    scene.atEnd(() => other.hangUp());
    await other.ok('POST', '/v1/providers', { short_code: 600000, consumer_key: 'k',
                                              consumer_secret: 's', passkey: PASSKEY }, 201);
    const made = await other.paying({ order_id: 'INV-1', phone: '254722000002' });
    const theirs = await look(made.checkout_url);
    check(theirs.text.includes('&lt;b&gt;Duka &amp; &quot;Co&quot;&lt;/b&gt;') &&
          !theirs.text.includes('<b>Duka'), theirs.text);
    proved('the name of a shop cannot put anything into the page');

    // Nobody else's, by no trick: another digit, a payment's number, an API's path.
    const id = first.checkout_url.split('/').at(-1);
    const changed = id.slice(0, -1) + (id.at(-1) === '0' ? '1' : '0');
    for (const wrong of [changed, '0'.repeat(32), '1', first.id, id.slice(1), `${id}0`,
                         id.toUpperCase() === id ? 'x' : id.toUpperCase()]) {
        equal((await look(`${base}/pay/${wrong}`)).status, 404, `/pay/${wrong}`);
        equal((await look(`${base}/pay/${wrong}/state`)).status, 404, `/pay/${wrong}/state`);
    }
    equal((await request(base, 'POST', `/pay/${id}`, { agent: gateway.agent, body: {} })).status, 405,
          'and it only shows');
    equal((await request(base, 'GET', '/v1/payments', { agent: gateway.agent,
        headers: { Authorization: `Bearer ${id}` } })).status, 401, 'the address is no key');
    proved('an address that was not given shows nothing');

    // Without a script: 20 looks, then the truth about it.
    const refresh = /http-equiv="refresh" content="3;url=\?look=(\d+)"/;
    equal(page.text.match(refresh)[1], '1', 'it looks again in 3 s');
    equal((await look(`${first.checkout_url}?look=19`)).text.match(refresh)[1], '20', 'the last time');
    for (const over of ['20', '21', 'x', '-1']) {
        const last = (await look(`${first.checkout_url}?look=${over}`)).text;
        check(!refresh.test(last) && last.includes('could not confirm') &&
              last.includes('Usilipe tena') && !/fail/i.test(last) && !NO_MONEY.test(last), last);
    }
    proved('without a script it looks 20 times and then says that it could not be confirmed');

    // Cancelled, and paid; and the address is the same after kill -9.
    await operator.cancel(await prompt(operator, 254722000001));
    await gateway.become(second.id, 'cancelled');
    const gone = await state(second.checkout_url);
    equal([gone.status, gone.ended, gone.retryable], ['cancelled', true, true], 'cancelled');
    check(NO_MONEY.test(gone.words.en) && /Hakuna pesa/.test(gone.words.sw), 'a definite end');
    await operator.approved(await prompt(operator));
    const paid = await gateway.become(first.id, 'succeeded');
    await server.restart();
    const done = (await request(server.ready.merchant, 'GET', `/pay/${id}/state`,
                                { agent: server.gateway.agent })).json;
    equal([done.status, done.ended, done.receipt], ['paid', true, paid.receipt], 'paid');
    const last = (await request(server.ready.merchant, 'GET', `/pay/${id}`,
                                { agent: server.gateway.agent })).text;
    check(last.includes('Umelipa. Asante.') && last.includes(paid.receipt) && !refresh.test(last), last);
    proved('ends are told in both languages, with the receipt, and survive kill -9');
});
