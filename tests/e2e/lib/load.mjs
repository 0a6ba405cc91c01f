// load.mjs - requests at a fixed rate, whatever the server does (an open loop): request n is due at
// start + n / rate, and its latency runs from when it was due, so that a server that stalls cannot
// hide what its users would have waited.
import { percentile } from './story.mjs';

// send(n) makes request n and resolves with its answer. {answers: [{n, ms, answer, error}], ...}
export async function atRate(rate, seconds, send) {
    const total = Math.round(rate * seconds);
    const answers = [];
    const open = new Set();
    const start = performance.now();
    let latest = 0;
    for (let n = 0; n < total;) {
        const now = performance.now() - start;
        for (; n < total && n * 1000 / rate <= now; n++) {
            const due = n * 1000 / rate;
            latest = Math.max(latest, now - due);
            const number = n;
            const finish = (what) => {
                answers.push({ n: number, due: start + due, ms: performance.now() - start - due,
                               ...what });
                open.delete(one);
            };
            const one = send(number).then((answer) => finish({ answer }),
                                          (error) => finish({ error }));
            open.add(one);
        }
        await new Promise((resolve) => setTimeout(resolve, 1));
    }
    const sentMs = performance.now() - start;
    await Promise.all(open);
    return { answers, sentMs, latest, rate: total / (sentMs / 1000) };
}

export function summary(numbers) {
    const at = (percent) => percentile(numbers, percent).toFixed(1);
    return `p50 ${at(50)}, p99 ${at(99)}, most ${at(100)} ms`;
}
