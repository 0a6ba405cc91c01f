// merchant.tsx - the gateway's side: its payments, what it was told, its accounts and webhooks.
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { cents, day, money, msisdn, phone as phoneText, time } from '../format';
import { t } from '../i18n';
import { PaymentChip } from '../merchant/chip';
import { accounts, ask, endpoints, keyWanted, notices, payments, refresh, useKey, type Endpoint, type Notice, type Payment } from '../merchant/store';
import { open, place } from '../router';
import { loaded } from '../store';
import { attempt, Button, Dialog, Empty, Field, Icon, Money, When, Wire } from '../ui';

function AskKey(): JSX.Element {
    const [key, setKey] = useState('');
    return (
        <form class="card" onSubmit={(event) => { event.preventDefault(); useKey(key); }}>
            <Field label={t('An API key of the merchant (sk_...)')}>
                <input type="password" value={key} autoComplete="off" onInput={(event) => setKey(event.currentTarget.value)} />
            </Field>
            <button class="button main" type="submit">{t('Use it')}</button>
        </form>
    );
}

function NewPayment({ onClose }: { onClose: () => void }): JSX.Element {
    const [phone, setPhone] = useState('0708 374 149');
    const [amount, setAmount] = useState('120');
    const [order, setOrder] = useState(`order-${Date.now().toString(36)}`);
    const [escrow, setEscrow] = useState(false);
    const number = msisdn(phone);
    const value = cents(amount);
    const ready = number !== undefined && value !== undefined && value > 0 && order !== '';
    async function create(): Promise<void> {
        const good = await attempt(async () => {
            const made = await ask<Payment>('POST', '/payments', { amount: value, currency: 'KES', phone: number, order_id: order,
                capture: escrow ? 'escrow' : 'wallet' }, { 'Idempotency-Key': `console-${order}` });
            await refresh();
            open(made.id);
        });
        if (good) onClose();
    }
    return (
        <Dialog title={t('Ask for a payment')} onClose={onClose}>
            <form onSubmit={(event) => { event.preventDefault(); if (ready) void create(); }}>
                <Field label={t('Phone number')}><input name="phone" value={phone} autoComplete="off" onInput={(event) => setPhone(event.currentTarget.value)} /></Field>
                <Field label={t('Amount')}><input name="amount" value={amount} autoComplete="off" onInput={(event) => setAmount(event.currentTarget.value)} /></Field>
                <Field label={t('Order')}><input name="order" value={order} autoComplete="off" onInput={(event) => setOrder(event.currentTarget.value)} /></Field>
                <label class="row"><input type="checkbox" checked={escrow} onChange={(event) => setEscrow(event.currentTarget.checked)} />{t('Hold it in escrow')}</label>
                <button class="button main" type="submit" disabled={!ready} data-testid="create-payment">{t('Ask')}</button>
            </form>
        </Dialog>
    );
}

function Line({ payment, current }: { payment: Payment; current: boolean }): JSX.Element {
    return (
        <li>
            <button type="button" data-item class={`line ${current ? 'current' : ''}`} aria-pressed={current} data-testid={`row-${payment.id}`}
                data-status={payment.status} onClick={() => open(payment.id)}>
                <span class="cell when figures"><time dateTime={payment.created_at} title={`${payment.created_at} (UTC)`}>{time(payment.created_at)}</time><small>{day(payment.created_at)}</small></span>
                <PaymentChip payment={payment} />
                <span class="cell what"><strong>{payment.order_id ?? payment.id}</strong><small>{payment.attention ? t('a person must look') : payment.querying ? t('asking the provider') : payment.escrow === 'held' ? t('in escrow') : ''}</small></span>
                <span class="cell whom figures"><span>{phoneText(payment.phone)}</span><small>{payment.short_code}</small></span>
                <span class="cell end"><code>{payment.receipt ?? payment.result_code ?? ''}</code><small>{payment.explanation ?? ''}</small></span>
                <span class="cell money">{money(payment.amount)}</span>
            </button>
        </li>
    );
}

const ODD = ['orphan', 'mismatch', 'contradicts', 'unreadable'];

function Odd({ list }: { list: Notice[] }): JSX.Element {
    return (
        <section class="card">
            <h2>{t('Notices that fit nothing')}</h2>
            {list.length === 0 ? <p class="fine">{t('None. Orphans, contradictions, wrong amounts and unreadable messages would lie here.')}</p> : null}
            <ul class="moments">{list.map((one) => (
                <li key={one.id} class="moment"><When iso={one.received_at} />
                    <div><strong>{one.status}</strong><small> {one.about} · {one.source}{one.amount > 0 ? ` · ${money(one.amount)}` : ''}{one.payment ? <> · <Button kind="quiet" onPress={() => open(one.payment ?? '')}>{one.payment}</Button></> : null}</small>
                        <details><summary>{t('Body')}</summary><Wire lines text={one.body} what={t('Body')} /></details></div></li>
            ))}</ul>
        </section>
    );
}

function Hooks(): JSX.Element {
    const [url, setUrl] = useState('');
    const [made, setMade] = useState<Endpoint | undefined>(undefined);
    const add = (): Promise<unknown> => attempt(async () => {
        setMade(await ask<Endpoint>('POST', '/webhook_endpoints', { url }));
        setUrl('');
        await refresh();
    });
    return (
        <section class="card">
            <h2>{t('Webhook endpoints')}</h2>
            <ul class="hooks">{endpoints.value.map((one) => (
                <li key={one.id} class="row"><code>{one.url}</code><span class={`pill ${one.status === 'enabled' ? 'delivered' : ''}`}>{one.status}</span>
                    <Button kind="quiet" label={`${t('Delete')} ${one.id}`} onPress={() => attempt(async () => { await ask('DELETE', `/webhook_endpoints/${one.id}`); await refresh(); })}><Icon name="cross" size={16} /></Button></li>))}</ul>
            <form class="row" onSubmit={(event) => { event.preventDefault(); if (url) void add(); }}>
                <Field label="URL"><input value={url} placeholder="http://127.0.0.1:9000/" autoComplete="off" onInput={(event) => setUrl(event.currentTarget.value)} /></Field>
                <button type="submit" class="button" disabled={!url}>{t('Add')}</button>
            </form>
            {made?.secret ? <p class="fine">{t('Its secret, shown once')}: <Wire text={made.secret} what={t('Its secret, shown once')} /></p> : null}
        </section>
    );
}

export function Merchant(): JSX.Element {
    const [asking, setAsking] = useState(false);
    const current = place.value.query['open'];
    if (keyWanted.value) return <AskKey />;
    return (
        <div class="merchant-view">
            <div class="row"><Button kind="main" testid="new-payment" onPress={() => setAsking(true)}><Icon name="plus" size={16} />{t('Ask for a payment')}</Button></div>
            {loaded.value && payments.value.length === 0 ? <Empty title={t('No payments yet')}><p>{t('A payment that your application asks for appears here.')}</p></Empty> : null}
            <ol class="lines" aria-label={t('Payments, newest first')}>{payments.value.map((one) => <Line key={one.id} payment={one} current={current === one.id} />)}</ol>
            <div class="merchant-cards">
                <section class="card sums"><h2>{t('Accounts')}</h2><dl class="pairs">{accounts.value.map((one) => <div key={one.id}><dt>{one.id.replace('_', ' ')}</dt><dd><Money cents={one.balance} /></dd></div>)}</dl></section>
                <Odd list={notices.value.filter((one) => ODD.includes(one.status))} />
                <Hooks />
            </div>
            {asking ? <NewPayment onClose={() => setAsking(false)} /> : null}
        </div>
    );
}
