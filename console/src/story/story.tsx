// story.tsx - the drawer: everything about one payment, kept fresh while it moves.
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { get, type List } from '../api';
import { money, phone as phoneText } from '../format';
import { t } from '../i18n';
import type { Delivery, Entry, Request, Transaction } from '../model';
import { open, place, put } from '../router';
import { changes, prompts } from '../store';
import { Button, Icon, StatusChip, When, Wire } from '../ui';
import { Callbacks } from './callbacks';
import { ofRequest, ofTransaction, plainWords, typeName } from './messages';
import { Picture } from './picture';
import { asOf, PastLine, Steps, usePast } from './steps';

interface Told { it: Transaction | Request; deliveries: Delivery[]; entries: Entry[] }

const isTransaction = (it: Transaction | Request): it is Transaction => 'checkout_request_id' in it;

async function tellAbout(id: string): Promise<Told> {
    const path = id.startsWith('req_') ? `/requests/${id}` : `/transactions/${encodeURIComponent(id)}`;
    const it = await get<Transaction | Request>(path).catch((error: unknown) => {
        if (id.startsWith('req_') || id.startsWith('txn_')) throw error;
        return get<Request>(`/requests/${encodeURIComponent(id)}`); // a receipt of either
    });
    const [deliveries, entries] = await Promise.all([
        get<List<Delivery>>(`/deliveries?transaction=${it.id}`),
        get<List<Entry>>(`/entries?transaction=${it.id}`)]);
    return { it, deliveries: deliveries.data, entries: entries.data };
}

// Asked again at every change; the answers of a busy moment may come late, so only the last counts.
function useStory(id: string): Told | string | undefined {
    const [told, setTold] = useState<Told | string | undefined>(undefined);
    const change = changes.value;
    useEffect(() => {
        let current = true;
        tellAbout(id).then((fresh) => { if (current) setTold(fresh); },
                           (error: Error) => { if (current && !told) setTold(error.message); });
        return () => { current = false; };
    }, [id, change]);
    return told;
}

function Facts({ it }: { it: Transaction | Request }): JSX.Element {
    const facts: [string, JSX.Element | string][] = [];
    if (it.receipt) facts.push([t('Receipt'), <Wire text={it.receipt} what={t('Receipt')} />]);
    if (isTransaction(it)) {
        facts.push([t('Phone'), <Wire text={String(it.msisdn)} what={t('Phone')} />],
                   ['CheckoutRequestID', <Wire text={it.checkout_request_id} what="CheckoutRequestID" />],
                   ['MerchantRequestID', <Wire text={it.merchant_request_id} what="MerchantRequestID" />]);
    } else {
        facts.push([t('Other party'), String(it.party)],
                   ['ConversationID', <Wire text={it.conversation_id} what="ConversationID" />]);
    }
    facts.push([t('Short code'), String(it.short_code)], [t('Reference'), it.account_reference || '-']);
    if (it.fee > 0) facts.push([t('Fee'), money(it.fee)]);
    facts.push([t('Accepted'), <When iso={it.created_at} full />]);
    if (it.reversed_by) {
        const by = it.reversed_by;
        facts.push([t('Reversed by'), <Button kind="quiet" onPress={() => open(by)}>{by}</Button>]);
    }
    return <dl class="pairs">{facts.map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{value}</dd></div>)}</dl>;
}

function Body({ told }: { told: Told }): JSX.Element {
    const at = isTransaction(told.it) ? place.value.query['at'] : undefined;
    const past = usePast(told.it.id, at);
    const it = past ?? told.it;
    const { deliveries, entries } = past ? asOf(past, told.deliveries, told.entries) : told;
    const prompt = isTransaction(it)
        ? prompts.value[String(it.msisdn)]?.find((one) => one.checkout_request_id === it.checkout_request_id) : undefined;
    const messages = isTransaction(it) ? ofTransaction(it, deliveries, entries, prompt) : ofRequest(it, deliveries, entries);
    return (
        <>
            <div class="story-head">
                <div class="amount figures">{it.amount > 0 ? money(it.amount) : typeName(it.type)}</div>
                <StatusChip status={it.status} />
                <p>{typeName(it.type)}{isTransaction(it) ? `, ${phoneText(it.msisdn)} → ${it.party_b}` : ''}</p>
                <p class="why" data-testid="why">{plainWords(it.status, it.result_code, it.reason)}
                    {it.result_code && it.result_code !== '0' ? <span class="fine"> {t('Result')} {it.result_code}.</span> : null}</p>
            </div>
            {isTransaction(told.it) ? <Steps it={told.it} /> : null}
            {at ? <PastLine at={at} past={past} /> : null}
            <Picture messages={messages} />
            <Callbacks deliveries={deliveries} ended={it.result_code !== null} />
            <section><h3>{t('Facts')}</h3><Facts it={it} /></section>
        </>
    );
}

export function Story({ id, wide, onClose }: { id: string; wide: boolean; onClose: () => void }): JSX.Element {
    const told = useStory(id);
    return (
        <aside class="drawer" aria-label={t('Story')} data-testid="story">
            <header class="drawer-bar">
                <h2>{typeof told === 'object' ? told.it.id : id}</h2>
                <Button kind="quiet" label={wide ? t('Narrower') : t('Wider')} pressed={wide} class="widen"
                    onPress={() => put({ wide: wide ? undefined : '1' })}><Icon name="wide" /></Button>
                <Button kind="quiet" label={t('Close')} onPress={onClose} testid="close-story"><Icon name="cross" /></Button>
            </header>
            <div class="drawer-body">
                {typeof told === 'string' ? <p class="fine">{told}</p> : told ? <Body told={told} /> : null}
            </div>
        </aside>
    );
}
