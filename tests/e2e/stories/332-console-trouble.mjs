// The console when things are not as usual: the program wants a key, another book stands behind the
// same address, and more happens at once than is asked about one by one.
import { Browser, closeBrowser } from '../lib/browser.mjs';
import { Server } from '../lib/server.mjs';
import { equal, proved, story } from '../lib/story.mjs';

const ADMIN_KEY = 'an-admin-key-of-ours';
const AT_ONCE = 80;

await story('an admin key', async (scene) => {
    const server = await Server.open(scene, ['--clock', 'virtual', '--admin-key', ADMIN_KEY]);
    const { operator } = server;
    await operator.pushed({ AccountReference: 'FIRST' }); // Daraja's calls need no such key
    const browser = await Browser.open(scene);
    const page = await browser.page({}, /status of 401/);
    const question = page.getByRole('dialog', { name: 'Admin key' });
    const give = async (key) => {
        await question.locator('input').fill(key);
        await question.getByRole('button', { name: 'Use it' }).click();
    };
    await page.goto(`${server.base}/#/payments`);
    await give('a-key-of-somebody-else');
    await question.getByText('That was not its key.').waitFor();
    await give(ADMIN_KEY);
    await page.getByTestId('row-txn_1').waitFor();
    await question.waitFor({ state: 'detached' });
    proved('one question is asked, again when the key is wrong, and every call goes on with it');

    await page.locator('.quiet-line.lost').waitFor({ state: 'detached' });
    await operator.pushed({ AccountReference: 'SECOND', PhoneNumber: 254722000001 });
    await page.getByTestId('row-txn_2').waitFor();
    browser.clean();
    proved('and so does the stream of events');
});

await story('an admin key that is not given', async (scene) => {
    const server = await Server.open(scene, ['--clock', 'virtual', '--admin-key', ADMIN_KEY]);
    const browser = await Browser.open(scene);
    const page = await browser.page({}, /status of 401/);
    const question = page.getByRole('dialog', { name: 'Admin key' });
    await page.goto(`${server.base}/#/payments`);
    await question.getByRole('button', { name: 'Close' }).click();
    await page.locator('.payments-view').waitFor();
    equal(await question.count(), 0, 'nobody asks again by himself');
    await page.getByText('No connection: what you see is as it was').waitFor();
    browser.clean();
    proved('without an answer the page says what it can');
});

// What it held is gone, tokens too.
async function another(server) {
    await server.restart();
    server.operator.token = undefined;
}

await story('another book behind the same address', async (scene) => {
    const server = await Server.open(scene, ['--clock', 'virtual', '--ephemeral']);
    server.port = new URL(server.base).port; // the next book stands behind the same address
    const { base } = server;
    const browser = await Browser.open(scene);
    const page = await browser.page({}, /ERR_|status of 404/);
    for (const number of [254722000001, 254722000002]) await server.operator.pushed({ PhoneNumber: number });
    await page.goto(`${base}/#/payments`);
    await page.getByTestId('row-txn_2').waitFor();

    // Empty, and so far behind the position that the page has seen.
    await another(server);
    await page.getByText('No payments yet').waitFor();
    await server.operator.pushed({ AccountReference: 'NEW' });
    await page.getByTestId('row-txn_1').getByText('NEW').waitFor();
    proved('a new book is shown, and what happens in it');

    // Ahead of it: the position alone would tell nothing.
    await server.operator.pushed({ PhoneNumber: 254722000001 });
    await page.getByTestId('row-txn_2').waitFor();
    await page.route('**/sim/v1/events*', (route) => route.abort());
    await another(server);
    for (let i = 0; i < 60; i++) await server.operator.openSubscriber(254733000000 + i, 1000);
    await page.unroute('**/sim/v1/events*');
    await page.getByText('No payments yet').waitFor();
    await server.operator.pushed({ AccountReference: 'NEWEST' });
    await page.getByTestId('row-txn_1').getByText('NEWEST').waitFor();
    browser.clean();
    proved('also one that has come further than the old one');
});

await story('more at once than a list has', async (scene) => {
    const server = await Server.open(scene, ['--clock', 'virtual']);
    const { operator } = server;
    const browser = await Browser.open(scene);
    const page = await browser.page();
    const pushes = [];
    for (let i = 0; i < AT_ONCE; i++) {
        pushes.push(await operator.pushed({ PhoneNumber: 254722000001 + i, AccountReference: `AT-ONCE-${i}` }));
    }
    await page.goto(`${server.base}/#/payments`);
    const rows = (status) => page.locator(`.lines [data-status="${status}"]`);
    await rows('PROCESSING').nth(AT_ONCE - 1).waitFor();
    await Promise.all(pushes.map((one) => operator.approved(one.CheckoutRequestID)));
    await rows('SUCCESS').nth(AT_ONCE - 1).waitFor();
    equal(await rows('PROCESSING').count(), 0, 'rows that seem to go on');
    browser.clean();
    proved(`${AT_ONCE} payments that end at once all end in the page`);
});

await closeBrowser();
