// journal.mjs - a second reader and writer of journals, made from docs/journal-format.md alone: for
// tests that need a journal which no honest program writes.
import { createHash } from 'node:crypto';
import { openSync, closeSync, readFileSync, readdirSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { check, equal } from './story.mjs';

const BLOCK = 4096;
const HEADER = 160;

function segmentName(number) {
    return `journal-${String(number).padStart(8, '0')}.seg`;
}

// What every hash begins with.
function seedBlock(kind, epoch, segment) {
    const block = Buffer.alloc(64);
    block.write(kind, 0, 'ascii');
    block.writeBigUInt64LE(epoch, 24);
    segment.copy(block, 32, 48, 80); // identity and book
    return block;
}

function sha256(...parts) {
    const hash = createHash('sha256');
    for (const part of parts) hash.update(part);
    return hash.digest();
}

const padded = (size) => Math.ceil(size / BLOCK) * BLOCK;

// {batches: [{segment, offset, batch, first, count, time, epoch, payload}], last, end, segment, bytes}
export function readJournal(directory) {
    const journal = { batches: [], epoch: 1n };
    let previous = null;
    for (let number = 1; ; number++) {
        let bytes;
        try {
            bytes = readFileSync(join(directory, segmentName(number)));
        } catch {
            break;
        }
        equal(bytes.toString('ascii', 0, 8), 'HAKIKASG', 'magic of a segment');
        previous ??= sha256(seedBlock('hakika journal 1', 0n, bytes));
        let offset = BLOCK;
        while (offset < bytes.length && bytes.toString('ascii', offset, offset + 8) === 'HAKIKABT') {
            const size = bytes.readUInt32LE(offset + 36);
            const batch = {
                segment: number, offset,
                batch: bytes.readBigUInt64LE(offset + 16),
                first: bytes.readBigUInt64LE(offset + 24),
                count: bytes.readUInt32LE(offset + 32),
                time: bytes.readBigInt64LE(offset + 40),
                epoch: bytes.readBigUInt64LE(offset + 64),
                payload: bytes.subarray(offset + HEADER, offset + HEADER + size),
                hash: bytes.subarray(offset + 128, offset + HEADER),
            };
            check(previous.equals(bytes.subarray(offset + 96, offset + 128)), 'the chain is broken');
            const hash = sha256(seedBlock('hakika batch 1', batch.epoch, bytes),
                                bytes.subarray(offset, offset + 128), batch.payload);
            check(hash.equals(batch.hash), `the batch at offset ${offset} is not intact`);
            previous = hash;
            offset += padded(HEADER + size);
            journal.batches.push(batch);
            Object.assign(journal, { segment: number, bytes, end: offset, last: batch });
        }
    }
    journal.previous = previous;
    return journal;
}

// One event: kind, size, body.
export function event(kind, body) {
    const bytes = Buffer.alloc(4 + body.length);
    bytes.writeUInt16LE(kind, 0);
    bytes.writeUInt16LE(body.length, 2);
    body.copy(bytes, 4);
    return bytes;
}

// Appends a batch of one frame behind the head, under right checksums.
export function appendFrame(directory, cause, events) {
    const journal = readJournal(directory);
    const { last } = journal;
    const position = last.first + BigInt(last.count);
    const body = Buffer.concat(events);
    const frame = Buffer.alloc(32 + body.length);
    frame.writeUInt32LE(frame.length, 0);
    frame.writeUInt16LE(cause, 4);
    frame.writeBigUInt64LE(position, 8);
    frame.writeBigInt64LE(last.time, 16);
    body.copy(frame, 32);
    const batch = Buffer.alloc(padded(HEADER + frame.length));
    check(journal.end + batch.length <= journal.bytes.length, 'the segment has no room left');
    batch.write('HAKIKABT', 0, 'ascii');
    batch.writeUInt32LE(1, 8);
    batch.writeUInt32LE(HEADER, 12);
    batch.writeBigUInt64LE(last.batch + 1n, 16);
    batch.writeBigUInt64LE(position, 24);
    batch.writeUInt32LE(1, 32);
    batch.writeUInt32LE(frame.length, 36);
    batch.writeBigInt64LE(last.time, 40);
    batch.writeBigUInt64LE(BigInt(journal.segment), 48);
    batch.writeBigUInt64LE(BigInt(journal.end), 56);
    batch.writeBigUInt64LE(last.epoch, 64);
    journal.previous.copy(batch, 96);
    frame.copy(batch, HEADER);
    sha256(seedBlock('hakika batch 1', last.epoch, journal.bytes), batch.subarray(0, 128), frame)
        .copy(batch, 128);
    patch(directory, journal.segment, journal.end, batch);
    return Number(position);
}

// Overwrites bytes of a segment.
export function patch(directory, number, offset, bytes) {
    const fd = openSync(join(directory, segmentName(number)), 'r+');
    try {
        equal(writeSync(fd, bytes, 0, bytes.length, offset), bytes.length, 'bytes written');
    } finally {
        closeSync(fd);
    }
}

// Everything in a folder and below: name -> size, time of change and content's hash.
export function folderPrint(folder) {
    const print = {};
    for (const entry of readdirSync(folder, { withFileTypes: true, recursive: false })) {
        const path = join(folder, entry.name);
        if (entry.isDirectory()) {
            print[entry.name] = folderPrint(path);
        } else {
            print[entry.name] = [...filePrint(path), sha256(readFileSync(path)).toString('hex')];
        }
    }
    return print;
}

// What every write changes, without reading: a start that is over takes longer than the kernel's tick.
export function filePrint(path) {
    const { ino, size, ctimeNs } = statSync(path, { bigint: true });
    return [ino, size, ctimeNs].map(String);
}

export function filesPrint(folder) {
    return Object.fromEntries(readdirSync(folder).map((name) => [name, filePrint(join(folder, name))]));
}
