// receipts.tsx - money that customers paid by themselves: whose it is, and saying so when nobody knows.
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { day, money, phone as phoneText, time } from '../format';
import { t } from '../i18n';
import { attempt, Button, Empty } from '../ui';
import { PaymentChip } from './chip';
import { ask, refresh, useList, type Provider, type Receipt } from './store';

function Assign({ receipt }: { receipt: Receipt }): JSX.Element {
    const [order, setOrder] = useState('');
    const save = (): Promise<unknown> => attempt(async () => {
        await ask('POST', `/receipts/${receipt.id}/assign`, { order_id: order });
        await refresh();
    });
    return (
        <form class="row assign" onSubmit={(event) => { event.preventDefault(); if (order) void save(); }}>
            <input name="order" value={order} placeholder={t('Order')} aria-label={`${t('Order')}: ${receipt.receipt}`} autoComplete="off"
                onInput={(event) => setOrder(event.currentTarget.value)} />
            <button type="submit" class="button" disabled={!order}>{t('Assign')}</button>
        </form>
    );
}

function Line({ one }: { one: Receipt }): JSX.Element {
    const at = one.paid_at ?? one.created_at;
    return (
        <li class="line" data-testid={`row-${one.id}`} data-status={one.status}>
            <span class="cell when figures"><time dateTime={at} title={`${at} (UTC)`}>{time(at)}</time><small>{day(at)}</small></span>
            <PaymentChip payment={one} />
            <span class="cell what"><strong>{one.order_id ?? one.account_reference ?? '-'}</strong>
                <small>{one.payment ? `${t('was the money of')} ${one.payment}` : one.assigned_by_person ? t('assigned by a person') : ''}</small></span>
            <span class="cell whom figures"><span>{one.phone ? phoneText(one.phone) : one.payer ?? '-'}</span><small>{one.short_code}</small></span>
            <span class="cell end">{one.status === 'suspense' ? <Assign receipt={one} /> : <code>{one.receipt}</code>}</span>
            <span class="cell money">{money(one.amount)}</span>
        </li>
    );
}

// The provider tells nobody of such payments until it was asked to.
function Registered({ list }: { list: Provider[] }): JSX.Element {
    const register = (one: Provider): Promise<unknown> => attempt(async () => {
        await ask('POST', `/providers/${one.id}/c2b`, {});
        await refresh();
    });
    return <>{list.filter((one) => one.kind === 'daraja' && one.c2b && one.c2b.status !== 'registered').map((one) => (
        <div key={one.id} class="card row spread"><span>{one.short_code}: {one.c2b?.status === 'asked' ? t('The provider is being asked.') : t('The provider does not tell of such payments yet.')}</span>
            <Button kind="main" onPress={() => register(one)} testid={`register-${one.id}`}>{t('Have it tell this gateway')}</Button></div>))}</>;
}

export function Receipts(): JSX.Element {
    const providers = useList<Provider>('/providers');
    const list = useList<Receipt>('/receipts?limit=100');
    if (!providers || !list) return <></>;
    return <><Registered list={providers} /><List list={list} /></>;
}

function List({ list }: { list: Receipt[] }): JSX.Element {
    if (list.length === 0) {
        return <Empty title={t('No receipts yet')}><p>{t('When a customer pays the paybill or till unasked, the money lies here: with its order, or in suspense until somebody says whose it is.')}</p></Empty>;
    }
    return <ol class="lines" aria-label={t('Receipts')}>{list.map((one) => <Line key={one.id} one={one} />)}</ol>;
}
