// The console for everybody: axe-core finds nothing serious in any view, in either theme; a keyboard is
// enough; what is shown stays where it is first seen, so that a press on its way never meets a button
// that an answer of the program pushed away; a hostile page in the same browser moves nothing (F2).
import http from 'node:http';
import { axeSource, Browser, closeBrowser } from '../lib/browser.mjs';
import { both, PHONE, prompt } from '../lib/gateway.mjs';
import { Listener } from '../lib/listener.mjs';
import { Server } from '../lib/server.mjs';
import { check, equal, proved, story } from '../lib/story.mjs';

const ANNA = 254711000001;
const SHILLING = 100;

// Themes differ in colours alone, so the second is looked at for contrast alone.
async function serious(page, theme) {
    const found = await page.evaluate(async (dark) => {
        const result = await window.axe.run(document, { resultTypes: ['violations'],
            ...(dark ? { runOnly: ['color-contrast'] } : {}) });
        return result.violations.filter((one) => one.impact === 'serious' || one.impact === 'critical')
            .map((one) => `${one.id}: ${one.nodes.slice(0, 3).map((node) => `${node.target} ${node.failureSummary}`).join(' | ')}`);
    }, theme === 'dark');
    return found;
}

await story('axe-core finds nothing serious', async (scene) => {
    const listener = await Listener.open(scene);
    const server = await Server.open(scene, ['--clock', 'virtual']);
    const { operator } = server;
    await operator.openSubscriber(ANNA, 1000 * SHILLING);
    const paid = await operator.pushed({ PhoneNumber: ANNA, CallBackURL: listener.url });
    await operator.approved(paid.CheckoutRequestID);
    await operator.pushed({ PhoneNumber: ANNA, AccountReference: 'OPEN' });
    await operator.simOk('POST', '/snapshots', { name: 'one' }, 201);
    const browser = await Browser.open(scene);
    const faults = [];
    const views = [`/phones?phones=${ANNA}`, '/phones?first', '/payments?open=txn_1', '/payments?q=nothing', '/try', '/rules',
                   '/time', '/health'];
    const page = await browser.commonPage();
    await page.goto(`${server.base}/`);
    await page.evaluate(axeSource());
    for (const colorScheme of ['light', 'dark']) {
        await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
        for (const view of views) {
            await page.evaluate((hash) => {
                localStorage.setItem('hakika.greeted', hash.includes('first') ? 'no' : 'yes');
                location.hash = hash;
            }, `#${view}`);
            await page.locator(`.rail a[aria-current="page"][href^="#${view.split('?')[0]}"]`).waitFor();
            await page.waitForFunction(() => document.querySelector('main')?.children.length > 0);
            if (view.includes('open=')) await page.getByTestId('picture').waitFor();
            faults.push(...(await serious(page, colorScheme)).map((one) => `${view} in ${colorScheme}: ${one}`));
        }
    }
    equal(faults, [], 'serious faults');
    browser.clean();
    proved(`${views.length} views in both themes are without a serious fault`);
});

await story('by keyboard, and in Swahili', async (scene) => {
    const server = await Server.open(scene, ['--clock', 'virtual']);
    const { operator } = server;
    for (let i = 0; i < 3; i++) {
        const { CheckoutRequestID: id } = await operator.pushed({ AccountReference: `INV-${i}` });
        await operator.cancel(id);
    }
    const browser = await Browser.open(scene);
    const page = await browser.commonPage();
    await page.goto(`${server.base}/#/payments`);
    await page.getByTestId('row-txn_3').waitFor();
    await page.keyboard.press('j');
    await page.keyboard.press('j');
    await page.keyboard.press('Enter');
    await page.waitForURL(/open=txn_2/);
    await page.keyboard.press('Escape');
    await page.waitForURL((url) => !url.hash.includes('open='));
    await page.keyboard.press('/');
    await page.keyboard.type('inv-0');
    await page.getByTestId('row-txn_3').waitFor({ state: 'detached' });
    check(page.url().includes('q=inv-0'), 'the URL names what is searched');
    await page.keyboard.press('Escape');
    await page.keyboard.press('?');
    await page.getByText('search everything').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'SW: Kiswahili' }).click();
    await page.getByRole('heading', { name: 'Malipo' }).waitFor();
    equal(await page.evaluate(() => document.documentElement.lang), 'sw', 'the language of the page');
    browser.clean();
    proved('/ j k Enter Esc ? do what they say, and the page speaks Swahili');
});

