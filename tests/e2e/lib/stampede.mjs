// stampede.mjs - as many requests as the server takes: N connections, each of which sends its next
// request as soon as the former is answered. Node's own client is several times slower; this one
// knows only what our server sends (a status, Content-Length, a body).
import net from 'node:net';

// plan(previous) gives a connection's next request as {method, path, headers, body, ...}, or null
// when there is nothing left; previous is {asked, status, text} or null. Resolves with the number of
// answers by status.
export async function stampede(base, connections, plan) {
    const { hostname, port } = new URL(base);
    const statuses = {};
    await Promise.all(Array.from({ length: connections }, () => new Promise((resolve, reject) => {
        const socket = net.connect({ host: hostname, port, noDelay: true });
        let asked;
        let rest = '';
        const send = (previous) => {
            asked = plan(previous);
            if (asked === null) {
                socket.end();
                resolve();
                return;
            }
            const body = asked.body === undefined ? '' : JSON.stringify(asked.body);
            socket.write(`${asked.method} ${asked.path} HTTP/1.1\r\nHost: ${hostname}:${port}\r\n` +
                         `Content-Type: application/json\r\n${asked.headers ?? ''}` +
                         `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
        };
        socket.on('connect', () => send(null));
        socket.on('error', reject);
        socket.on('data', (part) => {
            rest += part.toString('latin1');
            const end = rest.indexOf('\r\n\r\n');
            if (end < 0) return;
            const size = Number(/content-length: (\d+)/i.exec(rest)[1]);
            if (rest.length < end + 4 + size) return;
            const status = Number(rest.slice(9, 12));
            const text = rest.slice(end + 4, end + 4 + size);
            rest = rest.slice(end + 4 + size);
            statuses[status] = (statuses[status] ?? 0) + 1;
            send({ asked, status, text });
        });
    })));
    return statuses;
}
