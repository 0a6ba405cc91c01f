// server.mjs - the real program: starts it on a free port, waits for its ready line, kills it,
// stops it, starts it again on the same data.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { Operator } from './operator.mjs';
import { check, within } from './story.mjs';

export const HAKIKA = process.env.HAKIKA;

// Settings of whoever runs the tests must not reach the server.
function cleanEnvironment(extra) {
    const environment = { ...extra };
    for (const [name, value] of Object.entries(process.env)) {
        if (!name.startsWith('HAKIKA_')) environment[name] ??= value;
    }
    return environment;
}

export class Server {
    constructor(scene, flags = [], options = {}) {
        check(HAKIKA, 'HAKIKA must name the program');
        this.scene = scene;
        this.flags = flags;
        this.environment = options.environment ?? {};
        this.data = options.data ?? scene.path('data');
        this.port = options.port ?? 0;
        this.wrapper = options.wrapper ?? [];
        this.errors = '';
        this.lines = [];
        (scene.servers ??= []).push(this);
        scene.atEnd(() => this.kill());
    }

    static async open(scene, flags = [], options = {}) {
        const server = new Server(scene, flags, options);
        await server.start();
        return server;
    }

    arguments() {
        const data = this.flags.includes('--ephemeral') ? [] : ['--data', this.data];
        // Most stories are about the operator alone.
        const book = this.flags.includes('--book') ? [] : ['--book', 'operator'];
        return ['serve', '--port', String(this.port), ...data, ...book, ...this.flags];
    }

    // Until the ready line; rejects when the process ends before it.
    async start() {
        const command = [...this.wrapper, HAKIKA, ...this.arguments()];
        this.lines = [];
        this.errors = '';
        this.begun = performance.now();
        this.process = spawn(command[0], command.slice(1),
                             { stdio: ['ignore', 'pipe', 'pipe'],
                               env: cleanEnvironment(this.environment) });
        this.process.stderr.on('data', (part) => { this.errors += part; });
        this.ended = new Promise((resolve) => {
            this.process.once('error', (error) => resolve({ code: -1, signal: error.message }));
            this.process.once('close', (code, signal) => resolve({ code, signal }));
        });
        const output = createInterface({ input: this.process.stdout });
        const ready = new Promise((resolve) => output.on('line', (line) => {
            this.lines.push(line);
            if (line.startsWith('ready ')) resolve(line);
        }));
        const first = await within(Promise.race([ready, this.ended]), 'the ready line', 30);
        if (typeof first !== 'string') {
            throw new Error(`the server ended with ${first.code ?? first.signal} instead of ` +
                            `becoming ready: ${this.errors.trim()}`);
        }
        this.readyMs = performance.now() - this.begun;
        this.ready = Object.fromEntries(first.slice(6).split(' ').map((pair) => {
            const at = pair.indexOf('=');
            return [pair.slice(0, at), pair.slice(at + 1)];
        }));
        this.base = this.ready.operator;
        const former = this.operator;
        this.operator = new Operator(this.base, former);
        return this;
    }

    // {code, signal, errors} of a start that is expected to fail.
    static async refused(scene, flags, options) {
        const server = new Server(scene, flags, options);
        let started = true;
        await server.start().catch(() => { started = false; });
        check(!started, `the server started with ${server.arguments().join(' ')}`);
        const end = await server.ended;
        return { ...end, errors: server.errors };
    }

    get pid() {
        return this.process.pid;
    }

    // kill -9: nothing is flushed, nobody is told.
    async kill() {
        this.operator?.hangUp();
        if (!this.process || this.process.exitCode !== null || this.process.signalCode !== null) {
            return;
        }
        this.process.kill('SIGKILL');
        await this.ended;
    }

    async restart(flags) {
        await this.kill();
        if (flags) this.flags = flags;
        await this.start();
    }

    // SIGTERM; resolves with the exit status.
    async stop() {
        this.process.kill('SIGTERM');
        const end = await within(this.ended, 'the server to stop after SIGTERM', 15);
        this.operator.hangUp();
        return end.code ?? end.signal;
    }

    // Stops the process (SIGSTOP), lets `count` requests be sent to it by `act`, and lets it go on:
    // it finds all of them at once. The answers.
    async allAtOnce(count, act) {
        await this.operator.warmUp(count);
        const left = this.operator.sent(count);
        this.process.kill('SIGSTOP');
        try {
            const answers = act();
            await within(left, `${count} requests to be sent`);
            return answers;
        } finally {
            this.process.kill('SIGCONT');
        }
    }

    // Resident memory now and at most, in MB; `own` is without the pages of files that are mapped,
    // which the kernel keeps as long as nobody else wants the room.
    memory() {
        const status = readFileSync(`/proc/${this.pid}/status`, 'utf8');
        const read = (name) => Number(status.match(new RegExp(`${name}:\\s+(\\d+)`))[1]) / 1024;
        return { now: read('VmRSS'), most: read('VmHWM'), own: read('RssAnon') };
    }
}