// A page of somebody else in the same browser, which tries what it can.
const HOSTILE = (target) => `<!doctype html><title>hostile</title><body><script>
window.tried = (async () => {
    const said = [];
    const attempt = async (name, act) => {
        try { const answer = await act(); said.push(name + ' ' + (answer?.type === 'opaque' ? 'opaque' : answer?.status)); }
        catch (error) { said.push(name + ' failed'); }
    };
    const body = JSON.stringify({ msisdn: ${ANNA}, balance: 100 });
    await attempt('json', () => fetch('${target}/sim/v1/subscribers', { method: 'POST', body, headers: { 'Content-Type': 'application/json' } }));
    await attempt('simple', () => fetch('${target}/sim/v1/reset', { method: 'POST', mode: 'no-cors', body: '{}' }));
    await attempt('page', () => fetch('${target}/').then((answer) => answer.text()));
    await attempt('frame', () => new Promise((resolve) => {
        const frame = document.createElement('iframe');
        frame.onload = () => { let read = 'no'; try { read = frame.contentDocument?.querySelector('meta[name=hakika-token]') ? 'yes' : 'no'; } catch { } resolve({ status: read }); };
        frame.src = '${target}/';
        document.body.append(frame);
    }));
    const form = document.createElement('form');
    form.method = 'post'; form.enctype = 'text/plain'; form.action = '${target}/sim/v1/reset'; form.target = 'elsewhere';
    document.body.append(Object.assign(document.createElement('iframe'), { name: 'elsewhere' }), form);
    form.submit();
    return said;
})();
</script>`;

await story('a hostile page moves nothing', async (scene) => {
    const server = await Server.open(scene, ['--clock', 'virtual']);
    const evil = http.createServer((call, answer) => {
        answer.writeHead(200, { 'Content-Type': 'text/html' });
        answer.end(HOSTILE(server.base));
    });
    await new Promise((resolve) => evil.listen(0, '127.0.0.1', resolve));
    scene.atEnd(() => evil.close());
    const browser = await Browser.open(scene);
    const page = await browser.commonPage(/./);
    const before = await server.operator.simOk('GET', '/money');
    const events = (await server.operator.metrics()).hakika_position;
    for (const name of ['127.0.0.1', 'localhost']) {
        await page.goto(`http://${name}:${evil.address().port}/`);
        const said = await page.evaluate(() => window.tried);
        equal(said, ['json failed', 'simple opaque', 'page failed', 'frame no'], `what a page on ${name} got`);
    }
    const after = await server.operator.metrics();
    equal(await server.operator.simOk('GET', '/money'), before, 'the money');
    equal(after.hakika_position, events, 'decisions');
    proved('from another port of this machine: no call, no form, no frame, no token');
});

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
    // A browser may draw the page before its last bytes are here: what is drawn then stands right, too.
    await page.route('**/console.js', (route) => route.fulfill({ contentType: 'text/javascript', body: '' }));
    for (const viewport of [WIDE, NARROW]) {
        await page.goto('about:blank');
        await page.setViewportSize(viewport);
        await page.goto(`${server.ready.merchant}/`);
        const [whole, begun] = await page.evaluate(() => {
            const top = () => document.querySelector('.rail').getBoundingClientRect().top;
            const before = top();
            document.querySelector('.middle').remove();
            return [before, top()];
        });
        equal(begun, whole, `where the rail stands at ${viewport.width} before the rest of the page is here`);
    }
    browser.clean();
    proved('eight views stand where they are first seen, in whatever order their answers come');
});

await closeBrowser();
