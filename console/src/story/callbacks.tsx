// callbacks.tsx - the callbacks of a payment with what can be done about them: send again, edit and
// send, copy as curl.
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { exchange, post } from '../api';
import { pretty } from '../format';
import { t } from '../i18n';
import type { Delivery } from '../model';
import { deliveryName } from './messages';
import { attempt, Button, copy, Field, tell, When, Wire } from '../ui';

function stateWord(delivery: Delivery): string {
    const words = { waiting: t('waiting'), delivered: t('delivered'), dead: t('given up') };
    return words[delivery.state];
}

function Editor({ delivery, onDone }: { delivery: Delivery; onDone: () => void }): JSX.Element {
    const [body, setBody] = useState(pretty(delivery.request_body ?? ''));
    const [url, setUrl] = useState(delivery.url);
    async function send(): Promise<void> {
        let content: unknown = body;
        try {
            content = JSON.parse(body) as unknown;
            if (typeof content !== 'object' || content === null) content = body;
        } catch {
            // not JSON: sent as it is, to see what a receiver does with it
        }
        const good = await attempt(() => post(`/deliveries/${delivery.id}/replay`, { body: content, url }));
        if (good) {
            tell(t('The edited copy is on its way.'));
            onDone();
        }
    }
    return (
        <form class="editor" onSubmit={(event) => { event.preventDefault(); void send(); }}>
            <Field label="URL"><input value={url} onInput={(event) => setUrl(event.currentTarget.value)} spellcheck={false} /></Field>
            <Field label={t('Body')} hint={t('The payment stays as it is; only a copy is sent.')}>
                <textarea rows={14} value={body} spellcheck={false} name="body"
                    onInput={(event) => setBody(event.currentTarget.value)} />
            </Field>
            <div class="row">
                <button class="button main" type="submit">{t('Send the copy')}</button>
                <Button onPress={onDone}>{t('Leave it')}</Button>
            </div>
        </form>
    );
}

function One({ delivery }: { delivery: Delivery }): JSX.Element {
    const [editing, setEditing] = useState(false);
    const [shown, setShown] = useState(false);
    return (
        <li class={`delivery ${delivery.state}`} data-testid={`delivery-${delivery.id}`} data-state={delivery.state}>
            <div class="delivery-head">
                <div>
                    <strong>{deliveryName(delivery)}{delivery.edited ? ` (${t('edited')})` : ''}</strong>
                    <span class={`pill ${delivery.state}`}>{stateWord(delivery)}</span>
                </div>
                <code class="url">{delivery.url}</code>
            </div>
            {delivery.attempts.length > 0 ? (
                <ol class="attempts">
                    {delivery.attempts.map((one, i) => (
                        <li key={i}><When iso={one.at} />
                            <span>{one.response_status === null ? one.error : `HTTP ${one.response_status}`}</span>
                            <span class="figures">{one.duration_ms} ms</span></li>
                    ))}
                </ol>
            ) : <p class="fine">{t('Not tried yet.')}</p>}
            {delivery.state === 'waiting' && delivery.next_try_at
                ? <p class="fine">{t('Next try')}: <When iso={delivery.next_try_at} /></p> : null}
            <div class="row">
                <Button onPress={() => attempt(() => post(`/deliveries/${delivery.id}/replay`).then(() => tell(t('On its way again.'))))}
                    testid="replay">{t('Send again')}</Button>
                <Button onPress={() => setEditing(!editing)} pressed={editing} testid="edit">{t('Edit and send')}</Button>
                <Button onPress={() => attempt(async () => {
                    const answer = await exchange('GET', `/sim/v1/deliveries/${delivery.id}/curl`);
                    await copy(answer.text);
                })}>{t('Copy as curl')}</Button>
                <Button kind="quiet" pressed={shown} onPress={() => setShown(!shown)}>{shown ? t('Hide the body') : t('Show the body')}</Button>
            </div>
            {shown ? <Wire lines text={pretty(delivery.request_body ?? '')} what={t('Body')} /> : null}
            {editing ? <Editor delivery={delivery} onDone={() => setEditing(false)} /> : null}
        </li>
    );
}

export function Callbacks({ deliveries, ended }: { deliveries: Delivery[]; ended: boolean }): JSX.Element {
    return (
        <section class="callbacks">
            <h3>{t('Callbacks')}</h3>
            {deliveries.length === 0 ? <p class="fine">{ended ? t('None. Either a rule took it away, or nobody wanted to be told.')
                : t('None yet. The end of a payment queues one.')}</p>
                : <ul>{deliveries.map((one) => <One key={one.id} delivery={one} />)}</ul>}
        </section>
    );
}
