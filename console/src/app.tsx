// app.tsx - the frame: rail, bar, view, drawer, and the one quiet line that says when what is shown
// is not the whole truth.
import { signal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { onKeyNeeded } from './api';
import { BOOK, OTHER } from './book';
import { dayAndTime, time } from './format';
import { t } from './i18n';
import { keysShown } from './keys';
import { readings, watchMetrics, worries } from './metrics';
import { close, go, place, put, urlOf } from './router';
import { language, theme } from './settings';
import { bookNow, clock, connected, missed, openCount, profile, reload, sampling, settled, version } from './store';
import { MerchantStory } from './merchant/story';
import { Story } from './story/story';
import { Button, Dialog, Field, Icon, Mark, notice } from './ui';
import { isOwn, OWN_VIEWS, VIEWS } from './views';

function Rail({ current }: { current: string }): JSX.Element {
    return (
        <nav class="rail" aria-label={t('Views')}>
            <a class="mark" href={urlOf(OWN_VIEWS[0]?.name ?? '')} aria-label="Hakika"><Mark /></a>
            <ul>
                {VIEWS.map((view) => (
                    <li key={view.name}>
                        <a href={isOwn(view) ? urlOf(view.name, { open: place.value.query['open'] }) : `${OTHER}/${urlOf(view.name)}`}
                            aria-current={view.name === current ? 'page' : undefined}>
                            <Icon name={view.icon} size={22} />
                            <span>{view.title()}</span>
                            {view.name === 'payments' && openCount.value > 0
                                ? <b class="count" aria-label={`${openCount.value} ${t('open')}`}>{openCount.value}</b>
                                : null}
                        </a>
                    </li>
                ))}
            </ul>
        </nav>
    );
}

function ClockChip(): JSX.Element | null {
    const [, tick] = useState(0);
    useEffect(() => {
        const timer = setInterval(() => tick((n) => n + 1), 1000);
        return () => clearInterval(timer);
    }, []);
    // Its room is kept from the start: what stands beside it must not move.
    if (!clock.value) return BOOK === 'operator' ? <span class="clock unknown"><Icon name="time" size={16} /><span class="figures">00:00:00</span></span> : null;
    const now = bookNow();
    const words = clock.value.mode === 'virtual' ? t('the clock stands still until it is moved')
                                                 : t('the clock runs');
    return (
        <a class={`clock ${clock.value.mode}`} href={urlOf('time')}
            title={`${dayAndTime(now)}: ${words}`}>
            <span class="unseen">{t('Clock')}</span>
            <Icon name="time" size={16} /><span class="figures">{time(now)}</span>
            {clock.value.mode === 'virtual' ? <span class="still">{t('still')}</span> : null}
        </a>
    );
}

function Search(): JSX.Element {
    const value = place.value.query['q'] ?? '';
    function find(text: string): void {
        if (place.value.view === 'payments') put({ q: text || undefined }, true);
        else go('payments', { q: text || undefined });
    }
    return (
        <label class="search">
            <Icon name="search" size={16} />
            <input id="search" type="search" value={value} aria-label={t('Search everything')}
                placeholder={t('Phone, receipt, id, reference')}
                onInput={(event) => find(event.currentTarget.value)} />
            <kbd aria-hidden="true">/</kbd>
        </label>
    );
}

function Bar({ title }: { title: string }): JSX.Element {
    const dark = theme.value === 'dark' ||
        (theme.value === 'auto' && matchMedia('(prefers-color-scheme: dark)').matches);
    return (
        <header class="bar">
            <h1>{title}</h1>
            {BOOK === 'operator' ? <Search /> : null}
            <ClockChip />
            <Button kind="quiet" class="language" label={language.value === 'en' ? 'SW: Kiswahili' : 'EN: English'}
                onPress={() => { language.value = language.value === 'en' ? 'sw' : 'en'; }}>
                {language.value === 'en' ? 'SW' : 'EN'}
            </Button>
            <Button kind="quiet" label={dark ? t('Light') : t('Dark')}
                onPress={() => { theme.value = dark ? 'light' : 'dark'; }}>
                <Icon name={dark ? 'sun' : 'moon'} />
            </Button>
            <Button kind="quiet" class="help" label={t('Keys')} onPress={() => { keysShown.value = true; }}>?</Button>
        </header>
    );
}

// Honest: what is shown may be old, partial or of the past, and then it says so.
function QuietLine(): JSX.Element {
    const worry = worries(readings.value).find((one) => one.bad);
    let words = '';
    if (!connected.value) {
        words = t('No connection: what you see is as it was. Trying again.');
    } else if (sampling.value > 0) {
        words = `${t('Many events')}: ${sampling.value}/s. ${t('What you see is a sample, twice a second.')}`;
    } else if (worry) {
        words = worry.words;
    } else if (missed.value) {
        words = t('Some events went by unseen; the lists are right again.');
    }
    return (
        <div class={`quiet-line ${connected.value ? '' : 'lost'}`} role="status" data-testid="quiet-line">
            {words}
            {words && connected.value && missed.value && sampling.value === 0
                ? <Button kind="quiet" onPress={() => { missed.value = false; return reload(false); }}>{t('Fine')}</Button>
                : null}
        </div>
    );
}

function Keys(): JSX.Element {
    const list: [string, string][] = [['/', t('search everything')], ['j', t('next in the list')],
        ['k', t('the one before')], ['Enter', t('open')], ['Esc', t('close')], ['?', t('these keys')]];
    return (
        <Dialog title={t('Keys')} onClose={() => { keysShown.value = false; }}>
            <dl class="keys">
                {list.map(([key, words]) => <div key={key}><dt><kbd>{key}</kbd></dt><dd>{words}</dd></div>)}
            </dl>
            <p class="fine">Hakika {version.value}, {profile.value}. <a href="/openapi.json">{t('All calls')}</a></p>
        </Dialog>
    );
}

// Away from loopback every call needs the key of whoever runs the program. The first calls are made
// before anything is drawn, so the question stands here and not in a component.
interface KeyWanted { refused: boolean; answer: (key: string | undefined) => void }
const adminKeyWanted = signal<KeyWanted | undefined>(undefined);
onKeyNeeded((refused) => new Promise((resolve) => {
    adminKeyWanted.value = { refused, answer(key) { adminKeyWanted.value = undefined; resolve(key); } };
}));

function KeyQuestion({ refused, answer }: KeyWanted): JSX.Element {
    const [key, setKey] = useState('');
    return (
        <Dialog title={t('Admin key')} onClose={() => answer(undefined)}>
            <form onSubmit={(event) => { event.preventDefault(); answer(key); }}>
                <Field label={t('This program is reached over a network, so it wants its key (HAKIKA_ADMIN_KEY).')}
                    hint={refused ? t('That was not its key.') : undefined}>
                    <input type="password" value={key} autoComplete="off"
                        onInput={(event) => setKey(event.currentTarget.value)} />
                </Field>
                <button class="button main" type="submit">{t('Use it')}</button>
            </form>
        </Dialog>
    );
}

export function App(): JSX.Element {
    useEffect(() => watchMetrics(10_000), []);
    const { view: name, query } = place.value;
    const view = OWN_VIEWS.find((one) => one.name === name) ?? OWN_VIEWS[0]!;
    const View = view.show;
    const open = query['open'];
    useEffect(() => { document.title = `${view.title()} - Hakika`; });
    return (
        <div class={`frame ${open ? 'with-drawer' : ''} ${open && query['wide'] ? 'wide' : ''}`}>
            <Rail current={view.name} />
            <div class="middle">
                <Bar title={view.title()} />
                <QuietLine />
                <main id="main" tabIndex={-1}>{settled.value ? <View /> : null}</main>
            </div>
            {open && BOOK === 'merchant' ? <MerchantStory key={open} id={open} wide={query['wide'] !== undefined} onClose={close} />
                : open ? <Story key={open} id={open} wide={query['wide'] !== undefined} onClose={close} /> : null}
            <div class="notices" role="alert">
                {notice.value ? <p class={notice.value.bad ? 'bad' : ''}>{notice.value.text}</p> : null}
            </div>
            {keysShown.value ? <Keys /> : null}
            {adminKeyWanted.value ? <KeyQuestion {...adminKeyWanted.value} /> : null}
        </div>
    );
}

