// story.tsx - the drawer for a payment of the gateway: what it asked, what it was told by whom, and
// what each claim did.
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { List } from '../api';
import { money, phone as phoneText, pretty } from '../format';
import { t } from '../i18n';
import { open, put } from '../router';
import { attempt, Button, Icon, tell, Twice, When, Wire } from '../ui';
import { PaymentChip } from './chip';
import { ask, refresh, turns, useOnce, type Notice, type Payment } from './store';

interface Moment {
    position: string; at: string; event: string; status?: string; stk_state?: string; error?: string;
    response_status?: number; response_body?: string | null; notice?: Notice;
}

function titleOf(moment: Moment): string {
    if (moment.notice) return `${t('Notice')}: ${moment.notice.about}, ${moment.notice.verdict}`;
    return moment.event.replace(/_/g, ' ');
}

function contentOf(moment: Moment): string | undefined {
    if (moment.notice) return pretty(moment.notice.body);
    return moment.response_body ? pretty(moment.response_body) : undefined;
}

function Line({ moment }: { moment: Moment }): JSX.Element {
    const [opened, setOpened] = useState(false);
    const content = contentOf(moment);
    const bad = moment.error !== undefined || (moment.response_status ?? 200) >= 400;
    return (
        <li class={`moment ${moment.notice ? 'notice' : ''} ${bad ? 'bad' : ''}`}>
            <When iso={moment.at} />
            <div>
                <strong>{titleOf(moment)}</strong>
                {moment.notice ? <small> {moment.notice.source} · {moment.notice.status}{moment.notice.repeats > 0 ? ` · ${moment.notice.repeats} ${t('repeats')}` : ''}</small> : null}
                {moment.error ? <small> {moment.error}</small> : null}
                {moment.response_status ? <small> HTTP {moment.response_status}</small> : null}
                <small> · <code>{moment.position}</code></small>
                {content ? <Button kind="quiet" pressed={opened} onPress={() => setOpened(!opened)}>{opened ? t('Hide the body') : t('Show the body')}</Button> : null}
                {opened && content ? <Wire lines text={content} what={t('Body')} /> : null}
            </div>
        </li>
    );
}

// Which list it is in, by its id.
export const listOf = (id: string): string =>
    id.startsWith('po_') ? 'payouts' : id.startsWith('ref_') ? 'refunds' : 'payments';

function Actions({ payment }: { payment: Payment }): JSX.Element {
    const once = useOnce();
    const act = (what: string, words: string): Promise<unknown> => attempt(async () => {
        await ask('POST', `/payments/${payment.id}/${what}`, {});
        tell(words);
        await refresh();
    });
    const refund = (): Promise<unknown> => attempt(async () => {
        const made = await once((headers) => ask<Payment>('POST', '/refunds', { payment: payment.id }, headers));
        await refresh();
        open(made.id);
    });
    return (
        <div class="row">
            {payment.object !== 'payment' ? null : payment.ended_at === null ? <Button kind="main" testid="resolve" onPress={() => act('resolve', t('Asked the provider.'))}>{t('Ask the provider now')}</Button> : null}
            {payment.escrow === 'held' ? <Button kind="main" testid="release" onPress={() => act('release', t('Released to the wallet.'))}>{t('Release from escrow')}</Button> : null}
            {payment.status === 'succeeded' && payment.object === 'payment' ? <Twice sure={t('Really give it back?')} onPress={refund}>{t('Give it back')}</Twice> : null}
        </div>
    );
}

function Facts({ payment }: { payment: Payment }): JSX.Element {
    const facts: [string, string | null][] = [[t('Receipt'), payment.receipt], [t('Order'), payment.order_id], [t('Reference'), payment.reference ?? null], [t('Phone'), String(payment.phone)],
        ['CheckoutRequestID', payment.checkout_request_id], [t('Result'), payment.result_code], [t('Told by'), payment.source]];
    return <dl class="pairs">{facts.filter(([, value]) => value).map(([name, value]) =>
        <div key={name}><dt>{name}</dt><dd><Wire text={value ?? ''} what={name} /></dd></div>)}
        {payment.next_check_at ? <div><dt>{t('Next question')}</dt><dd><When iso={payment.next_check_at} full /></dd></div> : null}</dl>;
}

export function MerchantStory({ id, wide, onClose }: { id: string; wide: boolean; onClose: () => void }): JSX.Element {
    const [told, setTold] = useState<{ payment: Payment; moments: Moment[] } | string | undefined>(undefined);
    const turn = turns.value;
    useEffect(() => {
        let current = true;
        Promise.all([ask<Payment>('GET', `/${listOf(id)}/${id}`), ask<List<Moment>>('GET', `/${listOf(id)}/${id}/timeline`)]).then(
            ([payment, list]) => { if (current) setTold({ payment, moments: list.data }); },
            (error: Error) => { if (current) setTold(error.message); });
        return () => { current = false; };
    }, [id, turn]);
    const shown = typeof told === 'object' ? told : undefined;
    return (
        <aside class="drawer" aria-label={t('Story')} data-testid="story">
            <header class="drawer-bar">
                <h2>{id}</h2>
                <Button kind="quiet" label={wide ? t('Narrower') : t('Wider')} pressed={wide} class="widen"
                    onPress={() => put({ wide: wide ? undefined : '1' })}><Icon name="wide" /></Button>
                <Button kind="quiet" label={t('Close')} onPress={onClose}><Icon name="cross" /></Button>
            </header>
            <div class="drawer-body">
                {typeof told === 'string' ? <p class="fine">{told}</p> : null}
                {shown ? <>
                    <div class="story-head">
                        <div class="amount figures">{money(shown.payment.amount)}</div>
                        <PaymentChip payment={shown.payment} />
                        <p>{shown.payment.object === 'payment' ? `${phoneText(shown.payment.phone)} → ${shown.payment.short_code}` : `${shown.payment.short_code} → ${phoneText(shown.payment.phone)}`}
                            {shown.payment.payment ? <> · {t('gives back')} <Button kind="quiet" onPress={() => open(shown.payment.payment ?? '')}>{shown.payment.payment}</Button></> : null}</p>
                        <p class="why">{shown.payment.explanation ?? shown.payment.result_desc ?? ''}</p>
                    </div>
                    <Actions payment={shown.payment} />
                    <section><h3>{t('What happened')}</h3><ol class="moments">{shown.moments.map((one, i) => <Line key={i} moment={one} />)}</ol></section>
                    <section><h3>{t('Facts')}</h3><Facts payment={shown.payment} /></section>
                </> : null}
            </div>
        </aside>
    );
}
