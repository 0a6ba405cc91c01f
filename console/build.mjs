// build.mjs - bundles the console into dist: one page, one script, one style, the last two
// compressed, as the program serves them. Says how large they are, and refuses to grow past the
// limit (150 kB together).
import { build } from 'esbuild';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const LIMIT = 150 * 1000;

await build({
    entryPoints: [{ in: 'src/main.tsx', out: 'console' }],
    bundle: true,
    minify: true,
    format: 'iife',
    target: ['es2021'],
    jsx: 'automatic',
    jsxImportSource: 'preact',
    outdir: 'dist',
    legalComments: 'none',
    logLevel: 'warning',
});

let total = 0;
for (const name of ['console.js', 'console.css']) {
    const packed = gzipSync(readFileSync(`dist/${name}`), { level: 9 });
    packed[9] = 255; // the operating system of a gzip header: the same bytes everywhere
    writeFileSync(`dist/${name}.gz`, packed);
    total += packed.length;
}
copyFileSync('index.html', 'dist/index.html');
console.error(`console: ${(total / 1000).toFixed(1)} kB compressed`);
if (total > LIMIT) throw new Error(`the console is larger than ${LIMIT / 1000} kB`);
