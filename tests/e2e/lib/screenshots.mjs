// screenshots.mjs - pictures of every view with a day of a small shop in it: script/screenshots.
// The clock is virtual, so the same pictures come out each time.
import { Browser, closeBrowser } from './browser.mjs';
import { Listener } from './listener.mjs';
import { both, prompt } from './gateway.mjs';
import { Server } from './server.mjs';
import { kenyan, portal } from './statement.mjs';
import { said, story, until } from './story.mjs';

const folder = process.argv[2] ?? 'screenshots';
const only = process.argv[3];
const AMINA = 254712345678;
const BRIAN = 254798111222;
const PEOPLE = [[AMINA, 'Amina Wanjiru', 48250], [BRIAN, 'Brian Otieno', 3120], [254701555010, 'Chebet Korir', 760],
                [254110909090, 'Daudi Mwangi', 15400]];

async function pushed(operator, listener, phone, amount, reference) {
    const answer = await operator.pushed({ PhoneNumber: phone, Amount: amount, CallBackURL: listener.url,
                                           AccountReference: reference });
    return answer.CheckoutRequestID;
}

// Every kind of ending and of accident, once.
async function aDay(operator, listener) {
    for (const [msisdn, name, shillings] of [...PEOPLE].reverse()) {
        await operator.simOk('POST', '/subscribers', { msisdn, name, pin: '1234', balance: shillings * 100 }, 201);
    }
    await operator.advance(8 * 3600_000 + 17 * 60_000);
    const push = (...rest) => pushed(operator, listener, ...rest);
    await operator.approved(await push(AMINA, 120, 'INV-071'));
    await operator.advance(190_000);
    await operator.cancel(await push(BRIAN, 450, 'INV-072'));
    await operator.advance(67_000);
    await operator.approved(await push(BRIAN, 450, 'INV-072'), '9999');
    await operator.advance(41_000);
    await push(254701555010, 1500, 'INV-073');
    await operator.advance(61_000);
    await operator.sim('PATCH', '/subscribers/254110909090', { reachable: false });
    await push(254110909090, 2300, 'INV-074');
    await operator.advance(200_000);
    await operator.simOk('PUT', '/rules', { rules: [
        { name: 'lose the next callback', match: { api: 'stk_push', first: 1 }, then: { callback: { never: true } } }] });
    await operator.approved(await push(AMINA, 899, 'INV-075'));
    await operator.advance(330_000);
    await operator.simOk('PUT', '/rules', { rules: [
        { name: 'callback twice', match: { api: 'stk_push' }, then: { callback: { times: 2, spacing_ms: 5000, delay_ms: 45000 } } }] });
    let refused = 2;
    listener.behave = () => (refused-- > 0 ? { status: 503, body: 'upstream is restarting' } : undefined);
    const id = await push(AMINA, 2499, 'INV-076');
    await operator.advance(9000);
    await operator.approved(id);
    await operator.advance(400_000);
    await operator.simOk('POST', `/subscribers/${BRIAN}/pay`,
                         { short_code: 600000, amount: 75000, reference: 'HOUSE-4', pin: '1234' }, 201);
    await operator.advance(80_000);
    const headers = await operator.bearer();
    const { credential } = { credential: 'AAAA' };
    await operator.call('POST', '/mpesa/b2c/v3/paymentrequest', { headers, body: {
        OriginatorConversationID: 'wages-12', InitiatorName: 'testapi', SecurityCredential: credential,
        CommandID: 'SalaryPayment', Amount: 5200, PartyA: 600999, PartyB: BRIAN, Remarks: 'wages',
        QueueTimeOutURL: listener.url, ResultURL: listener.url } });
    await operator.simOk('POST', '/snapshots', { name: 'monday-morning' }, 201);
    await operator.advance(45_000);
    await operator.simOk('POST', '/snapshots', { name: 'before-lunch' }, 201);
    await push(AMINA, 640, 'INV-077');
    await until(async () => (await operator.prompts(AMINA)).length > 0, 'the prompt');
    return id;
}

const VIEWS = [
    ['phones', (story) => `/phones?phones=${AMINA},${BRIAN}`],
    ['payments', () => '/payments'],
    ['story', () => '/payments?open=txn_7'],
    ['lost', () => '/payments?open=txn_6'],
    ['try', () => '/try'],
    ['rules', () => '/rules'],
    ['time', () => '/time'],
    ['health', () => '/health'],
];

async function settle(page, name) {
    await page.waitForFunction(() => document.querySelector('main')?.children.length > 0);
    if (name === 'try') {
        await page.getByTestId('send-call').click();
        await page.getByTestId('exchange').waitFor();
    }
    if (name === 'phones') await page.getByTestId('prompt').waitFor();
    if (name === 'story' || name === 'lost') await page.getByTestId('picture').waitFor();
    if (name === 'health') await page.waitForFunction(() => /\d/.test(document.querySelector('.charts strong')?.textContent ?? ''));
    await page.evaluate(() => Promise.all(document.getAnimations().map((one) => one.finished.catch(() => 0))));
}

