// The console for everybody: axe-core finds nothing serious in any view, in either theme; a storm of
// events does not freeze it; a hostile page in the same browser moves nothing (F2).
import http from 'node:http';
import { readFileSync } from 'node:fs';
import { axeSource, Browser, closeBrowser } from '../lib/browser.mjs';
import { Listener } from '../lib/listener.mjs';
import { Server } from '../lib/server.mjs';
import { atMost, bestOf, busy, check, equal, proved, said, story, until } from '../lib/story.mjs';

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

await story('ten thousand events a second', async (scene) => {
    const server = await Server.open(scene, ['--clock', 'virtual']);
    const browser = await Browser.open(scene);
    const page = await browser.page();
    // The program's own stream with a flood behind it: what the page is given, not what it asks for.
    await page.addInitScript(() => {
        const real = window.fetch;
        const encoder = new TextEncoder();
        window.flood = { sent: 0, on: false };
        window.fetch = async (path, options) => {
            if (!String(path).startsWith('/sim/v1/events')) return real(path, options);
            let position = 1000;
            const body = new ReadableStream({
                start(controller) {
                    setInterval(() => {
                        if (!window.flood.on) return;
                        let text = '';
                        for (let i = 0; i < 500; i++) {
                            position++;
                            text += `id: 1:${position}\nevent: stk_accepted\ndata: {"at":"2026-01-01T00:00:00.000Z","position":${position},"transaction":"txn_${position}","status":"PENDING","amount":1000,"short_code":174379}\n\n`;
                        }
                        window.flood.sent += 500;
                        controller.enqueue(encoder.encode(text));
                    }, 50);
                },
            });
            return new Response(body, { status: 200 });
        };
    });
    await page.goto(`${server.base}/#/payments`);
    await page.getByText('No payments yet').waitFor();
    const asked = (await server.operator.metrics()).hakika_http_requests_total;
    const longest = await page.evaluate(async () => {
        let worst = 0;
        let last = performance.now();
        window.flood.on = true;
        const end = last + 2000;
        await new Promise((resolve) => {
            const frame = () => {
                const now = performance.now();
                worst = Math.max(worst, now - last);
                last = now;
                if (now < end) requestAnimationFrame(frame);
                else resolve();
            };
            requestAnimationFrame(frame);
        });
        return worst;
    });
    await page.getByText('What you see is a sample').waitFor();
    const sent = await page.evaluate(() => { window.flood.on = false; return window.flood.sent; });
    const questions = (await server.operator.metrics()).hakika_http_requests_total - asked;
    check(busy || sent >= 13000, `only ${sent} events were made`);
    atMost(longest, busy ? 2000 : 250, 'the longest time without a frame, ms');
    atMost(questions, 80, 'requests meanwhile');
    said(`${sent} events in 2 s, longest pause ${Math.round(longest)} ms, ${questions} requests`);
    await page.getByText('What you see is a sample').waitFor({ state: 'detached' });
    browser.clean();
    proved('many events are sampled, the page says so, and it stays quick');
});

await story('small and quick', async (scene) => {
    const size = ['console.js.gz', 'console.css.gz'].reduce((sum, name) =>
        sum + readFileSync(new URL(`../../../console/dist/${name}`, import.meta.url)).length, 0);
    atMost(size, 150_000, 'bytes of script and style, compressed');
    const server = await Server.open(scene, ['--clock', 'virtual']);
    const browser = await Browser.open(scene);
    const page = await browser.commonPage();
    const whole = [];
    const paint = await bestOf(4, busy ? 5000 : 500, 'first paint, ms', async () => {
        await page.goto('about:blank');
        await page.goto(`${server.base}/`);
        await page.locator('.book-entry').first().waitFor();
        whole.push(await page.evaluate(() => performance.now()));
        return until(() => page.evaluate(() =>
            performance.getEntriesByName('first-contentful-paint')[0]?.startTime), 'a paint');
    });
    said(`${(size / 1000).toFixed(1)} kB compressed, first paint ${Math.round(paint)} ms, ` +
         `with the phone book ${Math.round(Math.min(...whole))} ms`);
    browser.clean();
    proved('within its size and time');
});

await closeBrowser();
