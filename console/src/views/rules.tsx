// rules.tsx - scenario rules: the usual accidents as switches, everything else as JSON.
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { call, get } from '../api';
import { msisdn, phone as phoneText } from '../format';
import { t } from '../i18n';
import { people, rulesChanged } from '../store';
import { attempt, Button, Field, tell } from '../ui';

type Rule = Record<string, unknown> & { name?: string; matched?: number; applied?: number };
interface Rules { rules: Rule[]; magic: Rule[]; revision: number }

interface Switch { name: string; title: () => string; words: () => string; rule: (phone: string) => Rule; ofPhone?: boolean }

const push = { api: 'stk_push' };
const SWITCHES: Switch[] = [
    { name: 'lose the next callback', title: () => t('Lose the next callback'), words: () => t('It is never sent; only a query tells.'),
        rule: () => ({ match: { ...push, first: 1 }, then: { callback: { never: true } } }) },
    { name: 'callback 45 s late', title: () => t('Callback 45 s late'), words: () => t('Every callback waits before it goes out.'),
        rule: () => ({ match: push, then: { callback: { delay_ms: 45000 } } }) },
    { name: 'callback twice', title: () => t('Callback twice'), words: () => t('The same message again, 5 s later.'),
        rule: () => ({ match: push, then: { callback: { times: 2, spacing_ms: 5000 } } }) },
    { name: 'first three attempts fail', title: () => t('First three attempts fail'), words: () => t('The fourth goes out.'),
        rule: () => ({ match: push, then: { callback: { fail_first: 3 } } }) },
    { name: 'callback cut in half', title: () => t('Callback cut in half'), words: () => t('Half of the JSON arrives.'),
        rule: () => ({ match: push, then: { callback: { cut: true } } }) },
    { name: 'says timed out, but charged', title: () => t('Says timed out, but charged'), words: () => t('The money moves and the callback says 1037.'),
        rule: () => ({ match: push, then: { prompt: { act: 'approve', delay_ms: 2000 }, callback: { code: '1037' } } }) },
    { name: 'error, though accepted', title: () => t('Error, though accepted'), words: () => t('The push is answered with an error and goes on all the same.'),
        rule: () => ({ match: push, then: { answer: { error: '500.001.1001', accepted: true } } }) },
    { name: 'system is busy', title: () => t('System is busy'), words: () => t('Pushes are refused; nothing is accepted.'),
        rule: () => ({ match: push, then: { answer: { error: '500.003.02' } } }) },
    { name: 'this phone approves', title: () => t('This phone approves'), words: () => t('The right PIN, 2 s after the prompt.'), ofPhone: true,
        rule: (phone) => ({ match: { ...push, phone }, then: { prompt: { act: 'approve', delay_ms: 2000 } } }) },
    { name: 'this phone cancels', title: () => t('This phone cancels'), words: () => t('Cancel, 2 s after the prompt.'), ofPhone: true,
        rule: (phone) => ({ match: { ...push, phone }, then: { prompt: { act: 'cancel', delay_ms: 2000 } } }) },
    { name: 'this phone never answers', title: () => t('This phone never answers'), words: () => t('1037 when the prompt is over.'), ofPhone: true,
        rule: (phone) => ({ match: { ...push, phone }, then: { prompt: { act: 'ignore' } } }) },
];

// As they are put: without the counts.
const plain = (rules: Rule[]): Rule[] => rules.map(({ matched: _m, applied: _a, ...rest }) => rest);

const set = (rules: Rule[]): Promise<Rules> => call<Rules>('PUT', '/sim/v1/rules', { rules: plain(rules) });

