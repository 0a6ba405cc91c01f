// payments.tsx - every payment and request, newest first, as they move; filters stand in the URL.
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { day, money, phone as phoneText, time } from '../format';
import { t } from '../i18n';
import type { Row, Status } from '../model';
import { go, open, place, put } from '../router';
import { loaded, lookUp, readOlder, rows } from '../store';
import { typeName } from '../story/messages';
import { attempt, Button, Empty, Icon, StatusChip, statusWord } from '../ui';

const SHOWN = 200;
const STATES: Status[] = ['PENDING', 'PROCESSING', 'SUCCESS', 'FAILED', 'CANCELLED'];

function fits(row: Row, query: Record<string, string>): boolean {
    const { state, code, q } = query;
    if (state && row.status !== state) return false;
    if (code && row.shortCode !== code) return false;
    const words = `${row.id} ${row.receipt ?? ''} ${row.phone} ${phoneText(row.phone)} ${row.shortCode} ` +
        `${row.reference} ${row.words} ${money(row.amount)} ${row.amount / 100} ${row.code ?? ''} ${typeName(row.type)}`;
    return (q ?? '').toLowerCase().split(/\s+/).every((part) => words.toLowerCase().includes(part));
}

function Filters({ codes }: { codes: string[] }): JSX.Element {
    const { state, code, q } = place.value.query;
    return (
        <div class="filters" role="group" aria-label={t('Filters')}>
            <div class="segments">
                <button type="button" aria-pressed={!state} onClick={() => put({ state: undefined })}>{t('All')}</button>
                {STATES.map((one) => (
                    <button key={one} type="button" aria-pressed={state === one}
                        onClick={() => put({ state: state === one ? undefined : one })}>{statusWord(one)}</button>
                ))}
            </div>
            <select aria-label={t('Short code')} value={code ?? ''} onChange={(event) => put({ code: event.currentTarget.value || undefined })}>
                <option value="">{t('Every short code')}</option>
                {codes.map((one) => <option key={one} value={one}>{one}</option>)}
            </select>
            {state || code || q ? <Button kind="quiet" onPress={() => put({ state: undefined, code: undefined, q: undefined })}>
                <Icon name="cross" size={14} />{t('Clear')}</Button> : null}
        </div>
    );
}

function Line({ row, current }: { row: Row; current: boolean }): JSX.Element {
    const ended = row.status !== 'PENDING' && row.status !== 'PROCESSING';
    return (
        <li>
            <button type="button" data-item class={`line ${current ? 'current' : ''}`} aria-pressed={current}
                data-testid={`row-${row.id}`} data-status={row.status} onClick={() => open(row.id)}>
                <span class="cell when figures"><time dateTime={row.at} title={`${row.at} (UTC)`}>{time(row.at)}</time><small>{day(row.at)}</small></span>
                <StatusChip status={row.status} />
                <span class="cell what"><strong>{typeName(row.type)}</strong>
                    <small>{row.reference}{row.ruled ? `${row.reference ? ' · ' : ''}${t('ruled')}` : ''}</small></span>
                <span class="cell whom figures"><span>{row.phone ? phoneText(row.phone) : ''}</span><small>{row.shortCode}</small></span>
                <span class="cell end">{ended ? <><code>{row.receipt ?? row.code ?? ''}</code><small>{row.status === 'SUCCESS' ? '' : row.reason}</small></> : null}</span>
                <span class="cell money">{row.amount > 0 ? money(row.amount) : ''}</span>
            </button>
        </li>
    );
}

// What is asked for may be older than what is at hand: ids and receipts are looked up in the book.
const LOOKS_LIKE_ID = /^(txn_\d+|req_\d+|ws_CO_\w{8,}|[A-Z0-9]{10})$/i;

function useFound(wanted: string): Row | undefined {
    const [found, setFound] = useState<Row | undefined>(undefined);
    useEffect(() => {
        let current = true;
        setFound(undefined);
        if (LOOKS_LIKE_ID.test(wanted)) {
            void lookUp(wanted).then((row) => { if (current) setFound(row); });
        }
        return () => { current = false; };
    }, [wanted]);
    return found;
}

function Older(): JSX.Element {
    const [more, setMore] = useState(true);
    return more ? <Button onPress={() => attempt(async () => setMore(await readOlder()))}>{t('Show older ones')}</Button>
        : <p class="fine">{t('That is all there is.')}</p>;
}

export function Payments(): JSX.Element {
    const { query } = place.value;
    const codes = [...new Set(rows.value.map((row) => row.shortCode))].sort();
    const fitting = rows.value.filter((row) => fits(row, query));
    const found = useFound(fitting.length === 0 ? (query['q'] ?? '').trim() : '');
    const [most, setMost] = useState(SHOWN);
    const shown = found && fitting.length === 0 ? [found] : fitting.slice(0, most);
    if (loaded.value && rows.value.length === 0) {
        return (
            <Empty title={t('No payments yet')}>
                <p>{t('A push from your code appears here the moment it is accepted. Or make one now:')}</p>
                <Button kind="main" onPress={() => go('try')}>{t('Try it')}</Button>
            </Empty>
        );
    }
    return (
        <div class="payments-view">
            <Filters codes={codes} />
            {shown.length === 0 && loaded.value ? <Empty title={t('Nothing fits')}><p>{t('None of the newest payments is like that.')}</p></Empty> : null}
            <ol class="lines" aria-label={t('Payments, newest first')}>
                {shown.map((row) => <Line key={row.id} row={row} current={query['open'] === row.id} />)}
            </ol>
            <div class="row after">{fitting.length > most ? <Button onPress={() => setMost(most + SHOWN)}>{t('Show more')}</Button>
                : rows.value.length >= 100 ? <Older /> : null}</div>
        </div>
    );
}
