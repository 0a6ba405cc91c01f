// browser.mjs - the console in a real browser: Debian's Chromium, driven by playwright-core (fetched
// once by fetch_browser in run.sh). Whatever the page logs as an error fails the story.
import { createRequire } from 'node:module';
import { existsSync } from 'node:fs';
import { fail, patience } from './story.mjs';

const require = createRequire(new URL('../clients/browser/package.json', import.meta.url));

export const axeSource = () => require('axe-core').source;

const PROGRAMS = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser',
                  '/usr/bin/google-chrome'];
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
               '--disable-background-networking', '--disable-component-update', '--disable-sync'];

// One program and one page for all stories of a file: starting them is what costs. The program is
// started at once, beside the first server.
const shared = launch();
let common;

async function launch() {
    const { chromium } = require('playwright-core');
    const program = PROGRAMS.find((path) => path && existsSync(path));
    return chromium.launch({ executablePath: program, headless: true, args: FLAGS,
                             timeout: 30000 * patience });
}
shared.catch(() => undefined); // said where it is awaited

// At the end of a file, so that it can end.
export async function closeBrowser() {
    await (await shared).close();
}

// Somebody who knows the page, unless the URL says that it is the first time.
function greeted() {
    if (!location.protocol.startsWith('http')) return;
    localStorage['hakika.greeted'] ??= location.hash.includes('first') ? 'no' : 'yes';
}

export class Browser {
    static async open(scene) {
        const browser = new Browser();
        browser.errors = [];
        browser.contexts = [];
        browser.process = await shared;
        scene.atEnd(() => browser.close());
        return browser;
    }

    // A profile of its own, with one page. `failures`: what may go wrong on purpose, as an expression.
    async page(options = {}, failures = /^$/) {
        const context = await this.process.newContext({ viewport: { width: 1440, height: 900 },
                                                        reducedMotion: 'reduce', ...options });
        this.contexts.push(context);
        context.setDefaultTimeout(10000 * patience);
        await context.addInitScript(greeted);
        const page = await context.newPage();
        this.listenTo(page, failures);
        return page;
    }

    // The page that the stories of a file use one after the other. Each server has a port, and so an
    // origin and a storage of its own.
    async commonPage(failures = /^$/) {
        if (!common) {
            common = await this.page({}, failures);
            this.contexts.pop();
        } else {
            this.listenTo(common, failures);
        }
        this.common = common;
        return common;
    }

    listenTo(page, failures) {
        page.removeAllListeners('pageerror').removeAllListeners('console');
        page.on('pageerror', (error) => this.errors.push(error.stack ?? String(error)));
        page.on('console', (line) => {
            if (line.type() === 'error' && !failures.test(line.text())) this.errors.push(line.text());
        });
    }

    async close() {
        if (this.common && !this.common.isClosed()) {
            this.common.removeAllListeners('pageerror').removeAllListeners('console');
            await this.common.evaluate(() => { if (location.protocol.startsWith('http')) localStorage.clear(); });
            await this.common.goto('about:blank');
        }
        await Promise.all(this.contexts.map((context) => context.close()));
    }

    // Nothing went wrong in any page.
    clean() {
        if (this.errors.length > 0) fail(`the page complained: ${this.errors.join('\n')}`);
    }
}