function Toggle({ one, rules, phone, ready, onSet }: { one: Switch; rules: Rule[]; phone: string; ready: boolean; onSet: (rules: Rule[]) => Promise<unknown> }): JSX.Element {
    const id = `switch-${one.name.replace(/[^a-z0-9]/g, '-')}`;
    const name = one.ofPhone ? `${one.name} ${phone}` : one.name;
    const rule = rules.find((each) => each.name === name);
    const flip = (): Promise<unknown> => onSet(rule ? rules.filter((each) => each !== rule)
                                                    : [{ name, ...one.rule(phone) }, ...rules]);
    return (
        <li class="switch-line">
            <div><strong id={id}>{one.title()}</strong><small>{one.words()}</small></div>
            {rule && rule.applied !== undefined ? <small class="figures">{rule.applied} {t('times')}</small> : <span />}
            <button type="button" role="switch" class="switch" disabled={!ready} aria-checked={rule !== undefined}
                aria-labelledby={id} onClick={() => void flip()}><span /></button>
        </li>
    );
}

function Editor({ rules, onSet }: { rules: Rule[]; onSet: (rules: Rule[]) => Promise<unknown> }): JSX.Element {
    const [typed, setTyped] = useState<string | undefined>(undefined); // until then: what is in force
    const text = typed ?? JSON.stringify({ rules: plain(rules) }, null, 2);
    const touched = typed !== undefined;
    async function save(): Promise<void> {
        let document: { rules?: Rule[] };
        try {
            document = JSON.parse(text) as { rules?: Rule[] };
        } catch (error) {
            tell(`${t('This is no JSON')}: ${(error as Error).message}`, true);
            return;
        }
        await onSet(document.rules ?? []);
        setTyped(undefined);
    }
    return (
        <section class="card">
            <h2>{t('As JSON')}</h2>
            <textarea rows={22} value={text} aria-label={t('Rules as JSON')} spellcheck={false}
                onInput={(event) => setTyped(event.currentTarget.value)} />
            <div class="row">
                <Button kind="main" disabled={!touched} onPress={save} testid="save-rules">{t('Put in force')}</Button>
                <Button disabled={!touched} onPress={() => setTyped(undefined)}>{t('Back to what is in force')}</Button>
            </div>
            <p class="fine">{t('The first rule that matches applies. What a rule ordered for a payment stays ordered.')} <a href="/sim/v1/rules/schema">{t('Schema')}</a></p>
        </section>
    );
}

export function Rules(): JSX.Element {
    const [rules, setRules] = useState<Rules | undefined>(undefined);
    const [number, setNumber] = useState('');
    const change = rulesChanged.value;
    useEffect(() => {
        let current = true;
        get<Rules>('/rules').then((fresh) => { if (current) setRules(fresh); }, () => undefined);
        return () => { current = false; };
    }, [change]);
    // One change at a time, and none before the rules in force are known: a list is put whole.
    const [putting, setPutting] = useState(false);
    const put = (list: Rule[]): Promise<unknown> => {
        setPutting(true);
        return attempt(async () => {
            await set(list);
            setRules(await get<Rules>('/rules'));
        }).finally(() => setPutting(false));
    };
    const ready = rules !== undefined && !putting;
    const list = rules?.rules ?? [];
    const phone = msisdn(number) ?? people.value[0]?.msisdn ?? '254708374149';
    return (
        <div class="rules-view">
            <section class="card">
                <h2>{t('Accidents on demand')}</h2>
                <ul class="switches">{SWITCHES.filter((one) => !one.ofPhone).map((one) =>
                    <Toggle key={one.name} one={one} rules={list} phone={phone} ready={ready} onSet={put} />)}</ul>
                <h2>{t('One phone')}</h2>
                <Field label={t('Phone')}>
                    <select value={phone} onChange={(event) => setNumber(event.currentTarget.value)}>
                        {people.value.map((one) => <option key={one.msisdn} value={one.msisdn}>{one.name ? `${one.name}, ` : ''}{phoneText(one.msisdn)}</option>)}
                    </select>
                </Field>
                <ul class="switches">{SWITCHES.filter((one) => one.ofPhone).map((one) =>
                    <Toggle key={one.name} one={one} rules={list} phone={phone} ready={ready} onSet={put} />)}</ul>
                {list.length > 0 ? <Button onPress={() => put([])}>{t('Take all rules away')}</Button> : null}
                {rules && rules.magic.length > 0 ? <p class="fine">{rules.magic.length} {t('magic rules are in force after these (--magic).')}</p> : null}
            </section>
            <Editor rules={list} onSet={put} />
        </div>
    );
}
