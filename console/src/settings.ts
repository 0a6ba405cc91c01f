// settings.ts - what the person at the page has chosen: language and theme. Kept in the browser.
import { effect, signal } from '@preact/signals';

export type Language = 'en' | 'sw';
export type Theme = 'auto' | 'light' | 'dark';

function kept(name: string): string | null {
    try {
        return localStorage.getItem(`hakika.${name}`);
    } catch {
        return null; // a browser that keeps nothing
    }
}

function keep(name: string, value: string): void {
    try {
        localStorage.setItem(`hakika.${name}`, value);
    } catch {
        // then it is forgotten
    }
}

export const language = signal<Language>(kept('language') === 'sw' ? 'sw' : 'en');
const stored = kept('theme');
export const theme = signal<Theme>(stored === 'light' || stored === 'dark' ? stored : 'auto');
// The first steps were taken, or waved away.
export const greeted = signal(kept('greeted') === 'yes');

effect(() => {
    document.documentElement.lang = language.value;
    keep('language', language.value);
});
effect(() => {
    if (theme.value === 'auto') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = theme.value;
    keep('theme', theme.value);
});
effect(() => keep('greeted', greeted.value ? 'yes' : 'no'));
