// credential.ts - SecurityCredential: an initiator's password, encrypted with the operator's public
// key (RSA, PKCS#1 v1.5). Browsers no longer offer that padding, so it is done here; nothing secret is
// kept by it. The key is read out of the certificate (DER).
import { exchange } from './api';

interface Key { n: bigint; e: bigint; size: number }

const RSA_OID = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];

interface Piece { start: number; end: number }

// The contents of the DER value at `at`.
function piece(der: Uint8Array, at: number): Piece {
    let size = der[at + 1] ?? 0;
    let start = at + 2;
    if (size & 0x80) {
        const count = size & 0x7f;
        size = 0;
        for (let i = 0; i < count; i++) size = size * 256 + (der[start++] ?? 0);
    }
    return { start, end: start + size };
}

function find(der: Uint8Array, bytes: number[]): number {
    for (let i = 0; i + bytes.length < der.length; i++) {
        if (bytes.every((byte, j) => der[i + j] === byte)) return i;
    }
    throw new Error('the certificate has no RSA key');
}

const number = (bytes: Uint8Array): bigint =>
    BigInt(`0x${[...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`);

function keyOf(pem: string): Key {
    const base64 = pem.replace(/-----[^-]+-----/g, '').replace(/\s/g, '');
    const der = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
    let at = find(der, RSA_OID) + RSA_OID.length;
    while (der[at] !== 0x03) at++; // the bit string after the algorithm
    const bits = piece(der, at);
    const list = piece(der, bits.start + 1);
    const n = piece(der, list.start);
    const e = piece(der, n.end);
    const modulus = number(der.slice(n.start, n.end));
    return { n: modulus, e: number(der.slice(e.start, e.end)), size: Math.ceil(modulus.toString(16).length / 2) };
}

function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
    let result = 1n;
    for (let b = base % modulus, e = exponent; e > 0n; e >>= 1n) {
        if (e & 1n) result = result * b % modulus;
        b = b * b % modulus;
    }
    return result;
}

function pad(text: string, size: number): Uint8Array {
    const plain = new TextEncoder().encode(text);
    const block = new Uint8Array(size);
    const filler = size - plain.length - 3;
    block[1] = 2;
    for (let i = 0; i < filler; ) {
        const [byte = 0] = crypto.getRandomValues(new Uint8Array(1));
        if (byte !== 0) block[2 + i++] = byte; // a zero would end the padding
    }
    block.set(plain, size - plain.length);
    return block;
}

let key: Promise<Key> | undefined;

export async function credential(initiatorPassword: string): Promise<string> {
    key ??= exchange('GET', '/sim/v1/certificate').then((answer) => keyOf(answer.text));
    const { n, e, size } = await key;
    const hex = power(number(pad(initiatorPassword, size)), e, n).toString(16).padStart(size * 2, '0');
    return btoa(hex.replace(/../g, (two) => String.fromCharCode(parseInt(two, 16))));
}
