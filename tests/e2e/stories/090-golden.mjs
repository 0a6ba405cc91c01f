// The program that we ship is started on the folder of an earlier one (tests/golden/1-server): the
// same payments, balances and callbacks, the same key, and it goes on.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { HAKIKA, Server } from '../lib/server.mjs';
import { equal, matches, proved, story } from '../lib/story.mjs';

const PAYBILL = 600100;
const FIRST_PHONE = 254722000100;

function unpack(scene, name, withSnapshots) {
    const from = join(process.env.GOLDEN, name);
    const data = scene.path('data');
    mkdirSync(join(data, 'operator'), { recursive: true });
    for (const file of readdirSync(from).filter((n) => n.endsWith('.gz'))) {
        if (!withSnapshots && file.includes('.snap')) continue;
        writeFileSync(join(data, 'operator', file.slice(0, -3)),
                      execFileSync('gzip', ['-dc', join(from, file)], { maxBuffer: 1 << 28 }));
    }
    writeFileSync(join(data, 'secret.key'), readFileSync(join(from, 'secret.key')), { mode: 0o600 });
    return { data, expected: JSON.parse(readFileSync(join(from, 'expected.json'), 'utf8')),
             head: readFileSync(join(from, 'record'), 'utf8').match(/^head (\d+)/)[1] };
}

for (const withSnapshots of [true, false]) {
    await story(`an earlier program's folder, ${withSnapshots ? 'with' : 'without'} its snapshot`,
                async (scene) => {
        const { data, expected, head } = unpack(scene, '1-server', withSnapshots);
        const server = await Server.open(scene, [], { data });
        const { operator } = server;
        matches(server.ready.recovered, new RegExp(`^operator:1:${head}$`), 'what was recovered');
        const transactions = await operator.transactions();
        equal(transactions.map((t) => ({ id: t.id, status: t.status,
                                         result_code: t.result_code ?? null,
                                         receipt: t.receipt ?? null, amount: t.amount })),
              expected.transactions, 'the payments');
        for (const [phone, balance] of Object.entries(expected.balances)) {
            equal(await operator.balance(phone), balance, `the money of ${phone}`);
        }
        equal(await operator.utility(PAYBILL), expected.utility, 'the money of the shop');
        equal((await operator.wholeList('/deliveries'))
            .map((d) => ({ id: d.id, state: d.state, attempts: d.attempts.length })),
              expected.deliveries, 'the callbacks');
        proved(`${transactions.length} payments are as they were at position ${head}`);

        const [open] = await operator.prompts(FIRST_PHONE);
        equal((await operator.approved(open.checkout_request_id, '4321')).status, 'SUCCESS',
              'the prompt that was open, with the PIN of its owner');
        equal(await operator.utility(PAYBILL), expected.utility + open.amount, 'the money after it');
        proved('the prompt that was open is paid with the PIN that was set then');
        await server.stop();
        execFileSync(HAKIKA, ['verify', data], { stdio: 'pipe' });
        proved('every proof holds for old and new together');
    });
}
