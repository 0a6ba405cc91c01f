// Money that leaves through the gateway (B2C and reversal): held from the first moment, sent once
// under an id of ours, posted or released by a definite result, found out when none comes.
import { execFileSync } from 'node:child_process';
import { both, PHONE, prompt } from '../lib/gateway.mjs';
import { metricsOf } from '../lib/operator.mjs';
import { HAKIKA } from '../lib/server.mjs';
import { check, equal, proved, story, until } from '../lib/story.mjs';

await story('payouts and refunds', async (scene) => {
    const server = await both(scene);
    const { gateway, operator } = server;
    const key = (text) => ({ 'Idempotency-Key': text });
    const payout = (fields, id) => gateway.call('POST', '/v1/payouts',
        { amount: 5000, phone: String(PHONE), reference: 'SALARY-1', ...fields }, key(id));
    const become = (path, ...states) => until(async () => {
        const one = await gateway.ok('GET', path);
        return states.includes(one.status) && one;
    }, `${path} becomes ${states.join(' or ')}`);
    const late = (api) => operator.simOk('PUT', '/rules', { rules: [
        { name: 'a late result', match: { api }, then: { callback: { delay_ms: 30000 } } }] });
    const bought = async (order_id) => {
        const made = await gateway.paying({ order_id, amount: 100000 });
        await gateway.become(made.id, 'pending');
        await operator.approved(await prompt(operator));
        return gateway.become(made.id, 'succeeded');
    };

    // Nothing can be paid out of an empty wallet, and nothing was sent.
    const broke = await payout({}, 'p-0');
    equal([broke.status, broke.json.code], [409, 'insufficient_funds'], 'an empty wallet');
    const first = await bought('INV-1');

    const before = await operator.balance();
    const made = await payout({}, 'p-1');
    equal([made.status, made.json.status, made.json.object], [201, 'created', 'payout'], 'a payout');
    const paid = await become(`/v1/payouts/${made.json.id}`, 'succeeded');
    check(paid.receipt && paid.source === 'callback', 'with its receipt, by its result');
    equal(await operator.balance() - before, 5000, 'the person has it');
    equal(await gateway.balance('wallet'), 95000, 'the wallet does not');
    const again = await payout({}, 'p-1');
    equal([again.status, again.json.id], [201, made.json.id], 'the same key again');
    equal(await operator.balance() - before, 5000, 'and no second payout');
    proved('a payout moves its money once, whatever is asked again');

    // More than the wallet holds, and a person who cannot receive.
    equal((await payout({ amount: 9_600_000 }, 'p-2')).json.code, 'insufficient_funds', 'too much');
    await operator.simOk('PATCH', `/subscribers/${PHONE}`, { status: 'suspended' });
    const failed = await become(`/v1/payouts/${(await payout({}, 'p-3')).json.id}`, 'failed');
    check(failed.result_code !== '0' && failed.retryable, 'refused for certain');
    equal(await gateway.balance('wallet'), 95000, 'and released');

    // As long as its result has not come, it is pending and its money held.
    await late('b2c');
    const slow = await become(`/v1/payouts/${(await payout({}, 'p-4')).json.id}`, 'pending');
    equal((await payout({ amount: 95000 }, 'p-5')).json.code, 'insufficient_funds', 'it is held');
    for (const account of ['wallet', 'clearing_174379']) {
        const { posted, held, available } = await gateway.ok('GET', `/v1/accounts/${account}`);
        equal([held, posted - available], [5000, 5000], `what is held of ${account}`);
    }
    await operator.advance(30000);
    await become(`/v1/payouts/${slow.id}`, 'failed');
    equal(await gateway.balance('wallet'), 95000, 'and released, too');
    await operator.simOk('PUT', '/rules', { rules: [] });
    await operator.simOk('PATCH', `/subscribers/${PHONE}`, { status: 'active' });
    proved('a payout that fails for certain gives its money back to the wallet');

    // A refund by reversal: once, and the payment shows it.
    const refund = await gateway.call('POST', `/v1/payments/${first.id}/refund`, undefined, key('r-1'));
    equal([refund.status, refund.json.code], [409, 'insufficient_funds'],
          'what has been paid out is not there to be given back');
    const second = await bought('INV-2');
    const had = await operator.balance();
    await late('reversal'); // so that it is under way when it is asked for again
    const back = await gateway.call('POST', `/v1/payments/${second.id}/refund`, undefined, key('r-2'));
    equal([back.status, back.json.object, back.json.payment], [201, 'refund', second.id], 'a refund');
    equal((await gateway.call('POST', '/v1/refunds', { payment: second.id }, key('r-3'))).json.code,
          'already_refunded', 'not twice');
    await become(`/v1/refunds/${back.json.id}`, 'pending');
    await operator.advance(30000);
    await become(`/v1/refunds/${back.json.id}`, 'succeeded');
    const reversed = await gateway.become(second.id, 'reversed');
    equal([reversed.stk_state, reversed.reason], ['COMPLETED', 'refunded'], 'it keeps COMPLETED');
    equal(await operator.balance() - had, 100000, 'the payer has it again');
    equal(await gateway.balance('wallet'), 95000, 'and the wallet does not');
    equal((await gateway.call('POST', '/v1/refunds', { payment: second.id }, key('r-4'))).json.code,
          'not_refundable', 'nor later');
    proved('a refund gives a payment back once');

    // Neither a payout nor a refund is a payment that could have been repaired.
    const figures = await until(async () => {
        const values = await metricsOf(gateway);
        return values['hakika_gateway_entered_total{state="succeeded"}'] === 4 && values;
    }, 'two payments, a payout and a refund have succeeded');
    equal(figures.hakika_gateway_payments_succeeded_total, 2, 'payments alone');

    const types = (await gateway.events()).map((event) => event.type);
    for (const type of ['payout.created', 'payout.pending', 'payout.succeeded', 'payout.failed',
                        'refund.created', 'refund.succeeded', 'payment.reversed']) {
        check(types.includes(type), `${type} was told`);
    }
    equal(await gateway.balance('clearing_174379'),
          await gateway.balance('wallet') + await gateway.balance('fees'), 'the books balance');
    await server.restart();
    equal(await server.gateway.balance('wallet'), 95000, 'after kill -9, too');
    await server.kill();
    const report = JSON.parse(execFileSync(HAKIKA, ['verify', server.data, '--json'], { encoding: 'utf8' }));
    equal([report.ok, report.merchant.ok], [true, true], 'every proof holds in both books');
    proved('the journals prove it');
});
