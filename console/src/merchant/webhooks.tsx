// webhooks.tsx - who is told (endpoints, with their secrets), and what could not be told (dead letters).
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { t } from '../i18n';
import { open } from '../router';
import { attempt, Button, Field, Icon, tell, Twice, When, Wire } from '../ui';
import { ask, refresh, useList, type DeadLetter, type Endpoint } from './store';

function Endpoints({ list }: { list: Endpoint[] }): JSX.Element {
    const [url, setUrl] = useState('');
    const [made, setMade] = useState<Endpoint | undefined>(undefined);
    const add = (): Promise<unknown> => attempt(async () => {
        setMade(await ask<Endpoint>('POST', '/webhook_endpoints', { url }));
        setUrl('');
        await refresh();
    });
    const rotate = (one: Endpoint): Promise<unknown> => attempt(async () => {
        setMade(await ask<Endpoint>('POST', `/webhook_endpoints/${one.id}/rotate`, {}));
        await refresh();
    });
    return (
        <section class="card">
            <h2>{t('Webhook endpoints')}</h2>
            {list.length === 0 ? <p class="fine">{t('Nobody is told yet. Give the address of your application: every event is sent there, signed, until it says yes.')}</p> : null}
            <ul class="hooks">{list.map((one) => (
                <li key={one.id} data-testid={`endpoint-${one.id}`}><code>{one.url}</code><span class={`pill ${one.status === 'enabled' ? 'delivered' : ''}`}>{one.status}</span>
                    {one.status === 'enabled' ? <span class="row"><Twice sure={t('A new secret?')} onPress={() => rotate(one)}>{t('New secret')}</Twice>
                        <Twice sure={t('Really?')} onPress={() => attempt(async () => { await ask('DELETE', `/webhook_endpoints/${one.id}`); await refresh(); })}>{t('Disable')}</Twice></span> : null}</li>))}</ul>
            {made?.secret ? <p class="fine secret">{t('Its secret, shown once')}: <Wire text={made.secret} what={t('Its secret, shown once')} /></p> : null}
            <form class="row" onSubmit={(event) => { event.preventDefault(); if (url) void add(); }}>
                <Field label="URL"><input name="url" value={url} placeholder="http://127.0.0.1:9000/" autoComplete="off" onInput={(event) => setUrl(event.currentTarget.value)} /></Field>
                <button type="submit" class="button main" disabled={!url}><Icon name="plus" size={16} />{t('Add')}</button>
            </form>
        </section>
    );
}

function DeadLetters({ list }: { list: DeadLetter[] }): JSX.Element {
    const retry = (one: DeadLetter): Promise<unknown> => attempt(async () => {
        await ask('POST', `/dead_letters/${one.id}/retry`, {});
        tell(t('On its way again.'));
        await refresh();
    });
    return (
        <section class="card">
            <h2>{t('Dead letters')}</h2>
            {list.length === 0 ? <p class="fine">{t('None. A message that the application refused to the last try would lie here, to be sent again.')}</p> : null}
            <ul class="moments">{list.map((one) => (
                <li key={one.id} class={`moment ${one.status === 'dead' ? 'bad' : ''}`} data-testid={`letter-${one.id}`} data-status={one.status}>
                    {one.queued_at ? <When iso={one.queued_at} /> : <span />}
                    <div><strong>{one.event ?? one.kind}</strong><small> {one.status} · {one.attempts} {t('attempts')}{one.last_status ? ` · HTTP ${one.last_status}` : one.last_error ? ` · ${one.last_error}` : ''}
                        {one.payment ? <> · <Button kind="quiet" onPress={() => open(one.payment ?? '')}>{one.payment}</Button></> : null}</small>
                        <p><code>{one.url}</code></p>
                        {one.status === 'dead' ? <Button onPress={() => retry(one)} testid="retry">{t('Send again')}</Button> : null}</div></li>
            ))}</ul>
        </section>
    );
}

export function Webhooks(): JSX.Element {
    const endpoints = useList<Endpoint>('/webhook_endpoints');
    const letters = useList<DeadLetter>('/dead_letters?limit=50');
    if (!endpoints || !letters) return <></>;
    return <div class="merchant-cards"><Endpoints list={endpoints} /><DeadLetters list={letters} /></div>;
}
