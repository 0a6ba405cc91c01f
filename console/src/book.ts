// book.ts - whose page this is: the operator's or the merchant's listener serves it, each with the
// calls of its own book. A view of the other book is a link to the other page.
const meta = (name: string): string =>
    document.querySelector<HTMLMetaElement>(`meta[name="hakika-${name}"]`)?.content ?? '';

export type Book = 'operator' | 'merchant';
export const BOOK: Book = meta('book') === 'merchant' ? 'merchant' : 'operator';
// Where the other book's page is; empty: it does not run here.
export const OTHER = meta('other');
