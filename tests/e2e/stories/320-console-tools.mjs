// The console as a workbench (R1.9, R6.2, R6.3): every call of Daraja as a form, accidents by switch,
// time by button, worlds, callbacks edited and sent; and it finds its way back after kill -9.
import { Browser, closeBrowser } from '../lib/browser.mjs';
import { Listener } from '../lib/listener.mjs';
import { Server } from '../lib/server.mjs';
import { check, equal, matches, proved, story, until } from '../lib/story.mjs';

const ANNA = 254711000001;
const SHILLING = 100;

await story('every call of Daraja has a form that works', async (scene) => {
    const server = await Server.open(scene, ['--clock', 'virtual']);
    const { operator } = server;
    const push = await operator.pushed({ CallBackURL: `${server.base}/sink` });
    await operator.approved(push.CheckoutRequestID);
    await operator.sim('PATCH', '/organisations/5551234', { nominated_msisdn: 254708374149 });
    const browser = await Browser.open(scene);
    const page = await browser.commonPage();
    await page.goto(`${server.base}/#/try`);
    await page.getByTestId('send-call').waitFor();
    const names = await page.locator('button.api').allInnerTexts();
    check(names.length >= 24, `the calls: ${names}`);
    for (const [i, name] of names.slice(1).entries()) {
        await page.getByRole('button', { name, exact: true }).click();
        await page.getByRole('heading', { name, exact: true }).waitFor();
        await page.getByTestId('send-call').click();
        await page.waitForFunction((count) => document.querySelectorAll('[data-testid="exchange"]').length === count, i + 1);
        const answer = page.getByTestId('exchange').first();
        equal(await answer.getAttribute('data-status'), '200', `${name}: ${await answer.innerText()}`);
    }
    const requests = await until(async () => {
        const { data } = await operator.simOk('GET', '/requests');
        return data.find((one) => one.type === 'b2c').status === 'SUCCESS' && data;
    }, 'the payout is done');
    equal(requests.filter((one) => one.result_code === '2001'), [], 'the credential that the page made is good');
    browser.clean();
    proved(`${names.length - 1} forms get HTTP 200, with a token and a credential of the page's own making`);
});

await story('accidents, time and worlds', async (scene) => {
    const listener = await Listener.open(scene);
    const server = await Server.open(scene, ['--clock', 'virtual']);
    const { operator } = server;
    await operator.openSubscriber(ANNA, 1000 * SHILLING);
    const browser = await Browser.open(scene);
    const page = await browser.commonPage();
    const push = async (reference) => (await operator.pushed({ PhoneNumber: ANNA, Amount: 100,
        CallBackURL: listener.url, AccountReference: reference })).CheckoutRequestID;

    await page.goto(`${server.base}/#/rules`);
    await page.getByRole('switch', { name: 'Lose the next callback' }).click();
    await page.locator('[role="switch"][aria-checked="true"]').waitFor();
    const lost = await push('LOST');
    await operator.approved(lost);
    equal(await operator.deliveriesOf(lost), [], 'callbacks of the payment');
    await page.goto(`${server.base}/#/payments?open=txn_1`);
    await page.locator('[data-testid="message-never"][data-fate="lost"]').waitFor();
    proved('a switch loses the next callback, and the story shows an arrow that breaks off');

    const saved = await push('EXPIRES');
    await page.goto(`${server.base}/#/time`);
    await page.getByRole('textbox', { name: 'Save the present as' }).fill('prompt-open');
    await page.getByTestId('save-world').click();
    await page.getByTestId('world-prompt-open').waitFor();
    await page.getByTestId('advance-60000').click();
    await until(async () => (await operator.transaction(saved)).status === 'FAILED', 'the prompt expires');
    equal((await operator.transaction(saved)).result_code, '1037', 'nobody answered');
    proved('one minute by button lets a prompt expire');

    const reset = page.locator('.reset').getByRole('button');
    await reset.click();
    await reset.click();
    await until(async () => (await operator.transactions()).length === 0, 'the reset');
    const restore = page.getByTestId('world-prompt-open').getByRole('button').first();
    await restore.click();
    await restore.click();
    await until(async () => (await operator.prompts(ANNA).catch(() => [])).length === 1, 'the world is back');
    await page.goto(`${server.base}/#/payments?state=PROCESSING`);
    await page.getByTestId('row-txn_2').waitFor();
    proved('a world was saved, everything reset, and the world restored with its open prompt');

    await operator.approved(saved);
    await page.goto(`${server.base}/#/payments?open=txn_2`);
    const before = listener.received.length;
    const sent = await until(async () => {
        const one = await operator.delivery(saved);
        return one.state === 'delivered' && one;
    }, 'the callback');
    const callback = page.locator(`[data-testid="delivery-${sent.id}"][data-state="delivered"]`);
    await callback.getByTestId('edit').click();
    const body = page.locator('textarea[name="body"]');
    await body.fill((await body.inputValue()).replace('"ResultCode": 0', '"ResultCode": 1032'));
    await page.getByRole('button', { name: 'Send the copy' }).click();
    await until(() => listener.received.slice(before).some((one) =>
        one.json?.Body?.stkCallback?.ResultCode === 1032), 'the edited copy arrives');
    equal((await operator.transaction(saved)).status, 'SUCCESS', 'the payment');
    await callback.getByTestId('replay').click();
    await until(() => listener.received.filter((one) => one.json?.Body?.stkCallback?.ResultCode === 0).length >= 2,
                'the callback arrives again');
    proved('a callback is edited and sent, and sent again as it was; the payment stays as it is');
    browser.clean();
});

