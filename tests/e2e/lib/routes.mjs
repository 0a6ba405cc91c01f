// routes.mjs - the routes of the merchant's port as the router has them, read from its tables: what
// is called by no test and named by no document is found all the same.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { check } from './story.mjs';

const face = fileURLToPath(new URL('../../../src/face/', import.meta.url));

// What decides outside of a table, by the path alone.
const ALONE = [['status.c', 'GET'], ['console.c', 'GET']];
const POSTED = new Set(['/sink']);

// "GET /v1/payments/{}", sorted.
export function routesOfRouter() {
    const routes = new Set();
    for (const file of readdirSync(face).filter((name) => /^gateway.*\.c$/.test(name))) {
        const text = readFileSync(face + file, 'utf8');
        for (const [, method, path] of text.matchAll(/\{"([A-Z]+)", "(\/[^"]*)", \w+\}/g)) {
            routes.add(`${method} ${path}`);
        }
    }
    for (const [file, method] of ALONE) {
        const text = readFileSync(face + file, 'utf8');
        for (const [, path] of text.matchAll(/span_is\(q->path, "(\/[^"]*)"\)/g)) {
            routes.add(`${POSTED.has(path) ? 'POST' : method} ${path}`);
        }
    }
    check(routes.size > 40, 'the tables of routes are not where they were');
    return [...routes].sort();
}
