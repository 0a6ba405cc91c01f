// inbox.tsx - the messages of a phone. The network's own SMS where it keeps them; until then each
// payment's outcome, as the owner of the phone would be told it.
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { get, offers, type List } from '../api';
import { day, money, time } from '../format';
import { t } from '../i18n';
import type { Row } from '../model';
import { changes, organisations, rows } from '../store';
import { Button, Icon } from '../ui';

export interface Message { id: string; at: string; text: string; good: boolean; open?: string }

const nameOf = (shortCode: string): string =>
    organisations.value.find((one) => String(one.short_code) === shortCode)?.name || shortCode;

function outcome(row: Row): Message | undefined {
    const to = nameOf(row.shortCode);
    const amount = money(row.amount);
    const base = { id: row.id, at: row.at, open: row.id };
    const paid = row.type === 'stk_push' || row.type === 'c2b';
    if (row.status === 'SUCCESS') {
        const text = paid
            ? `${row.receipt ?? ''} ${t('Confirmed.')} ${amount} ${t('paid to')} ${to}${row.reference ? ` ${t('for account')} ${row.reference}` : ''}.`
            : `${row.receipt ?? ''} ${t('Confirmed.')} ${t('You have received')} ${amount} ${t('from')} ${to}.`;
        return { ...base, text, good: true };
    }
    if (!paid || row.status === 'PENDING' || row.status === 'PROCESSING') return undefined;
    const text = `${t('Not paid')}: ${amount} ${t('to')} ${to}. ${t('Result')} ${row.code ?? '?'}.`;
    return { ...base, text, good: false };
}

const derived = (number: string): Message[] =>
    rows.value.filter((row) => row.phone === number).map(outcome)
        .filter((one): one is Message => one !== undefined);

interface Sms { id: string; at: string; text: string; receipt: string | null }

export function useMessages(number: string): Message[] | undefined {
    const [kept, setKept] = useState<Message[] | undefined>(undefined);
    const change = changes.value;
    useEffect(() => {
        let current = true;
        void offers('/sim/v1/subscribers/{msisdn}/messages').then(async (has) => {
            if (!has) return;
            const list = await get<List<Sms>>(`/subscribers/${number}/messages`);
            if (!current) return;
            setKept(list.data.map((one) => ({ id: one.id, at: one.at, text: one.text, good: true,
                                              open: one.receipt ?? undefined })));
        }).catch(() => undefined);
        return () => { current = false; };
    }, [number, change]);
    return kept ?? derived(number);
}

export function Inbox({ messages, onBack }: { messages: Message[]; onBack: () => void }): JSX.Element {
    return (
        <div class="inbox">
            <header>
                <Button kind="quiet" label={t('Back')} onPress={onBack}><Icon name="back" /></Button>
                <h3>{t('Messages')}</h3>
            </header>
            {messages.length === 0 ? <p class="fine">{t('No messages. A payment to or from this phone ends in one.')}</p> : null}
            <ol>
                {messages.map((one) => (
                    <li key={one.id} class={one.good ? '' : 'bad'} data-testid="message">
                        <p>{one.text}</p>
                        <small class="figures">{day(one.at)}, {time(one.at, false)}</small>
                    </li>
                ))}
            </ol>
        </div>
    );
}
