// phone.tsx - one phone: what its owner sees and can do. Nothing is optimistic: a tap shows its
// effect when the book has it. Whether it is off or merely without network is how the page draws it;
// the network sees the same: it cannot be reached.
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { post, patch } from '../api';
import { money, phone as phoneText, time } from '../format';
import { t } from '../i18n';
import type { Prompt, Subscriber } from '../model';
import { bookNow, prompts } from '../store';
import { attempt, Button, Icon } from '../ui';
import { Inbox, useMessages } from './inbox';
import { Pad } from './pad';
import { PayForm } from './pay';

type Screen = 'home' | 'inbox' | 'pay';

export function initials(person: Subscriber): string {
    const words = person.name.trim().split(/\s+/).filter(Boolean);
    if (words.length === 0) return person.msisdn.slice(-2);
    return words.slice(0, 2).map((word) => word[0]!.toUpperCase()).join('');
}

// One of eight quiet colours, always the same for the same number.
export const tone = (number: string): string => `tone-${[...number].reduce((sum, digit) => sum * 7 + Number(digit), 0) % 8}`;

function StatusBar({ noNetwork }: { noNetwork: boolean }): JSX.Element {
    const [, tick] = useState(0);
    useEffect(() => {
        const timer = setInterval(() => tick((n) => n + 1), 5000);
        return () => clearInterval(timer);
    }, []);
    return (
        <div class="status-bar">
            <span class="figures">{time(bookNow(), false)}</span>
            <span class="notch" />
            <span class="status-icons">
                {noNetwork ? <span class="no-network">{t('No network')}</span> : <Icon name="signal" size={14} />}
                <svg width="20" height="10" viewBox="0 0 20 10" aria-hidden="true">
                    <rect x=".5" y=".5" width="16" height="9" rx="2.5" fill="none" stroke="currentColor" />
                    <rect x="2" y="2" width="11" height="6" rx="1" fill="currentColor" />
                    <rect x="17.5" y="3" width="2" height="4" rx="1" fill="currentColor" />
                </svg>
            </span>
        </div>
    );
}

// The prompt lies over whatever is on the screen.
function PromptCard({ prompt, person }: { prompt: Prompt; person: Subscriber }): JSX.Element {
    const [pin, setPin] = useState('');
    const [sent, setSent] = useState(false);
    const path = `/prompts/${prompt.checkout_request_id}`;
    async function answer(what: 'approve' | 'cancel'): Promise<void> {
        setSent(true);
        const good = await attempt(() => post(`${path}/${what}`, what === 'approve' ? { pin } : {}));
        if (!good) setSent(false);
        setPin('');
    }
    return (
        <div class="prompt" role="dialog" aria-label={t('Payment request')} data-testid="prompt">
            <p class="prompt-text">{prompt.text}</p>
            <div class="dots" role="img" aria-label={`${pin.length} ${t('of 4 digits')}`}>
                {[0, 1, 2, 3].map((i) => <span key={i} class={i < pin.length ? 'full' : ''} />)}
            </div>
            <p class="prompt-hint">
                {person.pin_attempts_left < 3
                    ? `${t('Enter PIN')}. ${person.pin_attempts_left} ${t('attempts left')}`
                    : t('Enter PIN')}
            </p>
            <Pad onDigit={(digit) => setPin((now) => (now + digit).slice(0, 4))}
                onErase={() => setPin((now) => now.slice(0, -1))}
                onEnter={() => { if (pin.length === 4) void answer('approve'); }} />
            <div class="prompt-buttons">
                <Button onPress={() => answer('cancel')} disabled={sent} testid="cancel">{t('Cancel')}</Button>
                <Button kind="main" onPress={() => answer('approve')} disabled={pin.length < 4 || sent}
                    testid="send">{t('Send')}</Button>
            </div>
        </div>
    );
}

