// views.tsx - the table of views. To add one: write views/<name>.tsx and give it a line here. Its
// name is the first part of the URL, and its line the order in the rail.
import type { FunctionComponent } from 'preact';
import { BOOK, OTHER, type Book } from './book';
import { t } from './i18n';
import { Health } from './views/health';
import { Merchant } from './views/merchant';
import { Payments } from './views/payments';
import { Phones } from './views/phones';
import { Rules } from './views/rules';
import { Time } from './views/time';
import { Try } from './views/try';

export interface View {
    name: string; icon: string; title: () => string; show: FunctionComponent; book: Book | 'both';
}

const ALL: View[] = [
    { name: 'phones', icon: 'phones', title: () => t('Phones'), show: Phones, book: 'operator' },
    { name: 'payments', icon: 'payments', title: () => t('Payments'), show: Payments, book: 'operator' },
    { name: 'try', icon: 'try', title: () => t('Try it'), show: Try, book: 'operator' },
    { name: 'rules', icon: 'rules', title: () => t('Rules'), show: Rules, book: 'operator' },
    { name: 'time', icon: 'time', title: () => t('Time'), show: Time, book: 'operator' },
    { name: 'merchant', icon: 'merchant', title: () => t('Merchant'), show: Merchant, book: 'merchant' },
    { name: 'health', icon: 'health', title: () => t('Health'), show: Health, book: 'both' },
];

// What the rail offers; those that this page can show.
export const isOwn = (view: View): boolean => view.book === BOOK || view.book === 'both';
export const VIEWS = ALL.filter((view) => isOwn(view) || OTHER !== '');
export const OWN_VIEWS = VIEWS.filter(isOwn);
