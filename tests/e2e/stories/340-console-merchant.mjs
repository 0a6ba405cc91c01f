// The merchant's side of the console (R2.1, R2.5, R2.6): both pages know each other; a payment asked for
// in the page is paid on the phone; one whose callback was lost is found by asking the provider, and
// is never called failed meanwhile; what fits nothing is shown; a page from elsewhere asks in vain.
import { axeSource, Browser, closeBrowser } from '../lib/browser.mjs';
import { both, prompt } from '../lib/gateway.mjs';
import { equal, proved, story, until } from '../lib/story.mjs';

const becomes = (page, id, status) =>
    page.locator(`[data-testid="row-${id}"][data-status="${status}"]`).waitFor();

async function askInPage(page, order) {
    await page.getByTestId('new-payment').click();
    await page.locator('input[name="order"]').fill(order);
    await page.getByTestId('create-payment').click();
}

await story('the merchant side of the page', async (scene) => {
    const server = await both(scene);
    const { operator, gateway } = server;
    const browser = await Browser.open(scene);
    const page = await browser.commonPage();
    await page.goto(`${server.ready.operator}/#/phones`);
    await page.getByRole('link', { name: 'Merchant' }).click();
    await page.waitForURL(`${server.ready.merchant}/#/merchant`);
    await page.getByText('No payments yet').waitFor();
    const back = await page.getByRole('link', { name: 'Phones' }).getAttribute('href');
    equal(back, `${server.ready.operator}/#/phones`, 'the way back');
    proved('the pages of the two books lead to each other');

    await askInPage(page, 'ORDER-1');
    await becomes(page, 'pay_1', 'pending');
    await operator.approved(await prompt(operator));
    await becomes(page, 'pay_1', 'succeeded');
    await page.getByTestId('story').getByText('COMPLETED').first().waitFor();
    proved('a payment that the page asks for is paid on the phone');

    await operator.simOk('PUT', '/rules', { rules: [{ name: 'lost', match: { api: 'stk_push' },
        then: { callback: { never: true } } }] });
    await askInPage(page, 'ORDER-2');
    await becomes(page, 'pay_2', 'pending');
    await operator.approved(await prompt(operator));
    equal((await gateway.payment('pay_2')).status, 'pending', 'nobody told the gateway');
    await page.getByTestId('resolve').click();
    await becomes(page, 'pay_2', 'succeeded');
    equal((await gateway.payment('pay_2')).source, 'query', 'who told');
    proved('a lost callback is found by asking the provider');

    await page.getByRole('link', { name: 'Health' }).click();
    const repair = page.getByTestId('repair');
    await repair.getByText('Repaired payments: 50 %').waitFor();
    await page.getByTestId('hakika_acknowledge_seconds').getByText(/\d ms/).first().waitFor();
    equal(await page.getByTestId('hakika_push_to_callback_seconds').count(), 0, 'that is the operator\'s');
    await page.getByRole('link', { name: 'Merchant', exact: true }).click();
    proved('one of two had to be repaired, and Health says so');

    const provider = (await gateway.ok('GET', '/v1/providers')).data[0];
    const orphan = { Result: { ResultType: 0, ResultCode: 0, ResultDesc: 'ok', TransactionID: 'ZZ00000000',
                               OriginatorConversationID: 'nobody', ConversationID: 'AG_nobody' } };
    const path = new URL(provider.callback_url).pathname;
    await gateway.call('POST', `${path}/result`, orphan);
    await until(async () => (await gateway.ok('GET', '/v1/notices?limit=50')).data
        .some((one) => ['orphan', 'unreadable'].includes(one.status)), 'the notice is kept');
    await page.locator('.merchant-cards .moment').first().waitFor();
    proved('a notice that fits nothing is shown');

    await page.evaluate(axeSource());
    const faults = await page.evaluate(async () => (await window.axe.run(document)).violations
        .filter((one) => one.impact === 'serious' || one.impact === 'critical')
        .map((one) => `${one.id}: ${one.nodes[0].target} ${one.nodes[0].failureSummary}`));
    equal(faults, [], 'serious faults');
    browser.clean();
});

await story('another page cannot use the gateway', async (scene) => {
    const server = await both(scene);
    const body = { amount: 15000, currency: 'KES', phone: '254708374149', order_id: 'X' };
    const own = server.ready.merchant;
    for (const [headers, code] of [[{ Origin: 'http://evil.example' }, 'origin_not_allowed'],
        [{ Host: 'evil.example', Origin: 'http://evil.example' }, 'host_not_allowed'],
        [{ Origin: own, 'Sec-Fetch-Site': 'same-origin' }, 'console_token_needed']]) {
        const answer = await server.gateway.call('POST', '/v1/payments', body,
                                                 { 'Idempotency-Key': 'k', ...headers });
        equal([answer.status, answer.json.code], [403, code], JSON.stringify(headers));
    }
    equal((await server.gateway.ok('GET', '/v1/payments')).data, [], 'payments');
    proved('with the well-known key of a fresh start, too');
});

await closeBrowser();
