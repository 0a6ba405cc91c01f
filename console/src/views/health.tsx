// health.tsx - is it well (R3.10): "up" from the metrics, "correct" from the money.
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { get } from '../api';
import { BOOK, OTHER } from '../book';
import { duration, money as moneyText, time } from '../format';
import { t } from '../i18n';
import { CHARTS, countOf, LATENCIES, LOOKED_AT_MS, quantile, readings, repairRate, watchMetrics, worries, type Chart } from '../metrics';
import { urlOf } from '../router';
import { theme } from '../settings';
import { changes, connected, organisations, profile, version } from '../store';
import { Icon, Money } from '../ui';

interface Sums { posted: number; pending: number; accounts: number; counted: boolean; wallets?: number; organisations?: number; fees?: number; trust?: number; difference?: number }

function series(chart: Chart): [number[], (number | null)[]] {
    const list = readings.value;
    const times: number[] = [];
    const values: (number | null)[] = [];
    for (let i = 1; i < list.length; i++) {
        times.push(list[i]!.at / 1000);
        values.push(chart.value(list[i - 1]!, list[i]!));
    }
    return [times, values];
}

const shown = (value: number): string => (value >= 100 || Number.isInteger(value) ? String(Math.round(value)) : value.toFixed(value < 1 ? 2 : 1));

function options(width: number, chart: Chart, style: CSSStyleDeclaration): uPlot.Options {
    const ink = style.getPropertyValue('--soft');
    const line = style.getPropertyValue('--line');
    const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 }, font: '11px system-ui' };
    return {
        width, height: 130, legend: { show: false }, cursor: { y: false }, padding: [10, 8, 0, 0],
        scales: { x: { range: () => [Date.now() / 1000 - 180, Date.now() / 1000] }, y: { range: (_u, _min, max) => [0, Math.max(max * 1.15, chart.limit ? chart.limit * 0.3 : 1)] } },
        axes: [{ ...axis, size: 24, space: 70, values: (_u, splits) => splits.map((at) => time(at * 1000, false)) }, { ...axis, size: 44, space: 32 }],
        series: [{}, { stroke: style.getPropertyValue('--accent'), width: 2, fill: style.getPropertyValue('--accent-soft'), points: { show: false } }],
    };
}

function Plot({ chart }: { chart: Chart }): JSX.Element {
    const box = useRef<HTMLDivElement>(null);
    const plot = useRef<uPlot | undefined>(undefined);
    const look = theme.value;
    useEffect(() => {
        const element = box.current;
        if (!element) return undefined;
        plot.current = new uPlot(options(element.clientWidth || 320, chart, getComputedStyle(element)), series(chart), element);
        const watcher = new ResizeObserver(() => plot.current?.setSize({ width: element.clientWidth || 320, height: 130 }));
        watcher.observe(element);
        return () => { watcher.disconnect(); plot.current?.destroy(); };
    }, [chart.name, look]);
    const list = readings.value;
    useEffect(() => plot.current?.setData(series(chart)), [list]);
    const last = [...series(chart)[1]].reverse().find((value) => value !== null);
    const over = chart.limit !== undefined && last !== null && last !== undefined && last > chart.limit;
    const words = last === null || last === undefined ? '-' : `${shown(last)}${chart.unit ? ` ${chart.unit}` : ''}`;
    return (
        <section class={`card chart ${over ? 'over' : ''}`}>
            <header><h2>{chart.title()}</h2><strong class="figures">{words}</strong></header>
            <div ref={box} role="img" aria-label={`${chart.title()}: ${words}`} />
            {chart.limit !== undefined ? <small>{t('Threshold')}: {chart.limit} {chart.unit}, {chart.limitWords?.()}</small> : <small>&nbsp;</small>}
        </section>
    );
}

// undefined: not known yet; null: there was no answer.
function useSums(): Sums | null | undefined {
    const [sums, setSums] = useState<Sums | null | undefined>(undefined);
    const change = changes.value;
    useEffect(() => {
        if (BOOK !== 'operator') return undefined;
        let current = true;
        get<Sums>('/money').then((fresh) => { if (current) setSums(fresh); }, () => { if (current) setSums((before) => before ?? null); });
        return () => { current = false; };
    }, [change]);
    return sums;
}

function MoneyCard({ sums }: { sums: Sums }): JSX.Element {
    const right = sums.counted ? sums.difference === 0 && (sums.wallets ?? 0) + (sums.organisations ?? 0) + (sums.fees ?? 0) === -(sums.trust ?? 0) : undefined;
    return (
        <section class={`card money-card ${right === undefined ? '' : right ? 'right' : 'wrong'}`} data-testid="money" data-right={right}>
            <header>
                <Icon name={right === false ? 'cross' : 'check'} size={26} />
                <div><h2>{right === undefined ? t('Too many accounts to add up here') : right ? t('The money is all there') : t('The money does not add up')}</h2>
                    <p class="fine">{t('Every account added up anew; each decision is checked before it reaches the journal, and hakika verify proves the whole of it.')}</p></div>
            </header>
            {sums.counted ? (
                <dl class="pairs">
                    <div><dt>{t('Customers')}</dt><dd><Money cents={sums.wallets ?? 0} /></dd></div>
                    <div><dt>{t('Organisations')}</dt><dd><Money cents={sums.organisations ?? 0} /></dd></div>
                    <div><dt>{t('Fees')}</dt><dd><Money cents={sums.fees ?? 0} /></dd></div>
                    <div class="sum"><dt>{t('E-money')}</dt><dd><Money cents={(sums.wallets ?? 0) + (sums.organisations ?? 0) + (sums.fees ?? 0)} /></dd></div>
                    <div class="sum"><dt>{t('Trust account at the banks')}</dt><dd><Money cents={-(sums.trust ?? 0)} /></dd></div>
                    <div><dt>{t('Difference')}</dt><dd><Money cents={sums.difference ?? 0} /></dd></div>
                </dl>) : null}
        </section>
    );
}

