// pad.tsx - the keys of a PIN: big ones to touch or click, and the keyboard while they have focus.
import type { JSX } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { t } from '../i18n';

const KEYS = ['1', '2', '3', '4', '5', '6', '7', '8', '9', '', '0', '<'];

export function Pad(p: { onDigit: (digit: string) => void; onErase: () => void; onEnter: () => void }): JSX.Element {
    const box = useRef<HTMLDivElement>(null);
    // Before the prompt is painted, so that the first key that follows it is not lost.
    useLayoutEffect(() => {
        // Whoever types at this moment is not interrupted.
        const busy = document.activeElement instanceof HTMLInputElement ||
            document.activeElement instanceof HTMLTextAreaElement;
        if (!busy) box.current?.focus({ preventScroll: true });
    }, []);
    function key(event: KeyboardEvent): void {
        if (/^\d$/.test(event.key)) p.onDigit(event.key);
        else if (event.key === 'Backspace') p.onErase();
        else if (event.key === 'Enter' && event.target === box.current) p.onEnter();
        else return;
        event.preventDefault();
        event.stopPropagation();
    }
    return (
        <div class="pad" ref={box} tabIndex={0} role="group" aria-label={t('PIN keys')} onKeyDown={key}>
            {KEYS.map((name) => (name === '' ? <span key="gap" /> : (
                <button key={name} type="button" class={name === '<' ? 'erase' : ''}
                    aria-label={name === '<' ? t('Erase') : name}
                    onClick={() => (name === '<' ? p.onErase() : p.onDigit(name))}>
                    {name === '<' ? '⌫' : name}
                </button>
            )))}
        </div>
    );
}
