// The console stays quick: under a storm of events, and from the first paint on.
import { readFileSync } from 'node:fs';
import { Browser, closeBrowser } from '../lib/browser.mjs';
import { Server } from '../lib/server.mjs';
import { atMost, bestOf, busy, check, proved, said, story, until } from '../lib/story.mjs';

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
