// pay.tsx - paying from the phone without being asked (C2B): number, account, amount, PIN.
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { post } from '../api';
import { cents } from '../format';
import { t } from '../i18n';
import type { Subscriber } from '../model';
import { attempt, Button, Icon, tell } from '../ui';

export function PayForm({ person, onBack }: { person: Subscriber; onBack: () => void }): JSX.Element {
    const [code, setCode] = useState('600000');
    const [reference, setReference] = useState('');
    const [amount, setAmount] = useState('');
    const [pin, setPin] = useState('');
    const value = cents(amount);
    const ready = /^\d{5,7}$/.test(code) && value !== undefined && value > 0 && /^\d{4}$/.test(pin);
    async function pay(): Promise<void> {
        const good = await attempt(() => post(`/subscribers/${person.msisdn}/pay`, {
            short_code: Number(code), amount: value, reference, pin }));
        setPin('');
        if (good) {
            tell(t('Sent. The message tells how it ended.'));
            onBack();
        }
    }
    const field = (label: string, text: string, set: (text: string) => void, letters = false): JSX.Element => (
        <label><span>{label}</span>
            <input inputMode={letters ? 'text' : 'decimal'} value={text} maxLength={20} autoComplete="off"
                onInput={(event) => set(event.currentTarget.value)} /></label>
    );
    return (
        <form class="pay-form" onSubmit={(event) => { event.preventDefault(); if (ready) void pay(); }}>
            <header>
                <Button kind="quiet" label={t('Back')} onPress={onBack}><Icon name="back" /></Button>
                <h3>{t('Pay')}</h3>
            </header>
            {field(t('Paybill or till'), code, setCode)}
            {field(t('Account'), reference, setReference, true)}
            {field(t('Amount'), amount, setAmount)}
            <label><span>{t('PIN')}</span>
                <input type="password" inputMode="numeric" value={pin} maxLength={4} autoComplete="off"
                    onInput={(event) => setPin(event.currentTarget.value)} /></label>
            <button class="button main" type="submit" disabled={!ready}>{t('Pay')}</button>
        </form>
    );
}
