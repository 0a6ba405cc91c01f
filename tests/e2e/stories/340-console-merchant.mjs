// The merchant's side of the console (R2.1, R2.5, R2.6): both pages know each other; a payment asked for
// in the page is paid on the phone; one whose callback was lost is found by asking the provider, and
// is never called failed meanwhile; what fits nothing is shown; a page from elsewhere asks in vain.
import { axeSource, Browser, closeBrowser } from '../lib/browser.mjs';
import { both, PHONE, prompt, signed } from '../lib/gateway.mjs';
import { Listener } from '../lib/listener.mjs';
import { SHORT_CODE } from '../lib/operator.mjs';
import { kenyan, portal } from '../lib/statement.mjs';
import { check, equal, matches, proved, story, until } from '../lib/story.mjs';

const becomes = (page, id, status) =>
    page.locator(`[data-testid="row-${id}"][data-status="${status}"]`).waitFor();

async function askInPage(page, order) {
    await page.getByTestId('new-payment').click();
    await page.locator('input[name="order"]').fill(order);
    await page.getByTestId('create-payment').click();
}

const tab = (page, name) => page.locator('.tabs').getByRole('link', { name }).click();

// A button that asks once more: however long it took to press it the first time.
async function twice(place, name, sure) {
    await place.getByRole('button', { name, exact: true }).click();
    await place.getByRole('button', { name: sure, exact: true }).click();
}

const account = (page, name, words) => page.getByTestId(`account-${name}`).getByText(words, { exact: true }).waitFor();

async function seriousFaults(page) {
    await page.evaluate(axeSource());
    return page.evaluate(async () => (await window.axe.run(document)).violations
        .filter((one) => one.impact === 'serious' || one.impact === 'critical')
        .map((one) => `${one.id}: ${one.nodes[0].target} ${one.nodes[0].failureSummary}`));
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
    await tab(page, 'Odd notices');
    await page.locator('.moments .moment').first().waitFor();
    proved('a notice that fits nothing is shown');
    browser.clean();
});

await story('money held, paid out, given back and paid unasked', async (scene) => {
    const server = await both(scene);
    const { operator, gateway } = server;
    const browser = await Browser.open(scene);
    const page = await browser.commonPage(/ERR_FAILED/);
    await page.goto(`${server.ready.merchant}/#/merchant`);
    await page.getByTestId('new-payment').click();
    await page.locator('input[name="order"]').fill('ORDER-1');
    await page.getByRole('checkbox', { name: 'Hold it in escrow' }).check();
    await page.getByTestId('create-payment').click();
    await becomes(page, 'pay_1', 'pending');
    await operator.approved(await prompt(operator));
    await account(page, 'escrow', 'KSh 120.00');
    await page.getByTestId('release').click();
    await account(page, 'escrow', 'KSh 0.00');
    await account(page, 'wallet', 'KSh 120.00');
    equal((await gateway.payment('pay_1')).escrow, 'released', 'the escrow');
    proved('what was held in escrow is released once, by a button');

    await tab(page, 'Payouts');
    await page.getByText('No payouts yet').waitFor();
    await page.getByTestId('new-payout').click();
    await page.locator('input[name="amount"]').fill('20');
    await page.getByTestId('create-payout').click();
    await becomes(page, 'po_2', 'succeeded');
    await account(page, 'wallet', 'KSh 100.00');
    await page.getByTestId('story').getByText('succeeded').first().waitFor();
    proved('a payout leaves the wallet and has a story');

    await tab(page, 'Payments');
    await askInPage(page, 'ORDER-2');
    await becomes(page, 'pay_3', 'pending');
    await operator.approved(await prompt(operator));
    await becomes(page, 'pay_3', 'succeeded');
    const giveBack = () => twice(page.getByTestId('story'), 'Give it back', 'Really give it back?');
    await operator.simOk('PUT', '/rules', { rules: [{ name: 'no', match: { api: 'reversal' },
        then: { answer: { error: '400.002.02' } } }] });
    await giveBack();
    await page.waitForURL(/open=ref_4/);
    await tab(page, 'Refunds');
    await becomes(page, 'ref_4', 'failed');
    // On its way until the clock says so: what has gone back offers no button to press again.
    await operator.simOk('PUT', '/rules', { rules: [{ name: 'late', match: { api: 'reversal' },
        then: { callback: { delay_ms: 60000 } } }] });
    await tab(page, 'Payments');
    await page.getByTestId('row-pay_3').click();
    await page.route('**/v1/refunds', async (route) => { await route.fetch(); await route.abort(); });
    await giveBack();
    await page.getByText('There was no answer.').waitFor();
    await page.unroute('**/v1/refunds');
    await giveBack();
    await page.waitForURL(/open=ref_5/);
    await operator.simOk('PUT', '/rules', { rules: [] });
    await operator.advance(60000);
    await tab(page, 'Refunds');
    await becomes(page, 'ref_5', 'succeeded');
    await account(page, 'wallet', 'KSh 100.00');
    equal((await gateway.ok('GET', '/v1/refunds')).data.length, 2, 'refunds');
    proved('a payment is given back once, after a second question; again when that failed, and not twice ' +
           'when only the answer was lost');

    await tab(page, 'Payments');
    for (const id of ['pay_6', 'pay_7']) {
        await askInPage(page, 'ORDER-3');
        await becomes(page, id, 'pending');
        await operator.cancel(await prompt(operator));
        await becomes(page, id, 'cancelled');
    }
    proved('an order that was cancelled is asked for again');

    await tab(page, 'Receipts');
    await page.getByTestId('register-prov_1').click();
    await page.getByTestId('register-prov_1').waitFor({ state: 'detached' });
    await operator.simOk('POST', `/subscribers/${PHONE}/pay`, { short_code: SHORT_CODE, amount: 7500,
        reference: 'WHO-KNOWS', pin: '1234' }, 201);
    await page.getByRole('button', { name: 'Close' }).click(); // so that a line has its whole width
    const line = page.getByTestId('row-rcp_1');
    await line.locator('input[name="order"]').fill('ORDER-9');
    await line.getByRole('button', { name: 'Assign' }).click();
    await becomes(page, 'rcp_1', 'assigned');
    await line.getByText('ORDER-9').waitFor();
    proved('money that came unasked lies in suspense until somebody says whose it is');
    equal(await seriousFaults(page), [], 'serious faults');
    browser.clean();
});

