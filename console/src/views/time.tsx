// time.tsx - the clock of the book, and worlds: what the book holds, saved under a name.
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { call, exchange, get, post, refusalOf, type List } from '../api';
import { bytes, dayAndTime, duration, time } from '../format';
import { t } from '../i18n';
import type { Clock, Snapshot } from '../model';
import { bookNow, clock, reload, worldsChanged } from '../store';
import { attempt, Button, Field, FileButton, Icon, tell, Twice, When } from '../ui';

const STEPS: [string, number][] = [['+1 s', 1000], ['+1 min', 60_000], ['+1 h', 3600_000], ['+1 d', 86400_000]];

interface Idle { advanced_ms: number; stopped_because: string; in_flight: number; next_timer_at: string | null }

function ClockCard(): JSX.Element {
    const [, tick] = useState(0);
    useEffect(() => {
        const timer = setInterval(() => tick((n) => n + 1), 1000);
        return () => clearInterval(timer);
    }, []);
    const still = clock.value?.mode === 'virtual';
    const move = (body: object): Promise<unknown> => attempt(async () => {
        await post<Clock>('/clock', body);
        await reload(false);
    });
    const untilIdle = (): Promise<unknown> => attempt(async () => {
        const idle = await post<Idle>('/clock/run-until-idle', {});
        await reload(false);
        tell(idle.advanced_ms === 0 ? t('Nothing was waiting.') : `${t('Moved by')} ${duration(idle.advanced_ms)}.`);
    });
    return (
        <section class="card clock-card">
            <h2>{t('Clock')}</h2>
            <p class="big-time figures" data-testid="big-time">{time(bookNow())}</p>
            <p class="fine">{dayAndTime(bookNow())}. {still ? t('It stands still until you move it; what becomes due on the way happens.')
                : t('It runs like yours. Freeze it to move it by hand.')}</p>
            <div class="row">
                <Button kind={still ? 'plain' : 'main'} testid="freeze"
                    onPress={() => move({ mode: still ? 'real' : 'virtual' })}>{still ? t('Let it run') : t('Freeze')}</Button>
                {STEPS.map(([words, ms]) => <Button key={words} disabled={!still} testid={`advance-${ms}`}
                    onPress={() => move({ advance_ms: ms })}>{words}</Button>)}
                <Button kind={still ? 'main' : 'plain'} disabled={!still} onPress={untilIdle} testid="until-idle">{t('Run until idle')}</Button>
            </div>
        </section>
    );
}

function World({ one, onChange }: { one: Snapshot; onChange: () => Promise<void> }): JSX.Element {
    const path = `/sim/v1/snapshots/${encodeURIComponent(one.name)}`;
    const restore = (): Promise<unknown> => attempt(async () => {
        await call('POST', `${path}/restore`, {});
        await reload();
        await onChange();
        tell(`${t('You are in')} ${one.name}.`);
    });
    // Asked for as everything else is, and then given to the browser: a link would not say why not.
    const download = (): Promise<unknown> => attempt(async () => {
        const answer = await exchange('GET', `${path}/file`);
        if (answer.status !== 200) throw refusalOf(answer);
        const link = document.createElement('a');
        link.href = URL.createObjectURL(answer.bytes);
        link.download = `${one.name}.hakika-world`;
        link.click();
        setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    });
    return (
        <li class="world" data-testid={`world-${one.name}`}>
            <div><strong>{one.name}</strong><small><When iso={one.saved_at} full /> · {bytes(one.size_bytes)} · <code title={one.digest}>{one.digest.slice(0, 10)}</code></small></div>
            <div class="row">
                <Twice sure={t('Leave the present?')} onPress={restore}>{t('Restore')}</Twice>
                <Button label={`${t('Download')}: ${one.name}`} onPress={download}><Icon name="download" size={16} />{t('Download')}</Button>
                <Twice sure={t('Really?')} onPress={() => attempt(async () => { await call('DELETE', path); await onChange(); })}>{t('Delete')}</Twice>
            </div>
        </li>
    );
}

function Worlds(): JSX.Element {
    const [worlds, setWorlds] = useState<Snapshot[] | undefined>(undefined);
    const [name, setName] = useState('');
    const change = worldsChanged.value;
    const read = async (): Promise<void> => setWorlds((await get<List<Snapshot>>('/snapshots')).data);
    useEffect(() => { void read().catch(() => undefined); }, [change]);
    const save = (): Promise<unknown> => attempt(async () => {
        await post('/snapshots', { name });
        setName('');
        await read();
    });
    // Under the name that the file has, as far as a world may have it.
    const openFile = (file: File): Promise<unknown> => attempt(async () => {
        const called = file.name.replace(/\.hakika-world$/, '').replace(/[^A-Za-z0-9._-]+/g, '-').slice(0, 64) || 'opened';
        const answer = await exchange('POST', `/sim/v1/snapshots/${encodeURIComponent(called)}/file`, file, { 'Content-Type': 'application/octet-stream' });
        if (answer.status !== 201) throw refusalOf(answer);
        await read();
        tell(`${t('Opened, to be restored')}: ${called}.`);
    });
    return (
        <section class="card worlds">
            <h2>{t('Worlds')}</h2>
            <p class="fine">{t('Everything comes back: wallets, open prompts, waiting callbacks. Saved worlds live in the journal and survive restarts.')}</p>
            <form class="row" onSubmit={(event) => { event.preventDefault(); if (name) void save(); }}>
                <Field label={t('Save the present as')}>
                    <input value={name} name="world" maxLength={40} pattern="[A-Za-z0-9._\-]+" placeholder="before-lunch" autoComplete="off"
                        onInput={(event) => setName(event.currentTarget.value)} />
                </Field>
                <button type="submit" class="button main" disabled={!name} data-testid="save-world">{t('Save')}</button>
            </form>
            <div class="row"><FileButton accept=".hakika-world" onFile={openFile} testid="open-world"><Icon name="file" size={16} />{t('Open a file')}</FileButton>
                <small>{t('A world saved on another server. PINs do not travel: every phone has 1234 there.')}</small></div>
            {worlds ? <>
                {worlds.length === 0 ? <p class="fine">{t('No saved worlds. Save one before a test, restore it after.')}</p> : null}
                <ul>{worlds.map((one) => <World key={one.name} one={one} onChange={read} />)}</ul>
                <div class="reset">
                    <div><strong>{t('Reset')}</strong><small>{t('Back to the seed: one phone, a few organisations, no payments.')}</small></div>
                    <Twice sure={t('Forget everything?')} onPress={() => attempt(async () => { await post('/reset'); await reload(); })}>{t('Reset')}</Twice>
                </div>
            </> : null}
        </section>
    );
}

export function Time(): JSX.Element {
    return <div class="time-view"><ClockCard /><Worlds /></div>;
}
