// daraja.ts - Daraja's calls as an integration makes them, made by the page: it gets an access token
// like everybody, and shows exactly what went out and came back.
import { exchange, type Answer } from './api';
import { darajaTimestamp } from './format';
import { bookNow } from './store';

// Public: the sandbox hands it to everybody.
export const PASSKEY = 'bfb279f9aa9bdbcf158e97dd71a467cd2e0c893059b10f78e6b72ada1ed2c919';
export const SHORT_CODE = '174379';

let token: string | undefined;

export interface Exchange { method: string; path: string; headers: Record<string, string>; body?: string; answer: Answer }

export async function oauth(key = 'hakika', secret = 'hakika'): Promise<Exchange> {
    const headers = { Authorization: `Basic ${btoa(`${key}:${secret}`)}` };
    const path = '/oauth/v1/generate?grant_type=client_credentials';
    const answer = await exchange('GET', path, undefined, headers);
    token = /"access_token"\s*:\s*"([^"]+)"/.exec(answer.text)?.[1];
    return { method: 'GET', path, headers, answer };
}

// With a token; with a new one when the old is not good any more.
export async function ask(path: string, body: string): Promise<Exchange> {
    for (let again = 0; ; again++) {
        if (!token) await oauth();
        const headers = { Authorization: `Bearer ${token ?? ''}` };
        const answer = await exchange('POST', path, body, headers);
        if (again === 0 && (answer.status === 401 || answer.text.includes('404.001.03'))) {
            token = undefined;
            continue;
        }
        return { method: 'POST', path, headers, body, answer };
    }
}

export const timestamp = (): string => darajaTimestamp(bookNow());
export const password = (shortCode: string, passkey: string, time: string): string =>
    btoa(`${shortCode}${passkey}${time}`);

export function push(phone: string, shillings: number, reference: string, url: string): Promise<Exchange> {
    const time = timestamp();
    return ask('/mpesa/stkpush/v1/processrequest', JSON.stringify({
        BusinessShortCode: SHORT_CODE, Password: password(SHORT_CODE, PASSKEY, time), Timestamp: time,
        TransactionType: 'CustomerPayBillOnline', Amount: String(shillings), PartyA: phone,
        PartyB: SHORT_CODE, PhoneNumber: phone, CallBackURL: url, AccountReference: reference,
        TransactionDesc: 'Try it' }));
}

// The same request in a shell.
export function curl(method: string, path: string, headers: Record<string, string>, body?: string): string {
    const quote = (text: string): string => `'${text.replace(/'/g, "'\\''")}'`;
    const lines = [`curl -X ${method} ${quote(location.origin + path)}`];
    for (const [name, value] of Object.entries(headers)) lines.push(`-H ${quote(`${name}: ${value}`)}`);
    if (body !== undefined) lines.push(`-H 'Content-Type: application/json'`, `-d ${quote(body)}`);
    return lines.join(' \\\n  ');
}
