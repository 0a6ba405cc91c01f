// discrepancies.tsx - the provider's books against ours: a statement file and what became of its rows,
// the provider's own list (pull), and what does not agree, until a person has said how it ended.
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { duration, money, msisdn } from '../format';
import { t, type Words } from '../i18n';
import { open, place, put } from '../router';
import { attempt, Button, Dialog, Empty, Field, FileButton, Icon, tell, When } from '../ui';
import { ask, refresh, useList, type Discrepancy, type Provider, type Statement } from './store';

const KINDS: Record<string, Words> = {
    unknown_account: 'Money arrived, and nobody knows for what',
    amount_differs: 'The provider has another amount under this receipt number',
    unknown_payout: 'Money left, and no payout of ours has this receipt number',
    unlinked_reversal: 'Money was taken back that no payment of ours has',
    missing_with_provider: 'We booked it, and the statement does not have it',
    balance_gap: 'The balances of a statement do not follow from its rows',
};

const REASONS: [string, Words][] = [['explained', 'Explained'], ['corrected', 'Corrected'],
    ['duplicate', 'The same as another one'], ['written_off', 'Written off']];

const REASON_WORDS: Record<string, Words> = { ...Object.fromEntries(REASONS), assigned: 'By itself: its receipt found its order' };

function kindOf(one: Discrepancy): string {
    const words = KINDS[one.kind];
    return words ? t(words) : one.explanation;
}

// ---- saying who looks after it, and how it ended ----

function Resolve({ one, onClose }: { one: Discrepancy; onClose: () => void }): JSX.Element {
    const [owner, setOwner] = useState(one.owner ?? '');
    const [reason, setReason] = useState('');
    const [note, setNote] = useState(one.note ?? '');
    const ready = reason === '' ? owner !== '' : note !== '';
    async function save(): Promise<void> {
        const good = await attempt(async () => {
            await ask('POST', `/discrepancies/${one.id}/resolve`, { ...(owner ? { owner } : {}), ...(note ? { note } : {}), ...(reason ? { reason } : {}) });
            await refresh();
        });
        if (good) onClose();
    }
    return (
        <Dialog title={`${one.id}: ${one.reference ?? ''}`} onClose={onClose}>
            <form onSubmit={(event) => { event.preventDefault(); if (ready) void save(); }}>
                <p>{kindOf(one)}.</p>
                <Field label={t('Who looks after it')}><input name="owner" value={owner} maxLength={100} autoComplete="off" onInput={(event) => setOwner(event.currentTarget.value)} /></Field>
                <Field label={t('How it ended')} hint={t('No money moves by this. What is to be corrected is corrected first.')}>
                    <select name="reason" value={reason} onChange={(event) => setReason(event.currentTarget.value)}>
                        <option value="">{t('It is still open')}</option>
                        {REASONS.map(([name, words]) => <option key={name} value={name}>{t(words)}</option>)}
                    </select></Field>
                <Field label={t('Note')} hint={reason !== '' ? t('Needed: whoever asks in a year reads this.') : undefined}>
                    <textarea name="note" rows={3} maxLength={500} value={note} onInput={(event) => setNote(event.currentTarget.value)} /></Field>
                <button class="button main" type="submit" disabled={!ready} data-testid="save-resolution">{reason === '' ? t('Save') : t('Resolve')}</button>
            </form>
        </Dialog>
    );
}

// What it is about: a link where there is one.
function About({ one }: { one: Discrepancy }): JSX.Element | null {
    const payment = one.payment;
    if (payment) return <Button kind="quiet" onPress={() => open(payment)}>{payment}</Button>;
    return one.receipt_id ? <Button kind="quiet" onPress={() => put({ tab: 'receipts' })}>{one.receipt_id}</Button> : null;
}

function Amounts({ one }: { one: Discrepancy }): JSX.Element {
    if (one.kind === 'balance_gap') return <dl class="amounts figures"><div /><div><dt>{t('Off by')}</dt><dd>{money(one.theirs)}</dd></div></dl>;
    return (
        <dl class="amounts figures">
            <div><dt>{t('Ours')}</dt><dd>{money(one.ours)}</dd></div>
            <div><dt>{t('Theirs')}</dt><dd>{money(one.theirs)}</dd></div>
        </dl>
    );
}

function ageOf(one: Discrepancy): string {
    return one.age_s < 60 ? t('new') : `${t('open for')} ${duration(one.age_s * 1000)}`;
}

function ended(one: Discrepancy): string {
    const words = REASON_WORDS[one.reason];
    return words ? t(words) : one.reason;
}

function Line({ one, onResolve }: { one: Discrepancy; onResolve: () => void }): JSX.Element {
    const isOpen = one.status === 'open';
    return (
        <li class={`odd ${isOpen ? '' : 'ended'}`} data-testid={`row-${one.id}`} data-status={one.status} data-kind={one.kind}>
            <div class="odd-what">
                <strong>{kindOf(one)}</strong>
                <p class="fine"><code>{one.reference ?? ''}</code> · {one.short_code} <About one={one} /></p>
                {one.note ? <p class="odd-note">{one.note}</p> : null}
            </div>
            <Amounts one={one} />
            <div class="odd-state">
                <span class={`pill ${isOpen ? 'waiting' : 'delivered'}`}>{isOpen ? ageOf(one) : ended(one)}</span>
                <small>{one.owner ?? (isOpen ? t('nobody looks after it yet') : '')}{!isOpen && one.resolved_at ? <> <When iso={one.resolved_at} full /></> : null}</small>
                {isOpen ? <Button testid={`resolve-${one.id}`} onPress={onResolve}>{t('Look after it')}</Button> : null}
            </div>
        </li>
    );
}

