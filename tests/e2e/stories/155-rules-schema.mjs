// The JSON schema that is served and the parser agree about what a rules document is: the samples
// of the documentation, and some hundred documents made of good and bad pieces.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Server } from '../lib/server.mjs';
import { check, equal, fail, proved, random, story } from '../lib/story.mjs';

const require = createRequire(new URL('../clients/ajv/package.json', import.meta.url));
const Ajv = require('ajv/dist/2020');

const ROUNDS = 600;
const GOOD = 9; // in ten: that a piece is a good one

const pick = (list) => list[random(list.length)];
const some = (good, bad) => () => pick(random(10) < GOOD ? good : bad);

const delay = some([0, 1, 604800000], [-1, 604800001, 1.5, '5', null]);
const flag = some([true, false], [0, 'true', null]);
const text = some(['x', 'No way.', '~'.repeat(120)], ['', 'é', 'a\tb', 'x'.repeat(121), 7]);
const code = some(['0', '1032', 'SFC_IC0003', 'a.b-c'], ['', '1 2', 'x'.repeat(13), 17, null]);
const digits = some(['0', '254711000500', '07'], ['', '+254', '2547110005001', 254, null]);
const count = some([1, 7, 1000000000], [0, 1000000001, '1', true]);
const amount = some([0, 100, 1000000000000000], [-1, 1000000000000001, 0.5, '1']);
const reference = some(['INV-1', ' '], ['', 'x'.repeat(41), 'ü', 1]);
const api = some(['stk_push', 'oauth', 'reversal'], ['stk', '', 1]);

// An object of some of these members, and now and then of one that has no place in it.
function made(members, most = 10) {
    const object = {};
    for (const [name, value] of Object.entries(members)) {
        if (random(10) < most) object[name] = value();
    }
    if (random(40) === 0) object.other = 1;
    return object;
}

const range = () => {
    const object = made({ min: amount, max: amount }, 7);
    if (object.min > object.max) delete object.max; // a schema cannot compare
    return object;
};
const match = () => made({
    api: () => pick([api, () => [api(), api()], () => []])(),
    short_code: some([10000, 174379, 9999999], [9999, 10000000, '174379']),
    phone: () => pick([digits, () => made({ prefix: digits }), () => made({ prefix: digits, suffix: digits }, 5)])(),
    amount: () => pick([amount, range])(),
    reference: () => pick([reference, () => made({ prefix: reference }, 9)])(),
    nth: count, first: count, every: count,
    probability: () => made({ per_million: some([0, 1000000], [-1, 1000001, 0.5]),
                              seed: some([0, 9007199254740992], [-1, 'x']) }, 9),
}, 2);
const answer = () => made({
    error: some(['500.003.02', '404.001.03', '500.001.1001', '00.002.1001'], ['200.001.01', '17', '500.003.02000']),
    message: text, status: some([400, 503, 599], [200, 600, '503']),
    connection: some(['reset', 'half_body', 'empty_body'], ['gone', 1]), delay_ms: delay, accepted: flag,
}, 3);
const prompt = () => made({ act: some(['approve', 'wrong_pin', 'cancel', 'ignore', 'unreachable'],
                                      ['sleep', 1]), delay_ms: delay }, 8);
const outcome = () => made({ code: () => pick([code, code, () => '4999'])(), text, delay_ms: delay }, 8);
const callback = () => made({
    never: flag, delay_ms: delay, times: some([1, 10], [0, 11, '3']), spacing_ms: delay,
    hold_for_next: flag, before_answer: flag, fail_first: some([0, 15], [-1, 16]), amount,
    metadata: flag, cut: flag, code, text,
}, 2);
const query = () => made({ code, text, pending: flag }, 5);
const then = () => made({ answer, prompt, outcome, callback, query }, 3);
const rule = () => made({ name: some(['a', 'A rule 1.2_x-y', '0'.repeat(48)],
                                     ['', ' a', 'a/b', '0'.repeat(49), 1]), match, then }, 10);
const document = () => (random(30) === 0 ? made({ rules: () => pick([{}, null, 1]) })
    : made({ rules: () => Array.from({ length: random(3) }, rule) }, 10));

await story('schema and parser agree', async (scene) => {
    const { operator } = await Server.open(scene, ['--clock', 'virtual']);
    const answer = await operator.sim('GET', '/rules/schema');
    equal([answer.status, answer.headers['content-type']], [200, 'application/schema+json'], 'schema');
    const valid = new Ajv({ strict: true, strictRequired: false, strictTypes: false })
        .compile(answer.json);
    const agree = async (value) => {
        const put = await operator.sim('PUT', '/rules', value);
        check([200, 400].includes(put.status), `PUT /rules: ${put.status} ${put.text}`);
        if (valid(value) !== (put.status === 200)) {
            fail(`schema: ${JSON.stringify(valid.errors)}\nparser: ${put.text}\n` +
                 `document: ${JSON.stringify(value)}`);
        }
        return put.status === 200;
    };
    const magic = JSON.parse(readFileSync(new URL('../../../src/face/magic.json', import.meta.url)));
    check(await agree(magic), 'the built-in rules are not valid');
    let taken = 0;
    for (let i = 0; i < ROUNDS; i++) taken += await agree(document());
    check(taken > ROUNDS / 10 && taken < ROUNDS * 9 / 10, `${taken} of ${ROUNDS} were taken`);
    proved(`${ROUNDS} documents, ${taken} of them taken by both and the rest refused by both`);
});

await story('every example of docs/rules.md is one', async (scene) => {
    const { operator } = await Server.open(scene, ['--clock', 'virtual']);
    const text = readFileSync(new URL('../../../docs/rules.md', import.meta.url), 'utf8');
    const [, whole] = text.match(/-d '\n([^']+)'/);
    equal((await operator.sim('PUT', '/rules', JSON.parse(whole))).status, 200, 'the first example');
    const parts = { 'the payment': null, 'the callback': 'callback', 'the query': 'query',
                    'the answer': 'answer', Match: 'match' };
    let examples = 0;
    for (const section of text.split('\n## ').slice(1)) {
        const title = section.split('\n')[0].replace('Then: ', '');
        if (!(title in parts)) continue;
        let last = '';
        for (const [, name, example] of section.matchAll(/^\| (?:`(\w+)`[^|]*)?\| (`[^|]+`) \|/gm)) {
            last = name ?? last;
            const values = [...example.matchAll(/`([^`]+)`/g)].map((m) => JSON.parse(m[1]));
            for (const value of title.includes('callback') ? values.slice(0, 1) : values) {
                const whole = typeof value === 'object' && !Array.isArray(value);
                const key = parts[title];
                const part = key === null ? { [last]: value }
                    : { [key]: whole && key !== 'match' ? value : { [last]: value } };
                const body = key === 'match' ? { match: { [last]: value }, then: { query: { pending: true } } }
                    : { then: part };
                const put = await operator.sim('PUT', '/rules', { rules: [{ name: 'e', ...body }] });
                if (put.status !== 200) fail(`${title}, ${last}, ${JSON.stringify(body)}: ${put.text}`);
                examples++;
            }
        }
    }
    check(examples > 35, `only ${examples} examples were found`);
    proved(`${examples} examples of the documentation are valid rules`);
});
