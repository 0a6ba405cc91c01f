// The payer's page and the script that a shop embeds, in a real browser at the size of a small
// phone, with the browser's clock driven (R2.6): every 3 s, 20 times, and then it could not be
// confirmed; never "failed".
import http from 'node:http';
import { Browser, closeBrowser } from '../lib/browser.mjs';
import { both, prompt } from '../lib/gateway.mjs';
import { check, equal, matches, proved, story, until } from '../lib/story.mjs';

const SMALL = { viewport: { width: 320, height: 480 } };
const START = new Date('2026-01-01T00:00:00Z');
const UNKNOWN = /could not confirm.*Do not pay again.*M-PESA.*Check again.*hatujathibitisha.*Usilipe tena/s;

// A page whose clock stands still until it is told to move; `asked` counts its looks.
async function still(browser, url, failures) {
    const page = await browser.page(SMALL, failures);
    page.asked = 0;
    page.over = 0;
    page.on('request', (one) => { page.asked += one.url().endsWith('/state'); });
    page.on('requestfailed', (one) => { page.over += one.url().endsWith('/state'); });
    page.on('response', (one) => { page.over += one.url().endsWith('/state'); });
    await page.clock.install({ time: START });
    await page.clock.pauseAt(new Date(START.getTime() + 1000));
    await page.goto(url);
    page.box = page.locator('[data-hakika]');
    await until(() => page.asked === 1 && page.over === 1, 'the first look');
    return page;
}

// One look after 3 s, and its end.
async function tick(page, number) {
    await page.clock.runFor(2999);
    equal(page.asked, number, 'nothing before 3 s');
    await page.clock.runFor(1);
    await until(() => page.asked === number + 1 && page.over === number + 1, `look ${number + 1}`);
}

async function runsOut(page) {
    const before = page.asked;
    for (let i = 0; i < 20; i++) await tick(page, before + i);
    await page.clock.runFor(3000);
    await page.box.getByRole('button').waitFor();
    matches(await page.box.innerText(), UNKNOWN, 'what it says then');
    check(!/fail|No money was taken|haya?kufanikiwa/i.test(await page.box.innerText()), 'never failed');
    await page.clock.runFor(60_000);
    equal(page.asked, before + 20, 'and it does not ask any more');
}

await story('could not be confirmed, and then paid', async (scene) => {
    const server = await both(scene);
    const { gateway, operator } = server;
    const made = await gateway.paying({ order_id: 'INV-1' });
    await gateway.become(made.id, 'pending');
    const browser = await Browser.open(scene);
    const page = await still(browser, made.checkout_url);
    matches(await page.locator('main').innerText(), /KSh 150\.00.*Default merchant.*2547\*+149.*PIN/s, 'the page');
    equal(await page.evaluate(() => document.documentElement.scrollWidth), 320, 'fits a small phone');
    await runsOut(page);
    proved('every 3 s, 20 times, and then it says that it could not be confirmed');

    await page.box.getByRole('button').click();
    await page.box.getByText('enter your M-PESA PIN').waitFor();
    await until(() => page.over === 22, 'it looks at once');
    await operator.approved(await prompt(operator));
    const paid = await gateway.become(made.id, 'succeeded');
    await tick(page, 22);
    await page.box.getByText('Paid. Thank you.').waitFor();
    matches(await page.box.innerText(), new RegExp(`Umelipa. Asante.*${paid.receipt}`, 's'), 'paid');
    await page.clock.runFor(60_000);
    equal(page.asked, 23, 'what has ended is not asked about');
    proved('"check again" asks anew, and a success ends it');

    // Opened when it was over already: the server has drawn the end, and it must stay.
    const late = await still(browser, made.checkout_url);
    await late.clock.runFor(70_000);
    matches(await late.box.innerText(), new RegExp(`^Paid. Thank you.*${paid.receipt}$`, 's'), 'still paid');
    equal(await late.box.getByRole('button').count(), 0, 'nothing to check again');
    equal(late.asked, 1, 'one look told that it had ended');
    browser.clean();
    proved('a page opened after the end never says that it could not be confirmed');
});

await story('in a page of a shop', async (scene) => {
    const server = await both(scene);
    const { gateway, operator } = server;
    const made = await gateway.paying({ order_id: 'INV-1' });
    await gateway.become(made.id, 'pending');
    const shop = http.createServer((_, answer) => answer.writeHead(200, { 'Content-Type': 'text/html' })
        .end(`<!doctype html><div data-hakika="${made.checkout_url}"></div>
              <script>document.querySelector('div').addEventListener('hakika',
                  (event) => { document.title = event.detail.status; });</script>
              <script src="${server.ready.merchant}/pay/checkout.js"></script>`));
    await new Promise((resolve) => shop.listen(0, '127.0.0.1', resolve));
    scene.atEnd(() => { shop.closeAllConnections(); shop.close(); });
    const browser = await Browser.open(scene);
    const page = await still(browser, `http://127.0.0.1:${shop.address().port}/`, /Failed to load|ERR_/);
    await page.box.getByText('enter your M-PESA PIN').waitFor();
    equal(await page.title(), 'prompted', 'the shop hears of it');

    // The gateway is away all the while: that says nothing about the payment.
    await page.route('**/state', (route) => route.abort());
    await runsOut(page);
    await page.unroute('**/state');
    proved('a gateway that does not answer is no failure either');

    await operator.cancel(await prompt(operator));
    await gateway.become(made.id, 'cancelled');
    await page.box.getByRole('button').click();
    await page.box.getByText('cancelled on the phone').waitFor();
    equal(await page.title(), 'cancelled', 'a definite end');
    browser.clean();
    proved('two lines show a payment in a page of a shop');
});

await closeBrowser();
