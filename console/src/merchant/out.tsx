// out.tsx - money that leaves: payouts to people, and payments given back.
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { cents, msisdn } from '../format';
import { t } from '../i18n';
import { open } from '../router';
import { attempt, Button, Dialog, Empty, Field, Icon } from '../ui';
import { Lines } from './lines';
import { ask, refresh, useList, useOnce, type Payment } from './store';

function NewPayout({ onClose }: { onClose: () => void }): JSX.Element {
    const [phone, setPhone] = useState('0708 374 149');
    const [amount, setAmount] = useState('50');
    const [reference, setReference] = useState(`payout-${Date.now().toString(36)}`);
    const once = useOnce();
    const number = msisdn(phone);
    const value = cents(amount);
    const ready = number !== undefined && value !== undefined && value > 0 && reference !== '';
    async function create(): Promise<void> {
        const good = await attempt(async () => {
            const made = await once((headers) => ask<Payment>('POST', '/payouts', { amount: value, phone: number, reference }, headers));
            await refresh();
            open(made.id);
        });
        if (good) onClose();
    }
    return (
        <Dialog title={t('Pay somebody')} onClose={onClose}>
            <form onSubmit={(event) => { event.preventDefault(); if (ready) void create(); }}>
                <Field label={t('Phone number')}><input name="phone" value={phone} autoComplete="off" onInput={(event) => setPhone(event.currentTarget.value)} /></Field>
                <Field label={t('Amount')}><input name="amount" value={amount} autoComplete="off" onInput={(event) => setAmount(event.currentTarget.value)} /></Field>
                <Field label={t('Reference')}><input name="reference" value={reference} autoComplete="off" onInput={(event) => setReference(event.currentTarget.value)} /></Field>
                <button class="button main" type="submit" disabled={!ready} data-testid="create-payout">{t('Pay')}</button>
            </form>
        </Dialog>
    );
}

export function Payouts(): JSX.Element {
    const [asking, setAsking] = useState(false);
    const list = useList<Payment>('/payouts?limit=100');
    return (
        <>
            <div class="row"><Button kind="main" testid="new-payout" onPress={() => setAsking(true)}><Icon name="send" size={16} />{t('Pay somebody')}</Button></div>
            {list?.length === 0 ? <Empty title={t('No payouts yet')}><p>{t('Wages, prizes, winnings: money from the wallet to a phone. It is held from the first moment and leaves once.')}</p></Empty> : null}
            <Lines list={list ?? []} label={t('Payouts')} />
            {asking ? <NewPayout onClose={() => setAsking(false)} /> : null}
        </>
    );
}

export function Refunds(): JSX.Element {
    const list = useList<Payment>('/refunds?limit=100');
    return (
        <>
            {list?.length === 0 ? <Empty title={t('Nothing was given back')}><p>{t('Open a payment that succeeded to give it back.')}</p></Empty> : null}
            <Lines list={list ?? []} label={t('Refunds')} />
        </>
    );
}
