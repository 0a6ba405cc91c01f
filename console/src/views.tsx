// views.tsx - the table of views. To add one: write views/<name>.tsx and give it a line here. Its
// name is the first part of the URL, and its line the order in the rail.
import type { FunctionComponent } from 'preact';
import { t } from './i18n';
import { Health } from './views/health';
import { Payments } from './views/payments';
import { Phones } from './views/phones';
import { Rules } from './views/rules';
import { Time } from './views/time';
import { Try } from './views/try';

export interface View {
    name: string; icon: string; title: () => string; show: FunctionComponent;
    when?: () => boolean; // absent: always
}

export const VIEWS: View[] = [
    { name: 'phones', icon: 'phones', title: () => t('Phones'), show: Phones },
    { name: 'payments', icon: 'payments', title: () => t('Payments'), show: Payments },
    { name: 'try', icon: 'try', title: () => t('Try it'), show: Try },
    { name: 'rules', icon: 'rules', title: () => t('Rules'), show: Rules },
    { name: 'time', icon: 'time', title: () => t('Time'), show: Time },
    { name: 'health', icon: 'health', title: () => t('Health'), show: Health },
];
