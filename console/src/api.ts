// api.ts - calls to the program that served this page. Every call carries the token of this start,
// which stands in the page; a program that was restarted has another one, and then the page is asked
// for again (freshToken) and the call is made once more: refused means that nothing happened.
export interface Problem { code: string; detail: string; status: number }

export class Refusal extends Error {
    constructor(public problem: Problem) {
        super(problem.detail);
    }
}

let token = document.querySelector<HTMLMetaElement>('meta[name="hakika-token"]')?.content ?? '';
let adminKey = '';
let askForKey: ((refused: boolean) => Promise<string | undefined>) | undefined;
let keyAsked: Promise<string | undefined> | undefined;

// Who asks a person for the key; undefined: none is given. `refused`: one was given and is not right.
export function onKeyNeeded(ask: typeof askForKey): void {
    askForKey = ask;
}

// However many calls are refused for want of a key, one question is asked and all go on with its
// answer. False: go on without.
async function newKey(used: string): Promise<boolean> {
    if (used !== adminKey) return true; // another call has brought one meanwhile
    keyAsked ??= askForKey?.(used !== '').finally(() => { keyAsked = undefined; });
    const given = await keyAsked;
    if (given !== undefined) adminKey = given;
    return given !== undefined;
}

async function freshToken(): Promise<void> {
    const page = await (await fetch('/', { cache: 'no-store' })).text();
    token = /name="hakika-token" content="([^"]*)"/.exec(page)?.[1] ?? token;
}

export function headersOf(extra: Record<string, string> = {}): Record<string, string> {
    const headers: Record<string, string> = { 'Hakika-Token': token, ...extra };
    if (adminKey && !headers['Authorization']) headers['Authorization'] = `Bearer ${adminKey}`;
    return headers;
}

export interface Answer { status: number; text: string; bytes: Blob; headers: Headers; ms: number }

// One exchange, whatever the answer. Rejects only when there was none.
export async function exchange(method: string, path: string, body?: string | Blob,
                               extra: Record<string, string> = {}): Promise<Answer> {
    for (let again = 0; ; again++) {
        const headers = headersOf(extra);
        const used = adminKey;
        if (body !== undefined) headers['Content-Type'] ??= 'application/json';
        const begun = performance.now();
        const answer = await fetch(path, { method, headers, body, cache: 'no-store' });
        const bytes = await answer.blob();
        const text = await bytes.text();
        const ms = performance.now() - begun;
        if (again === 0 && answer.status === 403 && text.includes('console_token_needed')) {
            await freshToken();
            continue;
        }
        if (answer.status === 401 && text.includes('admin_key_needed') && await newKey(used)) continue;
        return { status: answer.status, text, bytes, headers: answer.headers, ms };
    }
}

function problemOf(answer: Answer): Problem {
    try {
        const said = JSON.parse(answer.text) as Partial<Problem>;
        return { code: said.code ?? 'unknown', detail: said.detail ?? answer.text,
                 status: answer.status };
    } catch {
        return { code: 'unknown', detail: answer.text || `HTTP ${answer.status}`,
                 status: answer.status };
    }
}

export const refusalOf = (answer: Answer): Refusal => new Refusal(problemOf(answer));

export async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await exchange(method, path, body === undefined ? undefined
                                                                   : JSON.stringify(body));
    if (answer.status < 200 || answer.status > 299) throw refusalOf(answer);
    return JSON.parse(answer.text) as T;
}

export const get = <T>(path: string): Promise<T> => call<T>('GET', `/sim/v1${path}`);
export const post = <T>(path: string, body: unknown = {}): Promise<T> =>
    call<T>('POST', `/sim/v1${path}`, body);
export const patch = <T>(path: string, body: unknown): Promise<T> =>
    call<T>('PATCH', `/sim/v1${path}`, body);

export interface List<T> { data: T[]; has_more: boolean }

// Does this program have such a call? Its own description of itself says so.
let paths: Promise<Set<string>> | undefined;
export function offers(path: string): Promise<boolean> {
    paths ??= fetch('/openapi.json').then((answer) => answer.json() as Promise<{ paths: object }>)
        .then((document) => new Set(Object.keys(document.paths)));
    return paths.then((all) => all.has(path), () => false);
}