function Home({ person, show, unread }: {
    person: Subscriber; show: (screen: Screen) => void; unread: number;
}): JSX.Element {
    return (
        <div class="home">
            <div class={`wallet ${tone(person.msisdn)}`}>
                <small>{t('Balance')}</small>
                <strong class="figures" data-testid="balance">{money(person.balance)}</strong>
                <span>{person.name || t('No name')}</span>
                <span class="figures">{phoneText(person.msisdn)}</span>
                {person.status !== 'active'
                    ? <em>{person.status === 'pin_locked' ? t('PIN locked') : t('Suspended')}</em> : null}
            </div>
            <div class="apps">
                <button type="button" onClick={() => show('inbox')}>
                    <span class="app-icon messages"><Icon name="message" size={26} />
                        {unread > 0 ? <b>{unread}</b> : null}</span>
                    {t('Messages')}
                </button>
                <button type="button" onClick={() => show('pay')}>
                    <span class="app-icon pay"><Icon name="send" size={26} /></span>{t('Pay')}
                </button>
            </div>
        </div>
    );
}

export function Phone({ person, onRemove }: { person: Subscriber; onRemove?: () => void }): JSX.Element {
    const [screen, setScreen] = useState<Screen>('home');
    const [dark, setDark] = useState(true); // how an unreachable phone is drawn: off, or no network
    const messages = useMessages(person.msisdn);
    const [seen, setSeen] = useState<number | undefined>(undefined);
    const prompt = prompts.value[person.msisdn]?.[0];
    const off = !person.reachable && dark;
    useEffect(() => {
        if (messages && (seen === undefined || screen === 'inbox')) setSeen(messages.length);
    }, [messages, screen]);
    const unread = messages && seen !== undefined ? Math.max(0, messages.length - seen) : 0;
    const reach = (reachable: boolean, asOff: boolean): Promise<boolean> => {
        setDark(asOff);
        return attempt(() => patch(`/subscribers/${person.msisdn}`, { reachable }));
    };
    const name = person.name || phoneText(person.msisdn);
    return (
        <section class="phone-place" aria-label={`${t('Phone of')} ${name}`} data-testid={`phone-${person.msisdn}`}>
            <div class={`phone ${off ? 'off' : ''} ${prompt && !off ? 'asks' : ''}`}>
                <span class="side-button" aria-hidden="true" />
                <div class="screen">
                    {off ? <div class="dark-screen"><Icon name="power" size={30} /><span>{t('Switched off')}</span></div> : (
                        <>
                            <StatusBar noNetwork={!person.reachable} />
                            <div class="app" inert={prompt !== undefined}>
                                {screen === 'home' ? <Home person={person} show={setScreen} unread={unread} /> : null}
                                {screen === 'inbox' ? <Inbox messages={messages ?? []} onBack={() => setScreen('home')} /> : null}
                                {screen === 'pay' ? <PayForm person={person} onBack={() => setScreen('home')} /> : null}
                            </div>
                            {prompt ? <PromptCard key={prompt.checkout_request_id} prompt={prompt} person={person} /> : null}
                            <span class="home-bar" aria-hidden="true" />
                        </>
                    )}
                </div>
            </div>
            <div class="phone-tools">
                <strong>{name}</strong>
                <div class="row">
                    <Button kind={off ? 'main' : 'plain'} onPress={() => reach(!person.reachable && dark, true)}
                        testid="power"><Icon name="power" size={16} />{off ? t('Switch on') : t('Switch off')}</Button>
                    <Button pressed={!person.reachable && !dark} testid="network"
                        onPress={() => reach(!person.reachable && !dark, false)}>
                        <Icon name="signal" size={16} />{!person.reachable && !dark ? t('Back in reach') : t('No network')}</Button>
                    {onRemove ? <Button kind="quiet" label={t('Put this phone away')} onPress={onRemove}><Icon name="cross" size={16} /></Button> : null}
                </div>
            </div>
        </section>
    );
}
