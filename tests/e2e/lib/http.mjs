// http.mjs - one HTTP request and its answer, over connections that are kept and used again.
import http from 'node:http';

export function connections(most = Infinity) {
    return new http.Agent({ keepAlive: true, maxSockets: most, maxFreeSockets: 4096 });
}

// {status, headers, bytes, text, json, ms}. Rejects when there was no answer (error.code says why); the
// answer to a request that was sent and not answered is unknown, not "no".
export function request(base, method, path, options = {}) {
    const { headers = {}, body, agent, seconds = 60, onSent } = options;
    const url = new URL(base);
    const payload = body === undefined || typeof body === 'string' || Buffer.isBuffer(body)
        ? body : JSON.stringify(body);
    const lines = { ...headers };
    if (payload !== undefined) {
        lines['Content-Length'] ??= Buffer.byteLength(payload);
        if (!('Content-Type' in lines)) lines['Content-Type'] = 'application/json';
        if (lines['Content-Type'] === null) delete lines['Content-Type'];
    }
    const begun = performance.now();
    return new Promise((resolve, reject) => {
        const call = http.request({ host: url.hostname, port: url.port, method, path, agent,
                                    headers: lines, timeout: seconds * 1000 }, (answer) => {
            const parts = [];
            answer.on('data', (part) => parts.push(part));
            answer.on('error', reject);
            answer.on('end', () => {
                const bytes = Buffer.concat(parts);
                const text = bytes.toString('utf8');
                resolve({ status: answer.statusCode, headers: answer.headers, bytes, text,
                          json: parse(text), ms: performance.now() - begun });
            });
        });
        if (onSent) call.once('finish', onSent);
        call.on('timeout', () => call.destroy(new Error(`no answer in ${seconds} s`)));
        call.on('error', reject);
        call.end(payload);
    });
}

function parse(text) {
    try {
        return JSON.parse(text);
    } catch {
        return undefined;
    }
}
