// merchant.tsx - the gateway's side: its accounts, and one list at a time of what it asked for, paid,
// gave back, was told, and could not tell.
import type { FunctionComponent, JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { cents, msisdn } from '../format';
import { t } from '../i18n';
import { Discrepancies } from '../merchant/discrepancies';
import { Lines } from '../merchant/lines';
import { Odd } from '../merchant/notices';
import { Payouts, Refunds } from '../merchant/out';
import { Receipts } from '../merchant/receipts';
import { Reconciliations } from '../merchant/reconciliation';
import { accounts, ask, figures, keyWanted, payments, refresh, useKey, useOnce, type Payment } from '../merchant/store';
import { Webhooks } from '../merchant/webhooks';
import { open, place, urlOf } from '../router';
import { loaded } from '../store';
import { attempt, Button, Dialog, Empty, Field, Icon, Money } from '../ui';

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
    const once = useOnce();
    const number = msisdn(phone);
    const value = cents(amount);
    const ready = number !== undefined && value !== undefined && value > 0 && order !== '';
    async function create(): Promise<void> {
        const good = await attempt(async () => {
            const made = await once((headers) => ask<Payment>('POST', '/payments', { amount: value, currency: 'KES', phone: number, order_id: order,
                capture: escrow ? 'escrow' : 'wallet' }, headers));
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

function Payments(): JSX.Element {
    const [asking, setAsking] = useState(false);
    return (
        <>
            <div class="row"><Button kind="main" testid="new-payment" onPress={() => setAsking(true)}><Icon name="plus" size={16} />{t('Ask for a payment')}</Button></div>
            {loaded.value && payments.value.length === 0 ? <Empty title={t('No payments yet')}><p>{t('A payment that your application asks for appears here.')}</p></Empty> : null}
            <Lines list={payments.value} label={t('Payments, newest first')} />
            {asking ? <NewPayment onClose={() => setAsking(false)} /> : null}
        </>
    );
}

interface Tab { name: string; title: () => string; show: FunctionComponent; count?: string }

// What somebody should look at has a count: of which figure.
const TABS: Tab[] = [
    { name: 'payments', title: () => t('Payments'), show: Payments, count: 'hakika_gateway_attention' },
    { name: 'payouts', title: () => t('Payouts'), show: Payouts },
    { name: 'refunds', title: () => t('Refunds'), show: Refunds },
    { name: 'receipts', title: () => t('Receipts'), show: Receipts },
    { name: 'reconciliation', title: () => t('Reconciliation'), show: Reconciliations },
    { name: 'discrepancies', title: () => t('Discrepancies'), show: Discrepancies, count: 'hakika_gateway_discrepancies' },
    { name: 'notices', title: () => t('Odd notices'), show: Odd, count: 'hakika_gateway_orphans' },
    { name: 'webhooks', title: () => t('Webhooks'), show: Webhooks, count: 'hakika_callbacks_dead' },
];

const ACCOUNTS = (): Record<string, string> => ({ wallet: t('Wallet'), escrow: t('Escrow'), suspense: t('Suspense'), fees: t('Fees') });

function Sums(): JSX.Element {
    const names = ACCOUNTS();
    const single = accounts.value.filter((one) => one.id.startsWith('clearing_')).length === 1;
    const atProvider = (id: string): string => (single ? t('At the provider') : `${t('At the provider')}, ${id.replace('clearing_', '')}`);
    return (
        <dl class="tiles" aria-label={t('Accounts')} tabIndex={0}>{accounts.value.map((one) => (
            <div key={one.id}><dt>{names[one.id] ?? atProvider(one.id)}</dt><dd data-testid={`account-${one.id}`}><Money cents={one.balance} /></dd></div>))}</dl>
    );
}

export function Merchant(): JSX.Element {
    const tab = TABS.find((one) => one.name === place.value.query['tab']) ?? TABS[0]!;
    const Shown = tab.show;
    const bar = useRef<HTMLElement>(null);
    useEffect(() => bar.current?.querySelector('[aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' }), [tab.name]);
    if (keyWanted.value) return <AskKey />;
    return (
        <div class="merchant-view">
            <Sums />
            <nav class="tabs" aria-label={t('Merchant')} ref={bar}>{TABS.map((one) => {
                const count = one.count ? figures.value[one.count] ?? 0 : 0;
                return <a key={one.name} href={urlOf('merchant', { ...place.value.query, tab: one === TABS[0] ? undefined : one.name })}
                    aria-current={one === tab ? 'page' : undefined}>{one.title()}{count > 0 ? <b class="count">{count}</b> : null}</a>;
            })}</nav>
            <Shown />
        </div>
    );
}
