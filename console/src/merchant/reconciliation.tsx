// reconciliation.tsx - how many successes of each day had to be found by asking, and by what (R5.4);
// asking now about everything that has been open for long (R2.7).
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { darajaTimestamp } from '../format';
import { t } from '../i18n';
import { attempt, Button, tell } from '../ui';
import { ask, payments, refresh, turns, type Reconciliation } from './store';

const DAYS = 7;
const DAY_MS = 86400_000;

// Up to the newest payment's day: the gateway's clock may stand elsewhere than this machine's.
function dayIds(newest: string | undefined): string[] {
    if (newest === undefined) return [];
    const last = new Date(newest).getTime();
    return Array.from({ length: DAYS }, (_, i) => `rec_${darajaTimestamp(last - i * DAY_MS).slice(0, 8)}`);
}

const dayOf = (id: string): string => `${id.slice(4, 8)}-${id.slice(8, 10)}-${id.slice(10, 12)}`;
const causes = (all: Record<string, number>): string =>
    Object.entries(all).map(([name, count]) => `${name} ${count}`).join(', ');

export function Reconciliations(): JSX.Element {
    const [days, setDays] = useState<Reconciliation[]>([]);
    const key = dayIds(payments.value[0]?.created_at).join(',');
    const turn = turns.value;
    useEffect(() => {
        let current = true;
        Promise.all(key.split(',').filter(Boolean).map((id) => ask<Reconciliation>('GET', `/reconciliations/${id}`))).then(
            (found) => { if (current) setDays(found); }, () => undefined);
        return () => { current = false; };
    }, [key, turn]);
    const run = (): Promise<unknown> => attempt(async () => {
        const found = await ask<Reconciliation>('POST', '/reconciliations/run', {});
        tell(`${t('Asked about')}: ${found.asked ?? 0}.`);
        await refresh();
    });
    const rows = days.flatMap((one) => one.accounts.map((account) => ({ id: one.id, ...account })))
        .filter((one, i) => one.checked > 0 || i === 0);
    return (
        <section class="card orgs">
            <header class="row spread"><h2>{t('Reconciliation')}</h2>
                <Button kind="main" onPress={run} testid="reconcile">{t('Ask about all that is open')}</Button></header>
            <p class="fine">{t('What has been open for ten minutes is asked about by itself, too. A repair is a success that its own callback never told; above 0.1 % callbacks are being lost.')}</p>
            <div class="scroll" tabIndex={0} role="region" aria-label={t('Reconciliation')}>
                <table>
                    <thead><tr><th scope="col">{t('Day')}</th><th scope="col">{t('Account')}</th>
                        {[t('Paid'), t('Repaired'), t('Rate'), t('Late'), t('Open'), t('For a person')].map((name) => <th key={name} scope="col" class="money">{name}</th>)}
                        <th scope="col">{t('Found by')}</th></tr></thead>
                    <tbody>{rows.map((one) => (
                        <tr key={`${one.id} ${one.short_code}`} data-testid={one.id}><th scope="row" class="figures">{dayOf(one.id)}</th><td class="figures">{one.short_code}</td>
                            <td class="money">{one.checked}</td><td class="money">{one.repaired}</td>
                            <td class={`money ${one.alert ? 'over' : ''}`}>{(one.repair_rate_ppm / 10_000).toFixed(2)} %</td>
                            <td class="money">{one.late_callbacks}</td><td class="money">{one.open}</td>
                            <td class={`money ${one.needs_attention > 0 ? 'over' : ''}`}>{one.needs_attention}</td><td>{causes(one.causes) || '-'}</td></tr>))}</tbody>
                </table>
            </div>
            {key === '' ? <p class="fine">{t('The first payment makes the first report.')}</p> : null}
        </section>
    );
}
