// What the console shows stays where it is first seen: a press that is on its way must not meet a
// button that was pushed away by an answer of the program.
import { Browser, closeBrowser } from '../lib/browser.mjs';
import { both, PHONE, prompt } from '../lib/gateway.mjs';
import { equal, proved, story } from '../lib/story.mjs';

// How much of the page moved while it was drawn, by the browser's own measure (0.1 is called good).
// The answers come one after another, as over a slow network: each may move what stands there.
const MOVED_AT_MOST = 0.01;
const WIDE = { width: 1440, height: 900 };
const NARROW = { width: 400, height: 800 };
// Those that are made of several answers, with what is there at last.
const SEEN = [
    [WIDE, 'operator', 'payments', '.line'],
    [WIDE, 'operator', 'time', '.worlds .reset'],
    [WIDE, 'operator', 'health', '.money-card .pairs'],
    [NARROW, 'operator', 'phones', '.phone'],
    [NARROW, 'merchant', 'merchant', '.line'],
    [NARROW, 'merchant', 'merchant?tab=receipts', '.empty'],
    [NARROW, 'merchant', 'merchant?tab=webhooks', 'input[name="url"]'],
    [NARROW, 'merchant', 'health', '.money-card .pairs'],
];

function watchMoves() {
    window.moved = [];
    new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) window.moved.push({ value: entry.value, what: entry.sources.map(({ node }) =>
            (node?.nodeType === 1 ? node.outerHTML : node?.parentElement?.outerHTML ?? '').slice(0, 80)) });
    }).observe({ type: 'layout-shift', buffered: true });
}

await story('nothing moves while a view is drawn', async (scene) => {
    const server = await both(scene);
    const { operator, gateway } = server;
    await gateway.paying({ order_id: 'ORDER-1' });
    await operator.approved(await prompt(operator));
    const browser = await Browser.open(scene);
    const tell = [];
    const page = await browser.page();
    await page.addInitScript(watchMoves);
    let turn = 0;
    await page.route(/\/(sim\/v1|v1|metrics|healthz)/, async (route) => {
        if (!route.request().url().includes('/events')) await new Promise((resolve) => setTimeout(resolve, 15 * (turn++ % 8)));
        await route.continue().catch(() => undefined); // the page is elsewhere already
    });
    for (const [viewport, book, view, mark] of SEEN) {
        await page.goto('about:blank');
        await page.setViewportSize(viewport);
        await page.goto(`${server.ready[book]}/#/${view}`);
        await page.locator(mark).first().waitFor();
        const moves = await page.evaluate(() => new Promise((resolve) => {
            requestAnimationFrame(() => requestAnimationFrame(() => resolve(window.moved)));
        }));
        const sum = moves.reduce((all, one) => all + one.value, 0);
        if (sum > MOVED_AT_MOST) tell.push(`${viewport.width} ${book} ${view}: ${sum.toFixed(3)} ${JSON.stringify(moves)}`);
    }
    equal(tell, [], 'views that moved');
    browser.clean();
    proved('eight views stand where they are first seen, in whatever order their answers come');
});

await closeBrowser();
