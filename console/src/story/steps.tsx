// steps.tsx - time travel (R6.7): the steps of a payment, one at a time, each with what it was then.
// The place in time stands in the URL (at=1:45).
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { get } from '../api';
import { time } from '../format';
import { t } from '../i18n';
import type { Delivery, Entry, Step, Transaction } from '../model';
import { place, put } from '../router';
import { Button, Icon } from '../ui';

const number = (position: string): number => Number(position.split(':').at(-1));

// One for each position, in order.
export function stepsOf(it: Transaction): Step[] {
    const byPosition = new Map(it.timeline.map((step) => [step.position, step]));
    return [...byPosition.values()].sort((a, b) => number(a.position) - number(b.position));
}

// The payment at that position; undefined: now, or not known yet.
export function usePast(id: string, at: string | undefined): Transaction | undefined {
    const [past, setPast] = useState<{ at: string; it: Transaction } | undefined>(undefined);
    useEffect(() => {
        let current = true;
        if (at) {
            get<Transaction>(`/transactions/${encodeURIComponent(id)}?at=${encodeURIComponent(at)}`).then(
                (it) => { if (current) setPast({ at, it }); }, () => put({ at: undefined }, true));
        }
        return () => { current = false; };
    }, [id, at]);
    return at && past?.at === at ? past.it : undefined;
}

// What had been sent and booked then: attempts that its time line does not have yet are taken away.
export function asOf(past: Transaction, deliveries: Delivery[], entries: Entry[]): { deliveries: Delivery[]; entries: Entry[] } {
    if (!past.timeline.some((step) => step.event === 'ended')) return { deliveries: [], entries: [] };
    const tried = past.timeline.filter((step) => step.event.startsWith('callback_')).map((step) => step.at);
    const known = deliveries.filter((one) => one.original === null).map((one) => {
        const attempts = one.attempts.filter((attempt) => {
            const found = tried.indexOf(attempt.at);
            if (found >= 0) tried.splice(found, 1);
            return found >= 0;
        });
        const next = one.attempts[attempts.length];
        return next ? { ...one, attempts, state: 'waiting' as const, next_try_at: next.at } : one;
    });
    return { deliveries: known, entries };
}

function wordsOf(step: Step): string {
    switch (step.event) {
        case 'accepted': return t('Accepted');
        case 'prompted': return t('Prompt');
        case 'answered': return t('Answered on the phone');
        case 'ended': return t('Ended');
        case 'callback_delivered': return t('Callback arrived');
        case 'callback_failed': return t('Callback failed');
        default: return step.event.replace(/_/g, ' ');
    }
}

export function Steps({ it }: { it: Transaction }): JSX.Element | null {
    const steps = stepsOf(it);
    const last = steps.length - 1;
    const at = place.value.query['at'];
    const found = at ? steps.findIndex((step) => step.position === at) : last;
    const now = found < 0 ? last : found;
    const step = steps[now];
    if (!step || last === 0) return null;
    const go = (to: number): void => put({ at: to >= last ? undefined : steps[Math.max(0, to)]?.position }, true);
    const words = `${wordsOf(step)}, ${time(step.at)}`;
    return (
        <div class="steps" role="group" aria-label={t('Step by step')} data-testid="steps">
            <Button kind="quiet" label={t('Step back')} disabled={now === 0} onPress={() => go(now - 1)}><Icon name="back" size={18} /></Button>
            <input type="range" min={0} max={last} value={now} aria-label={t('Step by step')} aria-valuetext={words}
                onInput={(event) => go(Number(event.currentTarget.value))} />
            <Button kind="quiet" label={t('Step on')} disabled={now === last} onPress={() => go(now + 1)}><Icon name="next" size={18} /></Button>
            <span class="fine figures" data-testid="step-words">{now + 1}/{last + 1} · {words}</span>
        </div>
    );
}

// Honest: the past says that it is.
export function PastLine({ at, past }: { at: string; past: Transaction | undefined }): JSX.Element {
    return (
        <p class="past" role="status">{t('As it was at position')} <code>{at}</code>{past ? '' : ' ...'}
            <Button kind="quiet" testid="to-now" onPress={() => put({ at: undefined }, true)}>{t('Back to now')}</Button></p>
    );
}
