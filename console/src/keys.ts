// keys.ts - the keyboard: / searches, j and k move, Enter opens, Esc closes, ? lists the keys, and g
// with the first letter of a view goes there. Typing into a field is never taken for a command.
import { signal } from '@preact/signals';
import { close, place } from './router';

export const keysShown = signal(false);

function isTyping(target: EventTarget | null): boolean {
    return target instanceof HTMLElement &&
        (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

// j and k walk over what a view marks with data-item; Enter is the item's own.
function move(by: number): void {
    const items = [...document.querySelectorAll<HTMLElement>('[data-item]')];
    if (items.length === 0) return;
    const at = items.findIndex((item) => item === document.activeElement);
    const next = at < 0 ? (by > 0 ? 0 : items.length - 1)
                        : Math.min(items.length - 1, Math.max(0, at + by));
    items[next]?.focus();
    items[next]?.scrollIntoView({ block: 'nearest' });
}

export function listen(): void {
    document.addEventListener('keydown', (event) => {
        if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
        if (event.key === 'Escape') {
            if (isTyping(event.target)) (event.target as HTMLElement).blur();
            else if (keysShown.value) keysShown.value = false;
            else if (place.value.query['open']) close();
            return;
        }
        if (isTyping(event.target) || document.querySelector('dialog[open]')) return;
        if (event.key === '/') document.getElementById('search')?.focus();
        else if (event.key === 'j') move(1);
        else if (event.key === 'k') move(-1);
        else if (event.key === '?') keysShown.value = true;
        else return;
        event.preventDefault();
    });
}