await story('a world saved here is opened there', async (scene) => {
    const here = await Server.open(scene, ['--clock', 'virtual']);
    const there = await Server.open(scene, ['--clock', 'virtual'], { data: scene.path('there') });
    const id = (await here.operator.pushed({ PhoneNumber: ANNA, Amount: 100, AccountReference: 'TRAVELS',
                                             CallBackURL: `${here.base}/sink` })).CheckoutRequestID;
    await here.operator.approved(id);
    await here.operator.simOk('POST', '/snapshots', { name: 'monday' }, 201);
    const browser = await Browser.open(scene);
    const page = await browser.commonPage(/status of 422/);
    await page.goto(`${here.base}/#/time`);
    const coming = page.waitForEvent('download');
    await page.getByTestId('world-monday').getByRole('button', { name: 'Download: monday' }).click();
    const file = await coming;
    equal(file.suggestedFilename(), 'monday.hakika-world', 'the name of the file');
    const path = scene.path('monday.hakika-world');
    await file.saveAs(path);
    proved('a saved world is downloaded as a file');

    await page.goto(`${there.base}/#/time`);
    await page.getByText('No saved worlds').waitFor();
    const open = page.getByTestId('open-world');
    await open.setInputFiles({ name: 'x.hakika-world', mimeType: 'application/octet-stream', buffer: Buffer.from('no world') });
    await page.locator('.notices .bad').getByText('no world file of Hakika').waitFor();
    await open.setInputFiles(path);
    const world = page.getByTestId('world-monday');
    await world.waitFor();
    equal((await there.operator.transactions()).length, 0, 'the present stays');
    await world.getByRole('button', { name: 'Restore', exact: true }).click();
    await world.getByRole('button', { name: 'Leave the present?' }).click();
    await until(async () => (await there.operator.transactions()).length === 1, 'the world is entered');
    await page.goto(`${there.base}/#/payments`);
    await page.getByTestId('row-txn_1').getByText('TRAVELS').waitFor();
    equal((await there.operator.transaction(id)).status, 'SUCCESS', 'the payment of the other server');
    proved('it is opened on another server, and a payment of the first is there');
    browser.clean();
});

await story('what is older than the list', async (scene) => {
    const server = await Server.open(scene, ['--clock', 'virtual']);
    const { operator } = server;
    const ids = await Promise.all(Array.from({ length: 130 }, (_, i) => operator.pushed({ PhoneNumber: ANNA + i })));
    equal((await operator.transactions()).length, ids.length, 'payments');
    const oldest = await operator.transaction('txn_1');
    const browser = await Browser.open(scene);
    const page = await browser.commonPage();
    await page.goto(`${server.base}/#/payments`);
    await page.getByTestId('row-txn_130').waitFor();
    equal(await page.getByTestId('row-txn_1').count(), 0, 'the oldest is not at hand');
    await page.locator('#search').fill(oldest.checkout_request_id);
    await page.getByTestId('row-txn_1').click();
    await page.getByTestId('picture').waitFor();
    await page.locator('#search').fill('');
    await page.getByRole('button', { name: 'Show older ones' }).click();
    await page.getByTestId('row-txn_1').waitFor();
    await page.goto(`${server.base}/#/phones?phones=${oldest.msisdn}`);
    await page.getByTestId(`phone-${oldest.msisdn}`).getByTestId('prompt').waitFor();
    browser.clean();
    proved('an old payment is found by its id and by asking for older ones, an old phone by its URL');
});

await story('the server is killed and comes back', async (scene) => {
    const server = await Server.open(scene, ['--clock', 'virtual']);
    await server.operator.openSubscriber(ANNA, 1000 * SHILLING);
    const browser = await Browser.open(scene);
    const page = await browser.commonPage(/Failed to load resource|ERR_/);
    await page.goto(`${server.base}/#/phones?phones=${ANNA}`);
    const phone = page.getByTestId(`phone-${ANNA}`);
    await server.operator.pushed({ PhoneNumber: ANNA, Amount: 100 });
    await phone.getByTestId('prompt').waitFor();
    server.port = Number(new URL(server.base).port);
    await server.kill();
    await page.getByText('No connection').waitFor();
    await server.start();
    await page.getByText('No connection').waitFor({ state: 'detached' });
    // The token in the page is that of the start before: it gets the new one by itself.
    for (const digit of '1234') await phone.getByRole('button', { name: digit, exact: true }).click();
    await phone.getByTestId('send').click();
    await phone.getByText('KSh 900.00').waitFor();
    matches((await server.operator.transaction('txn_1')).status, /SUCCESS/, 'the payment');
    browser.clean();
    proved('after kill -9 the page says so, comes back by itself, and the open prompt is paid');
});

await closeBrowser();
