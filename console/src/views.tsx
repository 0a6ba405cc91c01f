// views.tsx - the table of views. To add one: write views/<name>.tsx and give it a line here. Its
// name is the first part of the URL, and its line the order in the rail.
import type { FunctionComponent } from 'preact';
import { t } from './i18n';
import { Payments } from './views/payments';
import { Phones } from './views/phones';

export interface View {
    name: string; icon: string; title: () => string; show: FunctionComponent;
    when?: () => boolean; // absent: always
}

export const VIEWS: View[] = [
    { name: 'phones', icon: 'phones', title: () => t('Phones'), show: Phones },
    { name: 'payments', icon: 'payments', title: () => t('Payments'), show: Payments },
];
