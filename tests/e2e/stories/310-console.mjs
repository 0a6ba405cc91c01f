// The console (R1.7, R1.8): a person who has never seen it makes a first payment, types right and
// wrong PINs, cancels, switches the phone off, and reads the story of each.
import { Browser, closeBrowser } from '../lib/browser.mjs';
import { Listener } from '../lib/listener.mjs';
import { Server } from '../lib/server.mjs';
import { check, equal, matches, proved, story, until } from '../lib/story.mjs';

const ANNA = 254711000001;
const SHILLING = 100;

const phoneOf = (page, number) => page.getByTestId(`phone-${number}`);

async function type(phone, pin) {
    for (const digit of pin) await phone.getByRole('button', { name: digit, exact: true }).click();
    await phone.getByTestId('send').click();
}

// What the status of a payment in the list becomes.
async function becomes(page, id, status) {
    await page.locator(`[data-testid="row-${id}"][data-status="${status}"]`).waitFor();
}

await story('the first run', async (scene) => {
    const server = await Server.open(scene, ['--clock', 'virtual']);
    const browser = await Browser.open(scene);
    const page = await browser.commonPage();
    const answer = await page.goto(`${server.base}/`);
    const policy = answer.headers()['content-security-policy'];
    matches(policy, /default-src 'none'; script-src 'self'/, 'Content-Security-Policy');
    await page.evaluate(() => localStorage.setItem('hakika.greeted', 'no'));
    await page.reload();
    const first = page.getByTestId('first-run');
    await first.getByText('Three steps').waitFor();
    await first.getByTestId('first-push').click();
    const phone = phoneOf(page, 254708374149);
    await phone.getByTestId('prompt').waitFor();
    matches(await phone.getByTestId('prompt').innerText(), /120\.00 .*INV-77/s, 'the prompt');
    await type(phone, '1234');
    await first.getByText('The first payment went through').waitFor();
    await phone.getByTestId('balance').getByText('KSh 99,880.00').waitFor();
    await first.getByTestId('first-story').click();
    const drawer = page.getByTestId('story');
    await drawer.locator('[data-fate="arrived"][data-testid^="message-dlv_"]').waitFor();
    matches(await drawer.getByTestId('why').innerText(), /PIN was right/, 'why it ended');
    check(page.url().includes('open=txn_1'), 'the URL names what is open');
    browser.clean();
    proved('three steps lead from an empty system to a payment whose story is open');
});

// Time travel in the story of a paid payment (R6.7): what it was at each of its steps.
async function stepsThrough(page, server) {
    await page.goto(`${server.base}/#/payments?open=txn_4`);
    const drawer = page.getByTestId('story');
    const words = drawer.getByTestId('step-words');
    const back = drawer.getByRole('button', { name: 'Step back' });
    await drawer.locator('[data-fate="arrived"][data-testid^="message-dlv_"]').waitFor();
    await words.getByText(/^4\/4 · Callback arrived/).waitFor();
    await back.click();
    await words.getByText(/^3\/4 · Ended/).waitFor();
    await drawer.locator('[data-fate="waiting"][data-testid^="message-dlv_"]').waitFor();
    await back.click();
    await words.getByText(/^2\/4 · Prompt/).waitFor();
    await drawer.getByText('Waiting for the answer on the phone.').waitFor();
    await drawer.locator('.chip.processing').waitFor();
    await drawer.getByTestId('message-end').waitFor({ state: 'detached' });
    await drawer.getByTestId('message-prompt').waitFor();
    check(/[?&]at=\d+%3A\d+/.test(page.url()), `the URL names the time: ${page.url()}`);
    await page.reload();
    await drawer.getByText('As it was at position').waitFor();
    await drawer.locator('.chip.processing').waitFor();
    await back.click();
    await drawer.locator('.chip.pending').waitFor();
    equal(await back.isDisabled(), true, 'before the first step');
    await drawer.getByTestId('to-now').click();
    await drawer.getByTestId('message-end').waitFor();
    check(!page.url().includes('at='), 'now is no time of the past');
    proved('a story is walked through step by step, back and forth, by its URL too');
}

