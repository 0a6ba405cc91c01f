// ui.tsx - the small parts that every view is made of.
import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { signal } from '@preact/signals';
import { Refusal } from './api';
import { t } from './i18n';
import { dayAndTime, money, time } from './format';
import type { Status } from './model';

// ---- icons: drawn here, one stroke width ----

const PATHS: Record<string, string> = {
    phones: 'M8 2h8a2 2 0 0 1 2 2v16a2 2 0 0 1-2 2H8a2 2 0 0 1-2-2V4a2 2 0 0 1 2-2ZM11 18.5h2',
    payments: 'M4 7h13M13 3l4 4-4 4M20 17H7M11 13l-4 4 4 4',
    try: 'M7 4l12 8-12 8V4Z',
    rules: 'M4 6h10M18 6h2M4 12h2M10 12h10M4 18h8M16 18h4M16 4v4M8 10v4M14 16v4',
    time: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18ZM12 7v5l3.5 2',
    merchant: 'M4 9l1.5-5h13L20 9M4 9v11h16V9M4 9a2.7 2.7 0 0 0 5.3 0 2.7 2.7 0 0 0 5.4 0A2.7 2.7 0 0 0 20 9M10 20v-5h4v5',
    health: 'M3 12h4l2.5-7 5 14 2.5-7h4',
    check: 'M5 12.5l4.5 4.5L19 7.5',
    cross: 'M6 6l12 12M18 6L6 18',
    dash: 'M6 12h12',
    wait: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18ZM12 8v4l2.5 2',
    more: 'M6 12h.01M12 12h.01M18 12h.01',
    copy: 'M9 9h11v11H9zM5 15H4V4h11v1',
    search: 'M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14ZM16 16l5 5',
    wide: 'M4 9V4h5M20 15v5h-5M4 4l6 6M20 20l-6-6',
    power: 'M12 3v8M6.5 6.5a8 8 0 1 0 11 0',
    signal: 'M4 20v-3M9 20v-7M14 20V9M19 20V5',
    sun: 'M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8ZM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.5 1.5M17.5 17.5L19 19M5 19l1.5-1.5M17.5 6.5L19 5',
    moon: 'M20 14.5A8 8 0 0 1 9.5 4 8 8 0 1 0 20 14.5Z',
    plus: 'M12 5v14M5 12h14',
    back: 'M15 5l-7 7 7 7',
    next: 'M9 5l7 7-7 7',
    message: 'M4 5h16v11H9l-5 4V5Z',
    send: 'M4 12l16-8-6 16-3-7-7-1Z',
    file: 'M6 3h8l5 5v13H6ZM14 3v5h5',
    download: 'M12 4v11M7.5 11l4.5 4.5L16.5 11M5 20h14',
    bolt: 'M13 2L5 14h6l-1 8 8-12h-6l1-8Z',
};

export function Icon({ name, size = 20 }: { name: string; size?: number }): JSX.Element {
    return (
        <svg class="icon" width={size} height={size} viewBox="0 0 24 24" fill="none"
            stroke="currentColor" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round"
            aria-hidden="true">
            <path d={PATHS[name] ?? ''} />
        </svg>
    );
}

export function Mark({ size = 28 }: { size?: number }): JSX.Element {
    return (
        <svg width={size} height={size} viewBox="0 0 32 32" role="img" aria-label="Hakika">
            <rect width="32" height="32" rx="9" class="mark-ground" />
            <path d="M9 8v16M23 8v16M9 16l5 4 9-9" fill="none" stroke="#fff" stroke-width="3"
                stroke-linecap="round" stroke-linejoin="round" />
        </svg>
    );
}

// ---- short notices ----

export interface Notice { text: string; bad: boolean }
export const notice = signal<Notice | undefined>(undefined);
let noticeTimer: ReturnType<typeof setTimeout> | undefined;

export function tell(text: string, bad = false): void {
    notice.value = { text, bad };
    clearTimeout(noticeTimer);
    noticeTimer = setTimeout(() => { notice.value = undefined; }, bad ? 8000 : 3500);
}

// Runs what a button does; what the program refuses is shown in its own words.
export async function attempt(act: () => Promise<unknown>): Promise<boolean> {
    try {
        await act();
        return true;
    } catch (error) {
        tell(error instanceof Refusal ? error.message
                                      : t('There was no answer. Nothing is known to have happened.'), true);
        return false;
    }
}

// ---- buttons ----

interface ButtonProps {
    children: ComponentChildren; onPress: () => unknown; kind?: 'main' | 'plain' | 'quiet' | 'danger';
    label?: string; disabled?: boolean; pressed?: boolean; class?: string; testid?: string;
}

export function Button(p: ButtonProps): JSX.Element {
    const [busy, setBusy] = useState(false);
    async function press(): Promise<void> {
        const result = p.onPress();
        if (result instanceof Promise) {
            setBusy(true);
            await result.finally(() => setBusy(false));
        }
    }
    return (
        <button type="button" class={`button ${p.kind ?? 'plain'} ${p.class ?? ''}`}
            aria-label={p.label} title={p.label} disabled={p.disabled || busy}
            aria-pressed={p.pressed} data-testid={p.testid} onClick={() => void press()}>
            {p.children}
        </button>
    );
}