const SHARES: [string, number][] = [['p50', 0.5], ['p95', 0.95], ['p99', 0.99]];

// Of the last minutes; of all since the start while nothing happened in them.
function LatencyCard(): JSX.Element | null {
    const list = readings.value;
    const now = list.at(-1)?.values;
    if (!now) return null;
    const first = list[0]?.values;
    return (
        <section class="card orgs" data-testid="latency">
            <h2>{t('How long it takes')}</h2>
            <div class="scroll" tabIndex={0} role="region" aria-label={t('How long it takes')}>
                <table>
                    <thead><tr><td />{SHARES.map(([name]) => <th key={name} scope="col" class="money">{name}</th>)}<th scope="col" class="money">{t('Measured')}</th></tr></thead>
                    <tbody>{LATENCIES.map((one) => {
                        const before = first && countOf(first, now, one.name) > 0 ? first : undefined;
                        return (
                            <tr key={one.name} data-testid={one.name}><th scope="row">{one.title()}</th>
                                {SHARES.map(([name, share]) => {
                                    const ms = quantile(before, now, one.name, share);
                                    const over = name === 'p99' && one.limitMs !== undefined && ms !== null && ms > one.limitMs;
                                    return <td key={name} class={`money ${over ? 'over' : ''}`}>{ms === null ? '-' : ms < 10 ? `${ms.toFixed(1)} ms` : duration(ms)}</td>;
                                })}
                                <td class="money">{countOf(before, now, one.name)}</td></tr>
                        );
                    })}</tbody>
                </table>
            </div>
            <p class="fine">{t('Half, 95 and 99 of 100 took no longer. Counted when the disk had it.')}</p>
        </section>
    );
}

// The share of successes that a question had to find, because their callback had not come (R5.4).
function RepairCard(): JSX.Element {
    const values = readings.value.at(-1)?.values ?? {};
    const rate = repairRate(values);
    const over = rate !== null && rate > 0.1;
    return (
        <section class={`card money-card ${over ? 'wrong' : 'right'}`} data-testid="repair">
            <header>
                <Icon name={over ? 'cross' : 'check'} size={26} />
                <div><h2>{t('Repaired payments')}: {rate === null ? '-' : `${shown(rate)} %`}</h2>
                    <p class="fine">{t('Paid, but their own callback never told: found by asking, by a statement or by hand. Up to 0.1 % is usual.')}</p></div>
            </header>
            <dl class="pairs">
                <div><dt>{t('Paid')}</dt><dd class="money">{values['hakika_gateway_payments_succeeded_total'] ?? 0}</dd></div>
                <div><dt>{t('Repaired payments')}</dt><dd class="money">{values['hakika_gateway_repaired_total'] ?? 0}</dd></div>
                <div><dt>{t('Paid after another end')}</dt><dd class="money">{values['hakika_gateway_late_total'] ?? 0}</dd></div>
                <div><dt>{t('Notices that fit nothing')}</dt><dd class="money">{values['hakika_gateway_orphans'] ?? 0}</dd></div>
            </dl>
        </section>
    );
}

function Organisations(): JSX.Element {
    const names = ['utility', 'working', 'charges_paid', 'settlement'];
    return (
        <section class="card orgs">
            <h2>{t('Organisations')}</h2>
            <div class="scroll" tabIndex={0} role="region" aria-label={t('Organisations')}>
                <table>
                    <thead class="names"><tr><th scope="col">{t('Short code')}</th><th scope="col">{t('Name')}</th>{names.map((name) => <th key={name} scope="col" class="money">{name.replace('_', ' ')}</th>)}</tr></thead>
                    <tbody>{organisations.value.map((one) => (
                        <tr key={one.short_code}><th scope="row" class="figures">{one.short_code}</th><td>{one.name}<small> {one.type}</small></td>
                            {names.map((name) => <td key={name} class="money">{moneyText(one.accounts[name] ?? 0)}</td>)}</tr>))}</tbody>
                </table>
            </div>
        </section>
    );
}

export function Health(): JSX.Element {
    useEffect(() => watchMetrics(LOOKED_AT_MS), []);
    const sums = useSums();
    const found = worries(readings.value);
    const known = BOOK !== 'operator' || sums !== undefined;
    if (connected.value && (!known || readings.value.length === 0)) return <></>;
    return (
        <div class="health-view">
            {found.map((one) => <p key={one.words} class={`banner ${one.bad ? 'bad' : 'warn'}`} role="status">{one.words}</p>)}
            {found.length === 0 && readings.value.length > 0 ? <p class="banner good" role="status"><Icon name="check" size={18} />{t('All is well.')} <span class="fine">Hakika {version.value}, {profile.value}</span></p> : null}
            {BOOK === 'merchant' ? <RepairCard /> : sums ? <MoneyCard sums={sums} /> : null}
            <LatencyCard />
            <div class="charts">{CHARTS.map((chart) => <Plot key={chart.name} chart={chart} />)}</div>
            {BOOK === 'operator' ? <Organisations /> : null}
            {OTHER ? <p class="fine"><a href={`${OTHER}/${urlOf('health')}`}>{BOOK === 'operator' ? t('Health of the merchant') : t('Health of the network')}</a></p> : null}
        </div>
    );
}