await story('a lost callback found by reconciliation, and an application that does not listen', async (scene) => {
    const server = await both(scene);
    const { operator, gateway } = server;
    const shop = await Listener.open(scene);
    const browser = await Browser.open(scene);
    const page = await browser.commonPage();
    await page.goto(`${server.ready.merchant}/#/merchant?tab=reconciliation`);
    await page.getByText('The first payment makes the first report').waitFor();
    // Its callback is lost, and while the provider is asked nothing of it can be had either.
    await operator.simOk('PUT', '/rules', { rules: [
        { name: 'lost', match: { api: 'stk_push' }, then: { callback: { never: true } } },
        { name: 'mute', match: { api: 'stk_query' }, then: { answer: { error: '500.003.02' } } }] });
    const made = await gateway.paying({ order_id: 'LOST-1' });
    await gateway.become(made.id, 'pending');
    await operator.approved(await prompt(operator));
    await operator.advance(11 * 60_000);
    equal((await gateway.payment(made.id)).ended_at, null, 'nobody knows yet');
    await operator.simOk('PUT', '/rules', { rules: [] });
    const report = page.getByTestId(/^rec_/).first();
    await report.waitFor();
    await page.getByTestId('reconcile').click();
    await report.getByText('query 1').waitFor();
    await report.getByText('100.00 %').waitFor();
    equal((await gateway.payment(made.id)).status, 'succeeded', 'the payment');
    proved('a lost callback is found by a reconciliation, which says so');

    await tab(page, 'Webhooks');
    await page.locator('input[name="url"]').fill(shop.url);
    await page.getByRole('button', { name: 'Add', exact: true }).click();
    const secret = await page.locator('.secret code').innerText();
    matches(secret, /^whsec_/, 'its secret');
    shop.behave = () => ({ status: 500 });
    await gateway.paying({ order_id: 'DEAF-1' });
    await until(() => shop.received.length > 0, 'a first try');
    check(signed(shop.received[0], secret), 'signed with the secret that was shown');
    const dead = await until(async () => {
        await operator.advance(25 * 3600_000);
        const { data } = await gateway.ok('GET', '/v1/dead_letters');
        return data.length > 0 && data;
    }, 'a message is given up');
    shop.behave = () => ({ status: 200 });
    const before = shop.received.length;
    for (const { id } of dead) {
        const letter = page.getByTestId(`letter-${id}`);
        await letter.getByText('HTTP 500').waitFor();
        await letter.getByTestId('retry').click();
        await letter.waitFor({ state: 'detached' });
    }
    check(shop.received.length >= before + dead.length, 'they arrived');
    await twice(page.getByTestId('endpoint-we_1'), 'Disable', 'Really?');
    await page.getByTestId('endpoint-we_1').getByText('disabled').waitFor();
    proved('an endpoint is added, its dead letters are sent again, and it is disabled');
    equal(await seriousFaults(page), [], 'serious faults');
    browser.clean();
});

