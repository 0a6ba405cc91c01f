// notices.tsx - what came in and fits nothing: orphans, contradictions, wrong amounts, unreadable.
import type { JSX } from 'preact';
import { money } from '../format';
import { t } from '../i18n';
import { open } from '../router';
import { Button, Empty, When, Wire } from '../ui';
import { useList, type Notice } from './store';

const ODD = ['orphan', 'mismatch', 'contradicts', 'unreadable'];

export function Odd(): JSX.Element {
    const list = useList<Notice>('/notices?limit=100')?.filter((one) => ODD.includes(one.status));
    if (list?.length === 0) {
        return <Empty title={t('Every notice fits')}><p>{t('None. Orphans, contradictions, wrong amounts and unreadable messages would lie here.')}</p></Empty>;
    }
    return (
        <section class="card">
            <h2>{t('Notices that fit nothing')}</h2>
            <ul class="moments">{(list ?? []).map((one) => (
                <li key={one.id} class="moment"><When iso={one.received_at} />
                    <div><strong>{one.status}</strong><small> {one.about} · {one.source}{one.amount > 0 ? ` · ${money(one.amount)}` : ''}{one.payment ? <> · <Button kind="quiet" onPress={() => open(one.payment ?? '')}>{one.payment}</Button></> : null}</small>
                        {one.reason ? <p class="fine">{one.reason}</p> : null}
                        <details><summary>{t('Body')}</summary><Wire lines text={one.body} what={t('Body')} /></details></div></li>
            ))}</ul>
        </section>
    );
}
