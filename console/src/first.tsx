// first.tsx - the first run: three steps from an empty system to a payment that went through.
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { PASSKEY, push, SHORT_CODE } from './daraja';
import { phone as phoneText } from './format';
import { t } from './i18n';
import { open } from './router';
import { greeted } from './settings';
import { loaded, people, rows } from './store';
import { attempt, Button, Icon, tell, Wire } from './ui';

function Step(p: { number: number; title: string; done: boolean; now: boolean; children: JSX.Element | JSX.Element[] }): JSX.Element {
    return (
        <li class={`step ${p.done ? 'done' : ''} ${p.now ? 'now' : ''}`} aria-current={p.now ? 'step' : undefined}>
            <span class="step-number" aria-hidden="true">{p.done ? <Icon name="check" size={16} /> : p.number}</span>
            <div><h3>{p.title}</h3>{p.children}</div>
        </li>
    );
}

// Somebody who has payments and never finished the steps does not need them.
export const greets = (): boolean => !greeted.value && loaded.value &&
    (rows.value.length <= 1 || rows.value.some((row) => row.status === 'SUCCESS'));

export function FirstRun(): JSX.Element | null {
    const [copied, setCopied] = useState(false);
    const person = people.value[0];
    const first = rows.value.filter((row) => row.type === 'stk_push').at(-1);
    const paid = rows.value.some((row) => row.status === 'SUCCESS');
    if (!greets()) return null;
    async function send(): Promise<void> {
        if (!person) return;
        await attempt(async () => {
            const { answer } = await push(person.msisdn, 120, 'INV-77', `${location.origin}/sink`);
            if (answer.status !== 200) tell(answer.text, true);
        });
    }
    return (
        <section class="first" aria-label={t('First steps')} data-testid="first-run">
            <header>
                <div>
                    <h2>{paid ? t('The first payment went through') : t('Karibu. Three steps to the first payment')}</h2>
                    <p>{paid ? t('The callback, the ledger entry and every message between them are in its story.')
                             : t('This is a whole mobile-money network on your machine. Nothing here is real money.')}</p>
                </div>
                <Button kind="quiet" label={t('Close')} onPress={() => { greeted.value = true; }}><Icon name="cross" /></Button>
            </header>
            <ol>
                <Step number={1} title={t('Point your integration here')} done={copied || first !== undefined} now={!copied && !first}>
                    <dl class="pairs">
                        <div><dt>{t('Base URL')}</dt><dd onClick={() => setCopied(true)}><Wire text={location.origin} what={t('Base URL')} /></dd></div>
                        <div><dt>{t('Consumer key and secret')}</dt><dd>{t('any, they are not checked here')}</dd></div>
                        <div><dt>{t('Short code')}</dt><dd><Wire text={SHORT_CODE} what={t('Short code')} /></dd></div>
                        <div><dt>{t('Passkey')}</dt><dd><Wire text={PASSKEY} what={t('Passkey')} /></dd></div>
                    </dl>
                </Step>
                <Step number={2} title={t('Send a push')} done={first !== undefined} now={copied && !first}>
                    <p>{t('From your code, or from here:')}</p>
                    <Button kind={first ? 'plain' : 'main'} onPress={send} testid="first-push" disabled={!person}>
                        {t('Ask for KSh 120 on')} {person ? phoneText(person.msisdn) : '...'}</Button>
                </Step>
                <Step number={3} title={t('Type the PIN on the phone')} done={paid} now={first !== undefined && !paid}>
                    <p>{t('It is 1234 on every phone that was opened by itself.')}</p>
                    {first ? <Button kind={paid ? 'main' : 'plain'} onPress={() => open(first.id)} testid="first-story">{t('See its story')}</Button> : <span />}
                </Step>
            </ol>
        </section>
    );
}
