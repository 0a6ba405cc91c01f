// Time travel (R6.7): ?at=POSITION shows a transaction as it was, and hakika explain tells each step
// with its cause and its rule, from the journal, beside the running server.
import { spawnSync } from 'node:child_process';
import { Listener } from '../lib/listener.mjs';
import { HAKIKA, Server } from '../lib/server.mjs';
import { check, equal, matches, proved, story, until } from '../lib/story.mjs';

const ANNA = 254711000001;

function explain(server, ...args) {
    const run = spawnSync(HAKIKA, ['explain', ...args, '--data', server.data],
                          { encoding: 'utf8', timeout: 60000 });
    return { status: run.status, text: run.stdout, errors: run.stderr,
             json: args.includes('--json') && run.stdout ? JSON.parse(run.stdout) : undefined };
}

const place = (position) => Number(position.split(':')[1]);

// What a payment was when this timeline was as long as it is now.
async function seen(operator, id) {
    const answer = await operator.transaction(id);
    return { ...answer, at: answer.timeline.at(-1).position };
}

await story('a payment at each of its positions', async (scene) => {
    const listener = await Listener.open(scene);
    const server = await Server.open(scene, ['--clock', 'virtual']);
    let { operator } = server;
    await operator.openSubscriber(ANNA, 100000);
    listener.behave = () => ({ status: 500, body: 'not now' });
    const { CheckoutRequestID: id } = await operator.pushed({ PhoneNumber: ANNA, Amount: 100,
                                                             CallBackURL: listener.url });
    const moments = [];
    await until(async () => (await operator.prompts(ANNA)).length > 0, 'the prompt');
    moments.push(await seen(operator, id));
    await operator.advance(3000);
    await operator.approved(id);
    await until(async () => (await operator.delivery(id)).attempts.length > 0, 'the first attempt');
    moments.push(await seen(operator, id));
    listener.behave = () => ({ status: 200, body: 'ok' });
    await operator.untilIdle();
    moments.push(await seen(operator, id));
    const end = moments.at(-1);
    equal(end.timeline.map((step) => step.event),
          ['accepted', 'prompted', 'ended', 'callback_failed', 'callback_delivered'], 'the timeline');

    for (const { at, ...then } of moments) {
        for (const position of [at, String(place(at))]) {
            equal(await operator.transaction(`${id}?at=${position}`), then, `as it was at ${position}`);
        }
    }
    const accepted = place(end.timeline[0].position);
    const first = await operator.transaction(`${id}?at=${accepted}`);
    equal([first.status, first.result_code, first.receipt, first.timeline.length],
          ['PENDING', null, null, 1], 'at its first position');
    const head = (await operator.metrics()).hakika_position;
    for (const [at, status, code] of [[accepted - 1, 404, 'not_yet'], [0, 404, 'not_yet'],
                                      [head + 1, 400, 'invalid_at'], ['x', 400, 'invalid_at'],
                                      ['-1', 400, 'invalid_at']]) {
        const answer = await operator.sim('GET', `/transactions/${id}?at=${at}`);
        equal([answer.status, answer.json.code], [status, code], `at=${at}`);
    }
    proved('a transaction at every position of its life, as it was seen then');

    // Beside the running server, by each of its names.
    const told = explain(server, id, '--json');
    equal([told.status, told.errors], [0, ''], 'hakika explain');
    equal([told.json.id, told.json.status, told.json.receipt, told.json.head],
          [end.id, 'SUCCESS', end.receipt, head], 'what it is about');
    equal(told.json.steps.map((step) => [step.position, step.event]), [
        [accepted, 'accepted'], [place(end.timeline[1].position), 'prompted'],
        [place(end.timeline[2].position), 'money_moved'],
        [place(end.timeline[2].position), 'ended'], [place(end.timeline[2].position), 'callback_queued'],
        [place(end.timeline[3].position), 'callback_failed'],
        [place(end.timeline[4].position), 'callback_delivered'],
    ].sort((a, b) => a[0] - b[0]).map((pair, i) => [pair[0], told.json.steps[i].event]), 'the steps');
    equal(new Set(told.json.steps.map((step) => step.event)),
          new Set(['accepted', 'prompted', 'money_moved', 'ended', 'callback_queued', 'callback_failed',
                   'callback_delivered']), 'all kinds of steps');
    for (const step of told.json.steps) {
        const shown = end.timeline.find((one) => place(one.position) === step.position);
        equal(step.at, shown.at, `the time of ${step.event}`);
        check(step.cause.length > 10 && step.rule.length > 10, `words about ${step.event}`);
    }
    for (const name of [end.id, end.receipt]) equal(explain(server, name, '--json').json, told.json, name);
    const text = explain(server, id).text;
    matches(text, /SUCCESS {2}KSh 100\.00 from 2547\*{5}001 to 174379, receipt [A-Z0-9]{10}/, 'the head');
    matches(text, /the PIN was right and the money moved; receipt .*\n +\(because a PIN was typed/, 'the end');
    matches(text, /callback attempt 1: HTTP 500 .* tried again at 20/, 'the first attempt');
    check(!text.includes(String(ANNA)), 'a phone number stands in the text');
    equal(explain(server, 'txn_99').status, 1, 'no such payment');
    equal(explain(server).status, 2, 'no id');
    equal(explain({ data: scene.path('nothing') }, 'txn_1').status, 4, 'no journal');

    // In a restored world, the frames of the saved one and those since.
    await operator.simOk('POST', '/snapshots', { name: 'paid' }, 201);
    const { CheckoutRequestID: open } = await operator.pushed({ PhoneNumber: ANNA, Amount: 7 });
    await until(async () => (await operator.prompts(ANNA)).length > 0, 'a second prompt');
    await operator.simOk('POST', '/snapshots', { name: 'open' }, 201);
    await operator.approve(open, '9999');
    await operator.simOk('POST', '/reset', {});
    equal(explain(server, id).status, 1, 'a payment of a world that was reset');
    await operator.simOk('POST', '/snapshots/open/restore', {});
    await operator.cancel(open);
    const cancelled = explain(server, open, '--json').json;
    equal([cancelled.generation, cancelled.status], [3, 'CANCELLED'], 'the payment that came with the world');
    equal(cancelled.steps.slice(0, 2).map((step) => step.event), ['accepted', 'prompted'], 'its beginning');
    check(!JSON.stringify(cancelled).includes('2001'), 'the end that it had in another world');
    equal(explain(server, id, '--json').json.steps, told.json.steps, 'the first payment, once more');
    await server.restart();
    ({ operator } = server);
    equal(explain(server, open, '--json').json.steps, cancelled.steps, 'after kill -9');
    proved('hakika explain tells each step, its cause and its rule, in restored worlds too');
});

await story('a request of an organisation at every position', async (scene) => {
    const server = await Server.open(scene, ['--clock', 'virtual']);
    const { operator } = server;
    const listener = await Listener.open(scene);
    await operator.openSubscriber(ANNA, 1000 * 100);
    await operator.simOk('PATCH', '/organisations/174379', { queue_delay_ms: 5000 });
    const { headers, body } = { headers: await operator.bearer(), body: { InitiatorName: 'testapi', SecurityCredential: 'AAAA',
        OriginatorConversationID: 'wages-1', CommandID: 'SalaryPayment', Amount: 50, PartyA: 174379, PartyB: ANNA, Remarks: 'w',
        QueueTimeOutURL: listener.url, ResultURL: listener.url } };
    equal((await operator.call('POST', '/mpesa/b2c/v3/paymentrequest', { headers, body })).status, 200, 'a payout');
    await operator.untilIdle();
    const end = await operator.simOk('GET', '/transactions/req_1');
    const now = await operator.simOk('GET', '/requests/req_1');
    equal([end.status, now.status], ['SUCCESS', 'SUCCESS'], 'how it ended');
    const [accepted, ended] = [place(end.timeline[0].position), place(end.timeline.at(-1).position)];
    check(ended > accepted, 'it took its time');
    for (let at = accepted; at <= ended; at++) {
        const open = at < ended;
        for (const path of ['transactions', 'requests']) {
            const then = await operator.simOk('GET', `/${path}/req_1?at=${at}`);
            equal([then.status, then.result_code, then.receipt, then.fee],
                  open ? ['PENDING', null, null, 0] : ['SUCCESS', now.result_code, now.receipt, now.fee], `${path} at ${at}`);
        }
        const { timeline } = await operator.simOk('GET', `/transactions/req_1?at=${at}`);
        equal(timeline, end.timeline.filter((one) => place(one.position) <= at), `its time line at ${at}`);
    }
    equal(await operator.simOk('GET', `/requests/req_1?at=${ended}`), now, 'at its end, all of it');
    for (const path of ['transactions', 'requests']) {
        for (const [at, expected] of [[1, [404, 'not_yet']], [999999, [400, 'invalid_at']], ['x', [400, 'invalid_at']]]) {
            const answer = await operator.sim('GET', `/${path}/req_1?at=${at}`);
            equal([answer.status, answer.json.code], expected, `${path} at ${at}`);
        }
    }
    proved('what a request was is told for each position between its beginning and its end');
});
