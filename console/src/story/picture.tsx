// picture.tsx - the sequence picture: lanes, time downwards, one row a message; each row opens to
// what was really said. Drawn row by row, so that what opens lies under its own arrow.
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { money, pretty, time } from '../format';
import { t } from '../i18n';
import type { Entry } from '../model';
import { Money, useWidth, Wire } from '../ui';
import { LEDGER, lanes, OPERATOR, type Message } from './messages';

const ROW = 58;
const LINE = 36; // where in a row its arrow runs

function laneX(lane: number, width: number): number {
    const edge = Math.min(52, width * 0.1);
    return edge + (width - 2 * edge) * lane / 3;
}

function Lanes({ width, height }: { width: number; height: number }): JSX.Element {
    return <>{[0, 1, 2, 3].map((lane) => {
        const x = laneX(lane, width);
        return <line key={lane} x1={x} x2={x} y1={0} y2={height} class="lane" />;
    })}</>;
}

function Arrow({ message, width }: { message: Message; width: number }): JSX.Element {
    const from = laneX(message.from, width);
    const to = laneX(message.to, width);
    const way = Math.sign(to - from);
    const lost = message.fate === 'lost';
    const end = lost ? from + (to - from) * 0.62 : to;
    const tip = end - way * 2;
    return (
        <g class={`arrow ${message.fate} ${message.dashed ? 'dashed' : ''}`}>
            <circle cx={from} cy={LINE} r={3.5} class="dot" />
            <line x1={from} x2={tip} y1={LINE} y2={LINE} />
            {lost ? <path d={`M${end - 5} ${LINE - 5}l10 10M${end + 5} ${LINE - 5}l-10 10`} class="break" />
                : <path d={`M${tip - way * 8} ${LINE - 5}L${tip} ${LINE}L${tip - way * 8} ${LINE + 5}`} class="head" />}
            {message.fate === 'refused' ? <path d={`M${tip - way * 14} ${LINE - 6}v12`} class="break" /> : null}
        </g>
    );
}

function Label({ message, width }: { message: Message; width: number }): JSX.Element {
    const from = laneX(message.from, width);
    const to = laneX(message.to, width);
    // The label begins at the arrow's left end and may run over the lanes to its right.
    const x = Math.min(Math.min(from, to) + 8, width - 150);
    const room = width - x - 6;
    return (
        <foreignObject x={x} y={2} width={Math.max(room, 10)} height={ROW - 4}>
            <div class="label">
                <strong>{message.title}</strong>
                <span class="under">{message.note ?? ''}</span>
            </div>
        </foreignObject>
    );
}

function Happened({ message, width }: { message: Message; width: number }): JSX.Element {
    const x = laneX(message.from, width);
    const wide = Math.min(width - 8, 270);
    const left = Math.max(4, Math.min(x - wide / 2, width - wide - 4));
    return (
        <>
            <foreignObject x={left} y={4} width={wide} height={ROW - 8}>
                <div class={`happened ${message.verdict ?? message.fate}`}>
                    <strong>{message.title}</strong>
                    {message.note ? <span>{message.note}</span> : null}
                </div>
            </foreignObject>
        </>
    );
}

const sideName = (side: Entry['debit']): string =>
    side.kind === 'wallet' ? side.name || side.owner : `${side.name || side.owner || side.kind}${side.owner ? `, ${side.kind}` : ''}`;

function Card({ entry }: { entry: Entry }): JSX.Element {
    return (
        <table class="entry-card">
            <thead><tr><th scope="col">{t('Account')}</th><th scope="col">{t('Debit')}</th><th scope="col">{t('Credit')}</th></tr></thead>
            <tbody>
                <tr><th scope="row">{sideName(entry.debit)}</th><td class="money">{money(entry.amount)}</td><td /></tr>
                <tr><th scope="row">{sideName(entry.credit)}</th><td /><td class="money">{money(entry.amount)}</td></tr>
            </tbody>
        </table>
    );
}

// What the picture shows without words, for those who hear it.
function whence(message: Message): string {
    const names = lanes();
    const way = message.from === message.to ? names[message.from] : `${names[message.from]} → ${names[message.to]}`;
    return `${time(message.at)}, ${way}: `;
}

function fateWord(fate: Message['fate']): string {
    const words: Record<Message['fate'], string> = { arrived: '', lost: t('lost'), refused: t('refused'),
        waiting: t('waiting'), again: t('again') };
    return words[fate];
}

function Row({ message, width, opened, toggle }: {
    message: Message; width: number; opened: boolean; toggle: () => void;
}): JSX.Element {
    const more = message.contents.length > 0 || message.entry !== undefined || message.position !== undefined;
    return (
        <li data-testid={`message-${message.key}`} data-fate={message.fate}>
            {message.gap ? <div class="gap"><svg width={width} height={34} aria-hidden="true">
                {[0, 1, 2, 3].map((lane) => <line key={lane} x1={laneX(lane, width)} x2={laneX(lane, width)} y1={0} y2={34} class="lane broken" />)}
            </svg><span>{message.gap} {t('later')}</span></div> : null}
            <button type="button" class={`message ${message.fate}`} aria-expanded={more ? opened : undefined}
                onClick={toggle} disabled={!more}>
                <span class="unseen">{whence(message)}</span>
                <svg width={width} height={ROW}>
                    <Lanes width={width} height={ROW} />
                    {message.from === message.to ? <Happened message={message} width={width} /> : (
                        <><Arrow message={message} width={width} /><Label message={message} width={width} /></>)}
                </svg>
                <span class="unseen"> {fateWord(message.fate)}</span>
            </button>
            {message.entry && !opened ? <div class="card-row"><Card entry={message.entry} /></div> : null}
            {opened ? <div class="said">
                <p class="fine"><time dateTime={message.at} title={`${message.at} (UTC)`}>{time(message.at)} EAT</time>
                    {message.position ? <> · {t('journal position')} <code>{message.position}</code></> : null}</p>
                {message.entry ? <><Card entry={message.entry} /><dl class="pairs">{[message.entry.debit, message.entry.credit].map((side) => (
                    <div key={side.account}><dt>{sideName(side)}, {t('now')}</dt><dd><Money cents={side.balance_now} /></dd></div>))}</dl></> : null}
                {message.contents.map((one) => (
                    <section key={one.title}><h4>{one.title}</h4><Wire lines text={pretty(one.text)} what={one.title} /></section>
                ))}
            </div> : null}
        </li>
    );
}

export function Picture({ messages }: { messages: Message[] }): JSX.Element {
    const [box, width] = useWidth();
    const [opened, setOpened] = useState<string | undefined>(undefined);
    const names = lanes();
    const used = messages.some((one) => one.to === LEDGER || one.from === OPERATOR);
    return (
        <div class="picture" ref={box} data-testid="picture">
            <div class="lane-names" aria-hidden="true">
                {names.map((name, lane) => <span key={name} style={{ left: `${laneX(lane, width)}px` }}>{name}</span>)}
            </div>
            <ol class={used ? '' : 'bare'}>
                {messages.map((one) => <Row key={one.key} message={one} width={width} opened={opened === one.key}
                    toggle={() => setOpened(opened === one.key ? undefined : one.key)} />)}
            </ol>
        </div>
    );
}
