// Shadow mode (R6.12): an application points its base URL at the gateway; everything goes to the
// provider as it came, and comes back as it was; what was seen is kept, without secrets, and nothing
// acts on it.
import { execFileSync } from 'node:child_process';
import { both, prompt } from '../lib/gateway.mjs';
import { Listener } from '../lib/listener.mjs';
import { Operator } from '../lib/operator.mjs';
import { HAKIKA } from '../lib/server.mjs';
import { check, equal, proved, story, until } from '../lib/story.mjs';

const PHONE = 254711400001;

await story('everything goes through, and nothing happens here', async (scene) => {
    const server = await both(scene, ['--shadow-of', 'operator']);
    const { gateway, operator } = server;
    const shop = await Listener.open(scene);
    // A client of Daraja whose base URL is the merchant's port.
    const client = new Operator(server.ready.merchant);
    scene.atEnd(() => client.hangUp());
    await client.authorize();
    const push = { PhoneNumber: PHONE, CallBackURL: shop.url };
    const accepted = await client.pushed(push);
    equal((await operator.transaction(accepted.CheckoutRequestID)).callback_url, shop.url,
          'the operator has the call as it was made');
    await operator.approved(await prompt(operator, PHONE));
    equal((await shop.callback(accepted.CheckoutRequestID)).ResultCode, 0,
          'the callback goes straight to the application');
    const query = await client.query(accepted.CheckoutRequestID);
    const direct = await operator.query(accepted.CheckoutRequestID);
    equal([query.status, query.json.ResultCode, query.json.ResultDesc],
          [direct.status, direct.json.ResultCode, direct.json.ResultDesc], 'the same answer');
    proved('push, callback and query as without the gateway');

    // What Daraja refuses is refused by Daraja; other APIs go through as well.
    const bad = await client.push({ ...push, Amount: 0 });
    const direct_ = await operator.push({ ...push, Amount: 0 });
    equal([bad.status, bad.json.errorCode, bad.json.errorMessage],
          [direct_.status, direct_.json.errorCode, direct_.json.errorMessage], 'the same refusal');
    const notBusy = (call) => until(async () => {
        const answer = await call();
        return answer.json?.errorCode !== '500.003.02' && answer;
    }, 'nobody is busy any more');
    const balance = await notBusy(() => client.call('POST', '/mpesa/accountbalance/v1/query', {
        headers: { Authorization: `Bearer ${client.token}` },
        body: { Initiator: 'testapi', SecurityCredential: 'c2VjcmV0', CommandID: 'AccountBalance',
                PartyA: 174379, IdentifierType: '4', Remarks: 'x', QueueTimeOutURL: shop.url,
                ResultURL: shop.url } }));
    equal(balance.status, 200, `balance: ${balance.text}`);
    const unknown = await client.call('POST', '/mpesa/nothing/v1/here', { body: {} });
    equal(unknown.status, 404, 'what Daraja has not is not here, either');
    proved('refusals and other APIs, too');

    // What was too much for a slow machine was asked again.
    const all = (await gateway.ok('GET', '/v1/shadow')).data;
    const seen = all.filter((one) => !(one.answer ?? '').includes('500.003.02'));
    equal(seen.map((one) => [one.call, one.status]).reverse(), [
        ['GET /oauth/v1/generate', 200], ['POST /mpesa/stkpush/v1/processrequest', 200],
        ['POST /mpesa/stkpushquery/v1/query', query.status],
        ['POST /mpesa/stkpush/v1/processrequest', bad.status],
        ['POST /mpesa/accountbalance/v1/query', 200], ['POST /mpesa/nothing/v1/here', 404],
    ], 'each as it was seen');
    const kept = JSON.parse(seen.at(-2).request);
    equal([kept.PhoneNumber, kept.CallBackURL], [PHONE, shop.url], 'with what it asked');
    check(/^\*+$/.test(kept.Password), 'but not the password');
    check(/^\*+$/.test(JSON.parse(seen[1].request).SecurityCredential), 'nor the credential');
    check(/^\*+$/.test(JSON.parse(seen.at(-1).answer).access_token), 'nor the token');
    equal(JSON.parse(seen.at(-2).answer).CheckoutRequestID, accepted.CheckoutRequestID,
          'and what was answered');
    equal((await gateway.ok('GET', '/v1/payments')).data, [], 'no payment was made of it');
    equal([await gateway.balance('wallet'), (await gateway.events()).length], [0, 0], 'nor anything');
    proved('what was seen is kept without its secrets, and nothing acts on it');

    await server.restart();
    equal((await server.gateway.ok('GET', '/v1/shadow')).data, all, 'after a restart');
    await server.kill();
    const report = JSON.parse(execFileSync(HAKIKA, ['verify', server.data, '--json'], { encoding: 'utf8' }));
    check(report.merchant.ok, 'the journal proves itself');
});

await story('a provider that is not there', async (scene) => {
    const gone = await Listener.open(scene);
    const base = gone.url.replace('/callback', '');
    await gone.down();
    const server = await both(scene, ['--shadow-of', base]);
    const client = new Operator(server.ready.merchant);
    scene.atEnd(() => client.hangUp());
    const answer = await client.call('GET', '/oauth/v1/generate?grant_type=client_credentials');
    equal([answer.status, answer.json.code], [502, 'no_answer'], 'said as it is');
    const seen = await until(async () => (await server.gateway.ok('GET', '/v1/shadow')).data[0], 'kept');
    equal([seen.status, seen.error !== null], [0, true], 'with why');
    proved('an unreachable provider is a 502, and kept as such');
});