function List(): JSX.Element {
    const all = place.value.query['all'] === '1';
    const list = useList<Discrepancy>(`/discrepancies?limit=100${all ? '' : '&status=open'}`);
    const [resolving, setResolving] = useState<Discrepancy | undefined>(undefined);
    return (
        <>
            <label class="row"><input type="checkbox" checked={all} onChange={(event) => put({ all: event.currentTarget.checked ? '1' : undefined })} />{t('Show what was resolved, too')}</label>
            {list?.length === 0 ? <Empty title={all ? t('Nothing has ever disagreed') : t('Nothing disagrees')}>
                <p>{t('What the provider has and we do not, or the other way round, lies here until somebody says how it ended. Read a statement file, or have the provider list what it has.')}</p></Empty> : null}
            <ol class="lines" aria-label={t('Discrepancies')}>{(list ?? []).map((one) => <Line key={one.id} one={one} onResolve={() => setResolving(one)} />)}</ol>
            {resolving ? <Resolve one={resolving} onClose={() => setResolving(undefined)} /> : null}
        </>
    );
}

// ---- a statement file ----

function Report({ read, name }: { read: Statement; name: string }): JSX.Element {
    const figures: [Words, number][] = [['Rows', read.rows], ['Moved a payment or made a receipt', read.applied], ['Known already', read.confirmed],
        ['Another amount than ours', read.mismatched], ['Fit nothing', read.unmatched], ['Charges and sweeps', read.ignored],
        ['Unreadable', read.bad_rows], ['New receipts', read.new_receipts], ['New discrepancies', read.new_discrepancies]];
    const p = read.proof;
    const follows = p.gaps === 0 && p.variance === 0;
    return (
        <div class="report" data-testid="statement-report" role="status">
            <h3>{name} <small>{read.short_code}</small></h3>
            <dl class="amounts figures">{figures.filter(([words, count]) => count > 0 || words === 'Rows').map(([words, count]) => <div key={words}><dt>{t(words)}</dt><dd>{count}</dd></div>)}</dl>
            {read.bad_rows > 0 ? <p class="fine bad">{t('The first row that could not be read')}: {t('line')} {read.first_bad_line}, {read.first_bad_why}</p> : null}
            <p class="fine">{follows ? t('The balances follow row by row') : `${t('The balances do not follow')}: ${t('line')} ${p.first_gap_line}`}:
                {' '}{money(p.opening)} + {money(p.paid_in)} - {money(p.withdrawn)} = {money(p.closing)}</p>
        </div>
    );
}

function StatementCard(): JSX.Element {
    const [read, setRead] = useState<{ name: string; statement: Statement } | undefined>(undefined);
    const send = (file: File): Promise<unknown> => attempt(async () => {
        setRead({ name: file.name, statement: await ask<Statement>('POST', '/statements', file, { 'Content-Type': 'text/csv' }) });
        await refresh();
    });
    return (
        <section class="card">
            <h2>{t('A statement file')}</h2>
            <p class="fine">{t('The CSV of the organisation portal or of a till, up to 64 KiB. What is known already changes nothing, so a file can be read twice.')}</p>
            <div class="row"><FileButton accept=".csv,text/csv,text/plain" onFile={send} testid="statement-file"><Icon name="file" size={16} />{t('Read a statement')}</FileButton></div>
            {read ? <Report read={read.statement} name={read.name} /> : null}
        </section>
    );
}

// ---- the provider's list ----

const PULLS: Record<string, Words> = { never: 'Not asked yet', registering: 'Registering', asked: 'The provider is being asked.', done: 'Done', failed: 'Refused' };

function Pull({ one }: { one: Provider }): JSX.Element {
    const [phone, setPhone] = useState('');
    const pull = one.pull;
    const register = (): Promise<unknown> => attempt(async () => {
        await ask('POST', '/pull/register', { short_code: one.short_code, phone: msisdn(phone) });
        setPhone('');
        await refresh();
    });
    const run = (): Promise<unknown> => attempt(async () => {
        await ask('POST', '/pull', { short_code: one.short_code });
        tell(t('The provider is being asked.'));
        await refresh();
    });
    const words = PULLS[pull?.status ?? 'never'];
    return (
        <div class="pull" data-testid={`pull-${one.short_code}`} data-status={pull?.status}>
            <div class="row spread"><strong class="figures">{one.short_code}</strong><small>{words ? t(words) : pull?.status}{pull?.until ? <> <When iso={pull.until} full /></> : null}{pull?.status === 'done' ? ` · ${t('Rows')}: ${pull.rows}` : ''}</small></div>
            {pull?.status === 'failed' && pull.answer ? <p class="fine bad">{pull.answer}</p> : null}
            <div class="row"><Button testid={`pull-now-${one.short_code}`} onPress={run}>{t('Ask for the last 48 hours')}</Button></div>
            <form class="row" onSubmit={(event) => { event.preventDefault(); if (msisdn(phone)) void register(); }}>
                <Field label={t('Nominated number, once')}><input name="nominated" value={phone} placeholder="0722 000 000" autoComplete="off" onInput={(event) => setPhone(event.currentTarget.value)} /></Field>
                <button type="submit" class="button" disabled={!msisdn(phone)}>{t('Register')}</button>
            </form>
        </div>
    );
}

function PullCard(): JSX.Element {
    const list = useList<Provider>('/providers')?.filter((one) => one.kind === 'daraja');
    return (
        <section class="card">
            <h2>{t('The provider\'s own list')}</h2>
            <p class="fine">{t('What customers paid in the last 48 hours, as the provider has it.')}</p>
            {(list ?? []).map((one) => <Pull key={one.id} one={one} />)}
        </section>
    );
}

export function Discrepancies(): JSX.Element {
    return <><List /><div class="merchant-cards"><StatementCard /><PullCard /></div></>;
}