// Gives the page a file, as if it had been chosen on this machine.
const openFile = (page, text) => page.getByTestId('statement-file')
    .setInputFiles({ name: 'november.csv', mimeType: 'text/csv', buffer: Buffer.from(text) });

const tells = (page, words) => page.getByTestId('statement-report').getByText(words).waitFor();

await story('the provider\'s books against ours', async (scene) => {
    const server = await both(scene);
    const { operator, gateway } = server;
    const browser = await Browser.open(scene);
    const page = await browser.commonPage(/status of 422/);
    const made = await gateway.paying({ order_id: 'BOOK-1' });
    await gateway.become(made.id, 'pending');
    await operator.approved(await prompt(operator));
    const paid = await gateway.become(made.id, 'succeeded');
    await page.goto(`${server.ready.merchant}/#/merchant?tab=discrepancies`);
    await page.getByText('Nothing disagrees').waitFor();
    const at = kenyan(paid.ended_at);
    await openFile(page, 'not,a,statement');
    await page.locator('.notices .bad').waitFor();
    equal(await page.getByTestId('statement-report').count(), 0, 'no report of that');
    await openFile(page, portal([[paid.receipt, at, 15000, PHONE, 'BOOK-1'],
                                 ['TK60708BHZ', at, 7000, PHONE + 9, 'WHO-KNOWS']], 500));
    await tells(page, 'The balances follow row by row');
    await page.getByTestId('statement-report').getByText('New discrepancies').waitFor();
    const line = page.getByTestId('row-dis_1');
    await line.getByText('Money arrived, and nobody knows for what').waitFor();
    await line.getByText('TK60708BHZ').waitFor();
    await line.getByText('nobody looks after it yet').waitFor();
    proved('a statement file says what became of its rows, and what nobody knows is listed in plain words');

    await operator.advance(3 * 3600_000);
    await line.getByText('open for 3 h').waitFor();
    await page.getByTestId('resolve-dis_1').click();
    await page.locator('input[name="owner"]').fill('Wanjiku');
    await page.getByTestId('save-resolution').click();
    await line.getByText('Wanjiku').waitFor();
    await page.getByTestId('resolve-dis_1').click();
    await page.locator('select[name="reason"]').selectOption('written_off');
    check(await page.getByTestId('save-resolution').isDisabled(), 'not without a note');
    await page.locator('textarea[name="note"]').fill('paid by mistake, the payer was told');
    await page.getByTestId('save-resolution').click();
    await line.waitFor({ state: 'detached' });
    const [known] = (await gateway.ok('GET', '/v1/discrepancies')).data;
    equal([known.status, known.reason, known.owner, known.note],
          ['resolved', 'written_off', 'Wanjiku', 'paid by mistake, the payer was told'], 'in the book');
    await page.getByRole('checkbox', { name: 'Show what was resolved, too' }).check();
    await line.getByText('Written off').waitFor();
    proved('it has an age and an owner, and ends with a reason and a note');

    await openFile(page, portal([[paid.receipt, at, 15000, PHONE, 'BOOK-1'],
                                 ['TK60708BHZ', at, 7000, PHONE + 9, 'WHO-KNOWS']]).replace(',220.00,', ',230.00,'));
    await tells(page, /The balances do not follow: line 5/);
    await page.locator('[data-kind="balance_gap"]').waitFor();
    await page.locator('.tabs').getByRole('link', { name: 'Discrepancies 1' }).waitFor();
    proved('a file whose balances do not follow says from which line on; the tab counts what is open');

    const pull = page.getByTestId(`pull-${SHORT_CODE}`); // lists what was paid since it was registered
    await pull.locator('input[name="nominated"]').fill('0722 000 000');
    await pull.getByRole('button', { name: 'Register' }).click();
    await page.locator(`[data-testid="pull-${SHORT_CODE}"][data-status="done"]`).waitFor();
    await operator.simOk('POST', `/subscribers/${PHONE}/pay`, { short_code: SHORT_CODE, amount: 7500,
        reference: 'ALSO-UNKNOWN', pin: '1234' }, 201);
    await page.getByTestId(`pull-now-${SHORT_CODE}`).click();
    await page.locator(`[data-testid="pull-${SHORT_CODE}"][data-status="done"]`).getByText('Rows: 1').waitFor();
    proved('the provider is asked for its own list, after it was registered');
    equal(await seriousFaults(page), [], 'serious faults');

    await page.evaluate(() => { localStorage['hakika.language'] = 'sw'; });
    await page.reload();
    await page.getByText('Salio za taarifa ya akaunti hazifuati mistari yake').waitFor();
    proved('and all of it in Swahili');
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
