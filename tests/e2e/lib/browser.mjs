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

// One program for all stories of a file (starting it is what costs); each page is a profile of its own.
let shared;

async function launch() {
    const { chromium } = require('playwright-core');
    const program = PROGRAMS.find((path) => path && existsSync(path));
    return chromium.launch({ executablePath: program, headless: true, args: FLAGS,
                             timeout: 30000 * patience });
}

// At the end of a file, so that it can end.
export async function closeBrowser() {
    await (await shared)?.close();
    shared = undefined;
}

export class Browser {
    static async open(scene) {
        shared ??= launch();
        const browser = new Browser();
        browser.errors = [];
        browser.contexts = [];
        browser.process = await shared;
        scene.atEnd(() => Promise.all(browser.contexts.map((context) => context.close())));
        return browser;
    }

    // A fresh profile with one page. `failures`: what may go wrong on purpose, as an expression.
    async page(options = {}, failures = /^$/) {
        const context = await this.process.newContext({ viewport: { width: 1440, height: 900 },
                                                        ...options });
        this.contexts.push(context);
        context.setDefaultTimeout(10000 * patience);
        // Somebody who knows the page, unless the URL says that it is the first time.
        await context.addInitScript(() => {
            if (!location.protocol.startsWith('http')) return;
            localStorage['hakika.greeted'] ??= location.hash.includes('first') ? 'no' : 'yes';
        });
        const page = await context.newPage();
        page.on('pageerror', (error) => this.errors.push(error.stack ?? String(error)));
        page.on('console', (line) => {
            if (line.type() === 'error' && !failures.test(line.text())) this.errors.push(line.text());
        });
        return page;
    }

    // Nothing went wrong in any page.
    clean() {
        if (this.errors.length > 0) fail(`the page complained: ${this.errors.join('\n')}`);
    }
}
