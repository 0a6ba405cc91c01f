// try.tsx - a form for each of Daraja's calls, with values that work; what exactly went out, and what
// came back.
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { APIS, type Api } from '../apis';
import { credential } from '../credential';
import { ask, curl, oauth, type Exchange } from '../daraja';
import { duration, pretty } from '../format';
import { t } from '../i18n';
import { go, open, place, put } from '../router';
import { loaded, people, rows } from '../store';
import { attempt, Button, copy, Field, Icon, Wire } from '../ui';

type Values = Record<string, string>;

// What was typed, and what is made of it.
function bodyOf(api: Api, values: Values): Values {
    const body: Values = {};
    for (const field of api.fields) {
        if (field.unsent) continue;
        body[field.name] = field.from ? field.from(values) : values[field.name] ?? '';
    }
    return body;
}

async function completed(text: string): Promise<string> {
    const found = /\{credential:([^}]*)\}/.exec(text);
    return found ? text.replace(found[0], await credential(found[1] ?? '')) : text;
}

// Sensible at this moment: the newest payment to ask about, a phone that exists.
function filled(api: Api): Values {
    const values: Values = {};
    const push = rows.value.find((row) => row.type === 'stk_push');
    const paid = rows.value.find((row) => row.receipt !== null && (row.type === 'stk_push' || row.type === 'c2b'));
    const phone = people.value[0]?.msisdn;
    for (const field of api.fields) {
        let value = field.value;
        if (field.name === 'CheckoutRequestID') value = push?.words.split(' ')[0] ?? '';
        if (field.name === 'TransactionID') value = paid?.receipt ?? '';
        if (api.name === 'reversal' && field.name === 'Amount' && paid) value = String(paid.amount / 100);
        if (value === '254708374149' && phone && !people.value.some((one) => one.msisdn === value)) value = phone;
        values[field.name] = value;
    }
    return values;
}

function Shown({ it }: { it: Exchange }): JSX.Element {
    const good = it.answer.status < 400;
    const explain = it.answer.headers.get('Hakika-Explain');
    const image = /"QRCode"\s*:\s*"([A-Za-z0-9+/=]+)"/.exec(it.answer.text)?.[1];
    const checkout = /"CheckoutRequestID"\s*:\s*"([^"]+)"/.exec(it.answer.text)?.[1];
    const lines = [`${it.method} ${it.path}`, ...Object.entries(it.headers).map(([name, value]) => `${name}: ${value}`)];
    if (it.body !== undefined) lines.push('Content-Type: application/json', '', pretty(it.body));
    return (
        <li class="exchange" data-testid="exchange" data-status={it.answer.status}>
            <header>
                <span class={`pill ${good ? 'delivered' : 'dead'}`}>HTTP {it.answer.status}</span>
                <code>{it.path.split('?')[0]}</code><span class="fine figures">{duration(it.answer.ms)}</span>
                <Button kind="quiet" onPress={() => copy(curl(it.method, it.path, it.headers, it.body))}>
                    {t('Copy as curl')}</Button>
            </header>
            {explain ? <p class="explain"><Icon name="bolt" size={15} />{explain}</p> : null}
            <div class="two">
                <section><h4>{t('Request')}</h4><Wire lines text={lines.join('\n')} what={t('Request')} /></section>
                <section><h4>{t('Answer')}</h4><Wire lines text={pretty(it.answer.text)} what={t('Answer')} />
                    {image ? <img src={`data:image/png;base64,${image}`} alt={t('The QR code')} width={180} height={180} /> : null}
                </section>
            </div>
            {good && checkout && it.path.includes('processrequest') ? (
                <div class="row"><Button kind="main" onPress={() => open(checkout)}>{t('See its story')}</Button>
                    <Button onPress={() => go('phones')}>{t('To the phones')}</Button></div>) : null}
        </li>
    );
}

function Form({ api, onDone }: { api: Api; onDone: (it: Exchange) => void }): JSX.Element {
    const [values, setValues] = useState<Values>(() => filled(api));
    const [byHand, setByHand] = useState<string | undefined>(undefined);
    const body = byHand ?? JSON.stringify(bodyOf(api, values), null, 2);
    const send = (): Promise<boolean> => attempt(async () => onDone(await ask(api.path, await completed(body))));
    return (
        <form class="card try-form" onSubmit={(event) => { event.preventDefault(); void send(); }}>
            <header><h2>{api.title}</h2><code class="fine">POST {api.path}</code></header>
            {byHand === undefined ? (
                <div class="fields">
                    {api.fields.map((field) => (field.from ? (
                        <Field key={field.name} label={field.name} hint={t('made by the page')}>
                            <input value={field.name === 'SecurityCredential' ? t('the password, encrypted') : field.from(values)} readOnly class="made" />
                        </Field>
                    ) : (
                        <Field key={field.name} label={field.name}>
                            <input value={values[field.name] ?? ''} name={field.name} spellcheck={false} autoComplete="off"
                                onInput={(event) => setValues({ ...values, [field.name]: event.currentTarget.value })} />
                        </Field>
                    )))}
                </div>
            ) : <textarea rows={16} value={byHand} aria-label={t('Body')} spellcheck={false}
                onInput={(event) => setByHand(event.currentTarget.value)} />}
            <div class="row">
                <button type="submit" class="button main" data-testid="send-call">{t('Send')}</button>
                <Button kind="quiet" pressed={byHand !== undefined} onPress={() => setByHand(byHand === undefined ? body : undefined)}>
                    {t('Write the body by hand')}</Button>
            </div>
        </form>
    );
}

export function Try(): JSX.Element | null {
    return loaded.value ? <Calls /> : null; // the values depend on the book's clock
}

function Calls(): JSX.Element {
    const [done, setDone] = useState<Exchange[]>([]);
    const [apis, setApis] = useState(APIS);
    const name = place.value.query['api'] ?? 'stk';
    const api = apis.find((one) => one.name === name) ?? apis[0]!;
    const add = (it: Exchange): void => {
        setDone((before) => [it, ...before].slice(0, 50));
        setApis(APIS()); // new times and ids for the next one
    };
    return (
        <div class="try-view">
            <nav class="apis" aria-label={t("Daraja's calls")}>
                <ul>
                    <li><Button kind="quiet" class="api" onPress={() => attempt(async () => add(await oauth()))}>OAuth</Button></li>
                    {apis.map((one) => (
                        <li key={one.name}><button type="button" data-item class="api" aria-pressed={one.name === api.name}
                            onClick={() => put({ api: one.name })}>{one.title}</button></li>
                    ))}
                </ul>
            </nav>
            <div class="try-work">
                <Form key={`${api.name}${done.length}`} api={api} onDone={add} />
                {done.length === 0 ? <p class="fine">{t('The page gets an access token by itself. What goes out and comes back is shown here.')}</p> : null}
                <ol class="exchanges" aria-label={t('What was said')}>{done.map((one, i) => <Shown key={done.length - i} it={one} />)}</ol>
            </div>
        </div>
    );
}
