// phones.tsx - the phone book, and phones side by side.
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { post } from '../api';
import { FirstRun, greets } from '../first';
import { cents, money, msisdn, phone as phoneText } from '../format';
import { t } from '../i18n';
import { initials, Phone, tone } from '../phone/phone';
import { place, put } from '../router';
import { loaded, people, person, rows, watch } from '../store';
import type { Subscriber } from '../model';
import { attempt, Button, Dialog, Field, Icon, Money } from '../ui';

const SIDE_BY_SIDE = 4;

// Those of the URL; otherwise those of the newest payments, so that a prompt is seen wherever it opens.
function chosen(): string[] {
    const named = (place.value.query['phones'] ?? '').split(',').filter(Boolean);
    if (named.length > 0) return named;
    const busy = rows.value.map((row) => row.phone).filter((number) => person(number) !== undefined);
    return [...new Set([...busy, ...people.value.map((one) => one.msisdn)])].slice(0, 2);
}

function choose(numbers: string[]): void {
    put({ phones: numbers.slice(0, SIDE_BY_SIDE).join(',') || undefined });
}

function AddPhone({ onClose }: { onClose: () => void }): JSX.Element {
    const [number, setNumber] = useState('');
    const [name, setName] = useState('');
    const [balance, setBalance] = useState('1,000');
    const [pin, setPin] = useState('1234');
    const full = msisdn(number);
    const amount = cents(balance);
    const ready = full !== undefined && amount !== undefined && /^\d{4}$/.test(pin);
    async function add(): Promise<void> {
        const good = await attempt(() => post('/subscribers', { msisdn: full, name, pin, balance: amount }));
        if (!good || !full) return;
        choose([full, ...chosen().filter((one) => one !== full)]);
        onClose();
    }
    return (
        <Dialog title={t('Add a phone')} onClose={onClose}>
            <form onSubmit={(event) => { event.preventDefault(); if (ready) void add(); }}>
                <Field label={t('Phone number')} hint={t('Like 0712 345 678')}>
                    <input value={number} inputMode="tel" autoFocus name="number" autoComplete="off"
                        onInput={(event) => setNumber(event.currentTarget.value)} />
                </Field>
                <Field label={t('Name')}>
                    <input value={name} maxLength={60} name="name" autoComplete="off"
                        onInput={(event) => setName(event.currentTarget.value)} />
                </Field>
                <Field label={t('Money in the wallet, KSh')}>
                    <input value={balance} inputMode="decimal" name="balance" autoComplete="off"
                        onInput={(event) => setBalance(event.currentTarget.value)} />
                </Field>
                <Field label={t('PIN, 4 digits')}>
                    <input value={pin} inputMode="numeric" maxLength={4} name="pin" autoComplete="off"
                        onInput={(event) => setPin(event.currentTarget.value)} />
                </Field>
                <button class="button main" type="submit" disabled={!ready}>{t('Add')}</button>
            </form>
        </Dialog>
    );
}

function BookEntry({ person, shown }: { person: Subscriber; shown: boolean }): JSX.Element {
    const asked = rows.value.some((row) => row.phone === person.msisdn && row.status === 'PROCESSING');
    const toggle = (): void => {
        const now = chosen();
        choose(shown ? now.filter((one) => one !== person.msisdn)
                     : [...now.slice(-(SIDE_BY_SIDE - 1)), person.msisdn]);
    };
    return (
        <li>
            <button type="button" data-item class="book-entry" aria-pressed={shown} onClick={toggle}>
                <span class={`avatar ${tone(person.msisdn)}`} aria-hidden="true">{initials(person)}</span>
                <span class="who">
                    <strong>{person.name || phoneText(person.msisdn)}</strong>
                    <small class="figures">{person.name ? phoneText(person.msisdn) : t('No name')}
                        {person.reachable ? '' : ` · ${t('off')}`}</small>
                </span>
                <span class="has">{asked ? <span class="asked">{t('asked')}</span> : null}<Money cents={person.balance} /></span>
            </button>
        </li>
    );
}

export function Phones(): JSX.Element {
    const [adding, setAdding] = useState(false);
    const numbers = chosen();
    const key = numbers.join(',');
    useEffect(() => { void watch(key.split(',').filter(Boolean)); }, [key]);
    const shown = numbers.map((number) => people.value.find((one) => one.msisdn === number))
        .filter((one): one is Subscriber => one !== undefined);
    const total = people.value.reduce((sum, one) => sum + one.balance, 0);
    return (
        <div class="phones-view">
            <aside class="book" aria-label={t('Phone book')}>
                <header>
                    <h2>{t('Phone book')}</h2>
                    <Button kind="main" label={t('Add a phone')} testid="add-phone" onPress={() => setAdding(true)}>
                        <Icon name="plus" size={16} />{t('Add')}</Button>
                </header>
                <ul>{people.value.map((one) => <BookEntry key={one.msisdn} person={one} shown={numbers.includes(one.msisdn)} />)}</ul>
                {loaded.value && people.value.length > 1
                    ? <p class="fine">{people.value.length} {t('phones hold')} {money(total)}{people.value.length === 100 ? `. ${t('The newest 100 are shown.')}` : ''}</p> : null}
            </aside>
            <div class={`table ${greets() ? 'greeting' : ''}`}>
                <FirstRun />
                <div class="phones">
                    {shown.map((one) => <Phone key={one.msisdn} person={one}
                        onRemove={shown.length > 1 ? () => choose(numbers.filter((number) => number !== one.msisdn)) : undefined} />)}
                </div>
            </div>
            {adding ? <AddPhone onClose={() => setAdding(false)} /> : null}
        </div>
    );
}