// A button that opens a file of this machine.
export function FileButton(p: { children: ComponentChildren; accept: string; onFile: (file: File) => Promise<unknown>; testid?: string }): JSX.Element {
    const [busy, setBusy] = useState(false);
    async function take(input: HTMLInputElement): Promise<void> {
        const file = input.files?.[0];
        if (!file) return;
        setBusy(true);
        await p.onFile(file).finally(() => setBusy(false));
        input.value = ''; // so that the same file can be opened again
    }
    return (
        <label class={`button plain file ${busy ? 'busy' : ''}`}>
            <input type="file" accept={p.accept} disabled={busy} data-testid={p.testid} onChange={(event) => void take(event.currentTarget)} />
            {p.children}
        </label>
    );
}

export async function copy(text: string): Promise<void> {
    try {
        await navigator.clipboard.writeText(text);
        tell(t('Copied'));
    } catch {
        tell(t('This browser does not let the page copy. Select the text instead.'), true);
    }
}

export function CopyButton({ text, what }: { text: string; what: string }): JSX.Element {
    return (
        <Button kind="quiet" class="copy" label={`${t('Copy')}: ${what}`} onPress={() => copy(text)}>
            <Icon name="copy" size={16} />
        </Button>
    );
}

// ---- values ----

const SHAPES: Record<Status, string> = { PENDING: 'more', PROCESSING: 'wait', SUCCESS: 'check',
                                         FAILED: 'cross', CANCELLED: 'dash' };

export function statusWord(status: Status): string {
    const words: Record<Status, string> = { PENDING: t('Pending'), PROCESSING: t('Processing'),
        SUCCESS: t('Paid'), FAILED: t('Failed'), CANCELLED: t('Cancelled') };
    return words[status];
}

export function StatusChip({ status, word }: { status: Status; word?: string }): JSX.Element {
    return (
        <span class={`chip ${status.toLowerCase()}`}>
            <Icon name={SHAPES[status]} size={14} />{word ?? statusWord(status)}
        </span>
    );
}

export function Money({ cents }: { cents: number }): JSX.Element {
    return <span class="money">{money(cents)}</span>;
}

export function When({ iso, full = false }: { iso: string; full?: boolean }): JSX.Element {
    return <time dateTime={iso} title={`${iso} (UTC)`}>{full ? dayAndTime(iso) : time(iso)}</time>;
}

// Something with a copy button: ids, bodies.
export function Wire({ text, what, lines }: { text: string; what: string; lines?: boolean }): JSX.Element {
    return lines ? (
        <div class="wire-block">
            <pre tabIndex={0} aria-label={what}>{text}</pre>
            <CopyButton text={text} what={what} />
        </div>
    ) : (
        <span class="wire"><code>{text}</code><CopyButton text={text} what={what} /></span>
    );
}

export function Empty({ title, children }: { title: string; children?: ComponentChildren }): JSX.Element {
    return <div class="empty"><h2>{title}</h2>{children}</div>;
}

export function Field(p: { label: string; children: ComponentChildren; hint?: string }): JSX.Element {
    return (
        <label class="field">
            <span>{p.label}</span>
            {p.children}
            {p.hint ? <small>{p.hint}</small> : null}
        </label>
    );
}

// A button that asks once more before it does something that cannot be taken back.
export function Twice(p: { children: ComponentChildren; sure: string; onPress: () => unknown }): JSX.Element {
    const [asked, setAsked] = useState(false);
    useEffect(() => {
        if (!asked) return undefined;
        const timer = setTimeout(() => setAsked(false), 8000);
        return () => clearTimeout(timer);
    }, [asked]);
    return (
        <Button kind={asked ? 'danger' : 'plain'} onPress={() => {
            if (!asked) { setAsked(true); return undefined; }
            setAsked(false);
            return p.onPress();
        }}>{asked ? p.sure : p.children}</Button>
    );
}

// ---- dialogs ----

export function Dialog(p: { title: string; onClose: () => void; children: ComponentChildren }): JSX.Element {
    const box = useRef<HTMLDialogElement>(null);
    useEffect(() => {
        const dialog = box.current;
        dialog?.showModal();
        return () => dialog?.close();
    }, []);
    return (
        <dialog ref={box} class="dialog" aria-label={p.title} onCancel={(event) => {
            event.preventDefault();
            p.onClose();
        }}>
            <header>
                <h2>{p.title}</h2>
                <Button kind="quiet" label={t('Close')} onPress={p.onClose}><Icon name="cross" /></Button>
            </header>
            {p.children}
        </dialog>
    );
}

// Width of an element, followed.
export function useWidth(): [{ current: HTMLDivElement | null }, number] {
    const box = useRef<HTMLDivElement>(null);
    const [width, setWidth] = useState(480);
    useEffect(() => {
        if (!box.current) return undefined;
        const watcher = new ResizeObserver((entries) => {
            const seen = entries[0]?.contentRect.width;
            if (seen) setWidth(Math.round(seen));
        });
        watcher.observe(box.current);
        return () => watcher.disconnect();
    }, []);
    return [box, width];
}
