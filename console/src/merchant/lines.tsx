// lines.tsx - payments, payouts and refunds as lines: when, how it stands, what for, who, how it ended.
import type { JSX } from 'preact';
import { day, money, phone as phoneText, time } from '../format';
import { t } from '../i18n';
import { open, place } from '../router';
import { PaymentChip } from './chip';
import type { Payment } from './store';

function remark(payment: Payment): string {
    if (payment.attention) return t('a person must look');
    if (payment.querying) return t('asking the provider');
    if (payment.escrow === 'held') return t('in escrow');
    return payment.payment ? `${t('gives back')} ${payment.payment}` : '';
}

function Line({ payment, current }: { payment: Payment; current: boolean }): JSX.Element {
    return (
        <li>
            <button type="button" data-item class={`line ${current ? 'current' : ''}`} aria-pressed={current} data-testid={`row-${payment.id}`}
                data-status={payment.status} onClick={() => open(payment.id)}>
                <span class="cell when figures"><time dateTime={payment.created_at} title={`${payment.created_at} (UTC)`}>{time(payment.created_at)}</time><small>{day(payment.created_at)}</small></span>
                <PaymentChip payment={payment} />
                <span class="cell what"><strong>{payment.order_id ?? payment.reference ?? payment.id}</strong><small>{remark(payment)}</small></span>
                <span class="cell whom figures"><span>{phoneText(payment.phone)}</span><small>{payment.short_code}</small></span>
                <span class="cell end"><code>{payment.receipt ?? payment.result_code ?? ''}</code><small>{payment.explanation ?? ''}</small></span>
                <span class="cell money">{money(payment.amount)}</span>
            </button>
        </li>
    );
}

export function Lines({ list, label }: { list: Payment[]; label: string }): JSX.Element {
    const current = place.value.query['open'];
    return <ol class="lines" aria-label={label}>{list.map((one) => <Line key={one.id} payment={one} current={current === one.id} />)}</ol>;
}