await story('pictures of every view', async (scene) => {
    const listener = await Listener.open(scene);
    const server = await Server.open(scene, ['--clock', 'virtual', '--profile', 'sandbox']);
    const browser = await Browser.open(scene);
    await aDay(server.operator, listener);
    for (const [width, height, device] of [[1440, 900, 'desktop'], [390, 844, 'phone']]) {
        for (const colorScheme of ['light', 'dark']) {
            const page = await browser.page({ viewport: { width, height }, colorScheme, deviceScaleFactor: 1 });
            for (const [name, path] of VIEWS) {
                if (only && !only.split(',').includes(name)) continue;
                await page.goto('about:blank');
                await page.goto(`${server.base}/#${path()}`);
                await settle(page, name);
                await page.screenshot({ path: `${folder}/${name}-${device}-${colorScheme}.png` });
            }
            await page.context().close();
        }
    }
    browser.clean();
});

// A statement with money of nobody, one whose balances do not follow, and somebody who looks after it.
async function theirBooks(gateway, operator, { id }) {
    const { receipt, ended_at } = await gateway.payment(id);
    const send = (text) => gateway.call('POST', '/v1/statements', text, { 'Content-Type': 'text/csv' });
    await send(portal([[receipt, kenyan(ended_at), 65000, AMINA, 'ORDER-1045'], ['TK60708BHZ', kenyan(ended_at), 120000, BRIAN, 'asante sana']], 50000));
    await operator.advance(2 * 3600_000);
    await send(portal([[receipt, kenyan(ended_at), 64000, AMINA, 'ORDER-1045'], ['TK60708BHZ', kenyan(ended_at), 120000, BRIAN, 'asante sana']]).replace('1840.00', '1850.00'));
    await gateway.ok('POST', '/v1/discrepancies/dis_1/resolve', { owner: 'Wanjiku', note: 'asked the branch for the slip' });
    await gateway.ok('POST', '/v1/discrepancies/dis_2/resolve', { owner: 'Otieno', reason: 'explained', note: 'the payer is a supplier who gave money back' });
}

// The gateway's side of such a day: paid, held in escrow, lost and found, paid out, given back, paid
// unasked, and an application that does not listen.
async function aDayAtTheGateway({ operator, gateway }, listener) {
    for (const [msisdn, name, shillings] of [...PEOPLE].reverse()) {
        await operator.simOk('POST', '/subscribers', { msisdn, name, pin: '1234', balance: shillings * 100 }, 201);
    }
    await operator.advance(8 * 3600_000);
    await gateway.ok('POST', '/v1/webhook_endpoints', { url: listener.url }, 201);
    await gateway.ok('POST', '/v1/providers/prov_1/c2b', {}, 202);
    await until(async () => (await gateway.ok('GET', '/v1/providers')).data[0].c2b.status === 'registered', 'it is told of C2B');
    const paid = async (order_id, amount, phone, more = {}) => {
        const made = await gateway.paying({ order_id, amount: amount * 100, phone: String(phone), ...more });
        await gateway.become(made.id, 'pending');
        await operator.approved(await prompt(operator, phone));
        return made;
    };
    await paid('ORDER-1041', 1250, AMINA);
    await operator.advance(130_000);
    const cancelled = await gateway.paying({ order_id: 'ORDER-1042', amount: 45000, phone: String(BRIAN) });
    await gateway.become(cancelled.id, 'pending');
    await operator.cancel(await prompt(operator, BRIAN));
    await gateway.become(cancelled.id, 'cancelled');
    await operator.advance(70_000);
    await gateway.become((await paid('ORDER-1043', 8900, AMINA, { capture: 'escrow' })).id, 'succeeded');
    await operator.simOk('PUT', '/rules', { rules: [
        { name: 'lose the next callback', match: { api: 'stk_push', first: 1 }, then: { callback: { never: true } } }] });
    const lost = await paid('ORDER-1044', 2300, AMINA);
    await operator.advance(180_000);
    await gateway.become(lost.id, 'succeeded');
    const back = await paid('ORDER-1045', 640, AMINA);
    await gateway.become(back.id, 'succeeded');
    await gateway.call('POST', '/v1/refunds', { payment: back.id }, { 'Idempotency-Key': 'r-1' });
    for (const [reference, amount, phone] of [['wages-otieno', 50000, BRIAN], ['courier-12', 35000, 254701555010]]) {
        await gateway.call('POST', '/v1/payouts', { amount, phone, reference }, { 'Idempotency-Key': reference });
    }
    await operator.advance(90_000);
    for (const [reference, amount] of [['ORDER-1042', 45000], ['asante', 120000]]) {
        await operator.simOk('POST', `/subscribers/${AMINA}/pay`, { short_code: 174379, amount, reference, pin: '1234' }, 201);
    }
    listener.behave = () => ({ status: 500, body: 'no' });
    const open = await gateway.paying({ order_id: 'ORDER-1046', amount: 179900, phone: String(AMINA) });
    await gateway.become(open.id, 'pending');
    await operator.advance(20_000);
    await until(async () => (await gateway.ok('GET', '/v1/receipts?status=suspense')).data.length === 1, 'the receipts');
    await theirBooks(gateway, operator, back);
    return open;
}

