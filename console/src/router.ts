// router.ts - the URL names what is on the screen: #/payments?open=txn_12&state=FAILED. Views read
// and change it here; a changed URL is all that is needed to show something else.
import { computed, signal } from '@preact/signals';

export interface Place { view: string; query: Record<string, string> }

function parse(hash: string): Place {
    const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?');
    return { view: path || 'phones', query: Object.fromEntries(new URLSearchParams(query)) };
}

const hash = signal(location.hash);
window.addEventListener('hashchange', () => { hash.value = location.hash; });

export const place = computed(() => parse(hash.value));

export function urlOf(view: string, query: Record<string, string | undefined> = {}): string {
    const kept = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) {
        if (value) kept.set(name, value);
    }
    const text = kept.toString();
    return `#/${view}${text ? `?${text}` : ''}`;
}

// The address changes at once, its hashchange event comes a moment later: a key pressed in between
// must already meet the new place.
function move(url: string): void {
    location.hash = url;
    hash.value = url;
}

// Shows another view; what is open beside it stays open.
export function go(view: string, query: Record<string, string | undefined> = {}): void {
    const { open, wide } = place.value.query;
    move(urlOf(view, { open, wide, ...query }));
}

// Changes some of the query; undefined takes a member away. `quietly` leaves no step to go back to
// (typing in a search box is no step).
export function put(changes: Record<string, string | undefined>, quietly = false): void {
    const url = urlOf(place.value.view, { ...place.value.query, ...changes });
    if (quietly) {
        history.replaceState(null, '', url);
        hash.value = url;
    } else {
        move(url);
    }
}

export const open = (id: string): void => put({ open: id, at: undefined });
export const close = (): void => put({ open: undefined, wide: undefined, at: undefined });