await story('every ending that a phone can give', async (scene) => {
    const listener = await Listener.open(scene);
    const server = await Server.open(scene, ['--clock', 'virtual']);
    const { operator } = server;
    await operator.openSubscriber(ANNA, 1000 * SHILLING);
    const browser = await Browser.open(scene);
    const page = await browser.commonPage();
    await page.goto(`${server.base}/#/phones?phones=${ANNA}`);
    const phone = phoneOf(page, ANNA);
    const push = async () => {
        await operator.pushed({ PhoneNumber: ANNA, Amount: 100, CallBackURL: listener.url,
                                AccountReference: `INV-${Math.random()}`.slice(0, 12) });
    };

    await push();
    await type(phone, '1111');
    await phone.getByTestId('prompt').waitFor({ state: 'detached' });
    equal((await operator.transaction('txn_1')).result_code, '2001', 'a wrong PIN');

    await push();
    await phone.getByText('2 attempts left').waitFor();
    await phone.getByTestId('cancel').click();
    await phone.getByTestId('prompt').waitFor({ state: 'detached' });
    equal((await operator.transaction('txn_2')).result_code, '1032', 'cancelled');

    await phone.getByTestId('power').click();
    await phone.locator('.dark-screen').getByText('Switched off').waitFor();
    await push();
    await operator.advance(5000);
    await until(async () => (await operator.transaction('txn_3')).status === 'FAILED', 'it ends');
    equal((await operator.transaction('txn_3')).result_code, '1037', 'switched off');
    await phone.getByTestId('power').click();
    await phone.locator('.status-bar').waitFor();

    await push();
    await phone.getByTestId('prompt').waitFor();
    await operator.advance(7000);
    await page.keyboard.type('1234');
    await page.keyboard.press('Enter');
    await phone.getByText('KSh 900.00').waitFor();
    await phone.getByRole('button', { name: /Messages/ }).click();
    await until(async () => await phone.getByTestId('message').count() === 4, 'four messages lie in the inbox');
    proved('wrong PIN, cancel, switched off and paid, by mouse and by keyboard');

    await page.goto(`${server.base}/#/payments`);
    await becomes(page, 'txn_1', 'FAILED');
    await becomes(page, 'txn_2', 'CANCELLED');
    await becomes(page, 'txn_3', 'FAILED');
    await becomes(page, 'txn_4', 'SUCCESS');
    await page.getByTestId('row-txn_3').click();
    await page.getByTestId('story').locator('[data-testid="message-prompt"][data-fate="lost"]').waitFor();
    await page.keyboard.press('Escape');
    await page.getByTestId('story').waitFor({ state: 'detached' });
    proved('each has a line with its state, and a story that says what was lost');

    await stepsThrough(page, server);

    // In book time: at once for two, 5 s for the phone that was off, 7 s for the last PIN.
    const took = async () => {
        const metrics = await operator.metrics();
        return ['0.0001', '2', '5', '10'].map((bound) => metrics[`hakika_push_to_callback_seconds_bucket{le="${bound}"}`]);
    };
    await until(async () => (await took())[3] === 4, 'four callbacks have arrived');
    equal(await took(), [2, 2, 3, 4], 'from push to callback');
    await page.goto(`${server.base}/#/health`);
    const measured = (name) => page.getByTestId(`hakika_${name}_seconds`).innerText();
    // Since the page began to look, which may have been after the first push.
    await until(async () => /\t[34]$/.test(await measured('push_to_callback')), 'Health has measured the callbacks');
    matches(await measured('push_to_callback'), /^From the push.*\t.* s\t.* s\t[34]$/, 'p50, p95, p99');
    matches(await measured('acknowledge'), /ms\t.*ms\t.*ms\t[34]$/, 'of the pushes');
    proved('Health shows how long acknowledgement, disk and callback took');
    browser.clean();
});

const OWN = 254722000111;

await story('a phone of one\'s own, and one without network', async (scene) => {
    const server = await Server.open(scene, ['--clock', 'virtual']);
    const { operator } = server;
    const browser = await Browser.open(scene);
    const page = await browser.commonPage();
    await page.goto(`${server.base}/#/phones`);
    await page.getByTestId('add-phone').click();
    const dialog = page.getByRole('dialog', { name: 'Add a phone' });
    for (const [name, value] of [['number', '0722 000 111'], ['name', 'Wanjiku'], ['balance', '2,500'], ['pin', '4321']]) {
        await dialog.locator(`input[name="${name}"]`).fill(value);
    }
    await dialog.getByRole('button', { name: 'Add', exact: true }).click();
    const phone = phoneOf(page, OWN);
    await phone.getByTestId('balance').getByText('KSh 2,500.00').waitFor();
    equal([(await operator.subscriber(OWN)).name, await operator.balance(OWN)], ['Wanjiku', 250000], 'the wallet');
    proved('a phone is added with a name, money and a PIN');

    // A push by the form; the phone is then on the screen.
    const ask = async (count) => {
        await page.goto(`${server.base}/#/try?api=stk`);
        for (const name of ['PhoneNumber', 'PartyA']) await page.locator(`input[name="${name}"]`).fill(String(OWN));
        await page.getByTestId('send-call').click();
        await until(async () => (await operator.transactions()).length === count, 'the push is accepted');
        await page.goto(`${server.base}/#/phones?phones=${OWN}`);
    };
    await phone.getByTestId('network').click();
    await phone.locator('.no-network').waitFor();
    await ask(1);
    await operator.advance(5000);
    const unreached = await until(async () => {
        const one = await operator.transaction('txn_1');
        return one.status === 'FAILED' && one;
    }, 'it ends');
    equal(unreached.result_code, '1037', 'without network');
    equal(await phone.getByTestId('prompt').count(), 0, 'prompts without network');
    await operator.sim('PATCH', `/subscribers/${OWN}`, { reachable: true });
    await phone.locator('.no-network').waitFor({ state: 'detached' });
    await ask(2);
    await type(phone, '4321');
    await phone.getByTestId('balance').getByText('KSh 2,380.00').waitFor();
    proved('the page asks a phone to pay: in vain without network, and paid with its own PIN after');

    await phone.getByRole('button', { name: 'Pay', exact: true }).click();
    for (const [label, value] of [['Account', 'HOUSE-4'], ['Amount', '80'], ['PIN', '4321']]) {
        await phone.getByLabel(label, { exact: true }).fill(value);
    }
    await phone.locator('button[type="submit"]').click();
    await phone.getByTestId('balance').getByText('KSh 2,300.00').waitFor();
    proved('and it pays unasked');
    browser.clean();
});

await closeBrowser();