const MERCHANT_VIEWS = [['merchant', '/merchant?open=pay_4'], ['payouts', '/merchant?tab=payouts'], ['receipts', '/merchant?tab=receipts'],
    ['reconciliation', '/merchant?tab=reconciliation'], ['webhooks', '/merchant?tab=webhooks'],
    ['discrepancies', '/merchant?tab=discrepancies&all=1'], ['merchant-health', '/health']];

await story('pictures of the gateway and of the payer\'s page', async (scene) => {
    const listener = await Listener.open(scene);
    const server = await both(scene);
    const browser = await Browser.open(scene);
    const open = await aDayAtTheGateway(server, listener);
    for (const [width, height, device] of [[1440, 900, 'desktop'], [390, 844, 'phone']]) {
        for (const colorScheme of ['light', 'dark']) {
            const page = await browser.page({ viewport: { width, height }, colorScheme, deviceScaleFactor: 1 });
            for (const [name, path] of MERCHANT_VIEWS) {
                if (only && !only.split(',').includes(name)) continue;
                await page.goto('about:blank');
                await page.goto(`${server.ready.merchant}/#${path}`);
                await page.waitForFunction(() => document.querySelectorAll('main .line, main tbody tr, main .hooks li, main .odd').length > 0);
                if (name === 'discrepancies') await page.getByTestId('statement-file').setInputFiles({ name: 'november.csv', mimeType: 'text/csv',
                    buffer: Buffer.from(portal([['TK60708BHZ', '29-11-2026 08:20:11', 120000, BRIAN, 'asante sana'], ['TK60708BHX', '29-11-2026 08:24:40', 35000, BRIAN, 'ORDER-1046']], 50000)) });
                if (name === 'discrepancies') await page.getByTestId('statement-report').waitFor();
                if (name === 'merchant') await page.locator('.moments li').first().waitFor();
                await page.screenshot({ path: `${folder}/${name}-${device}-${colorScheme}.png` });
            }
            if (!only || only.split(',').includes('checkout')) {
                await page.goto(open.checkout_url);
                await page.getByText('enter your M-PESA PIN').waitFor();
                await page.screenshot({ path: `${folder}/checkout-${device}-${colorScheme}.png` });
            }
            await page.context().close();
        }
    }
    browser.clean();
});

await story('the two of the README', async (scene) => {
    const listener = await Listener.open(scene);
    const server = await Server.open(scene, ['--clock', 'virtual', '--profile', 'sandbox']);
    const browser = await Browser.open(scene);
    await aDay(server.operator, listener);
    await server.operator.simOk('POST', '/clock/run-until-idle', { max_advance_ms: 5000 });
    const page = await browser.page({ viewport: { width: 1360, height: 850 }, colorScheme: 'light' });
    await page.goto(`${server.base}/#/phones?phones=${AMINA}&open=txn_8`);
    await settle(page, 'phones');
    await settle(page, 'story');
    await page.screenshot({ path: `${folder}/readme-phones.png` });
    const dark = await browser.page({ viewport: { width: 1360, height: 850 }, colorScheme: 'dark' });
    await dark.goto(`${server.base}/#/payments?open=txn_7`);
    await settle(dark, 'story');
    await dark.getByTestId('message-end').scrollIntoViewIfNeeded();
    await dark.locator('.drawer-body').evaluate((body) => { body.scrollTop = 330; });
    await dark.screenshot({ path: `${folder}/readme-story.png` });
    browser.clean();
});

await story('and of the first run', async (scene) => {
    const server = await Server.open(scene, ['--clock', 'virtual']);
    const browser = await Browser.open(scene);
    const page = await browser.page();
    await page.goto(`${server.base}/#/phones?first=1`);
    await page.getByTestId('first-run').waitFor();
    await page.screenshot({ path: `${folder}/first-desktop-light.png` });
    await page.goto(`${server.base}/#/payments`);
    await page.getByText('No payments yet').waitFor();
    await page.screenshot({ path: `${folder}/empty-desktop-light.png` });
    said(`see ${folder}`);
});

await closeBrowser();
