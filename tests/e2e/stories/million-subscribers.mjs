// A million subscribers in under 400 MB, and how long their start takes.
import { Server } from '../lib/server.mjs';
import { stampede } from '../lib/stampede.mjs';
import { atMost, equal, proved, said, story } from '../lib/story.mjs';

const COUNT = Number(process.env.SUBSCRIBERS ?? 1000000);
const FIRST = 254700000000;

await story(`${COUNT.toLocaleString('en')} subscribers`, async (scene) => {
    const server = await Server.open(scene, ['--snapshot-bytes', String(1 << 30)]);
    const before = server.memory().now;
    let next = 0;
    const begun = performance.now();
    const statuses = await stampede(server.base, 128, (previous) => {
        if (previous && previous.status !== 201) return { ...previous.asked };
        if (next === COUNT) return null;
        const body = { msisdn: FIRST + next, name: `Subscriber number ${next}`, pin: '1234',
                       balance: 100000 + next };
        next++;
        return { method: 'POST', path: '/sim/v1/subscribers', body };
    });
    const seconds = (performance.now() - begun) / 1000;
    equal(statuses[201], COUNT, `subscribers opened (${JSON.stringify(statuses)})`);
    const memory = server.memory();
    said(`opened in ${seconds.toFixed(0)} s (${(COUNT / seconds).toFixed(0)} a second), ` +
         `${before.toFixed(0)} MB before, ${memory.now.toFixed(0)} MB now, ${memory.most.toFixed(0)} at most`);
    atMost(memory.most, 400, 'resident MB');
    equal((await server.operator.subscriber(FIRST + COUNT - 1)).balance, 100000 + COUNT - 1, 'the last');
    proved(`${COUNT.toLocaleString('en')} subscribers in ${memory.most.toFixed(0)} MB`);

    equal(await server.stop(), 0, 'exit status');
    await server.start();
    const after = server.memory();
    said(`ready again in ${server.readyMs.toFixed(0)} ms from the snapshot, ${after.now.toFixed(0)} MB now, ` +
         `${after.most.toFixed(0)} at most`);
    equal((await server.operator.subscriber(FIRST + COUNT - 1)).balance, 100000 + COUNT - 1, 'the last');
    atMost(after.now, 400, 'resident MB after a restart');
});
