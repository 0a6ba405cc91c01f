// format.ts - money, phone numbers and times for people. Times are Kenya's (UTC+3, no summer time),
// computed, so that they are the same on every machine.
const EAT_MS = 3 * 3600 * 1000;

const grouped = (whole: number): string => String(whole).replace(/\B(?=(\d{3})+$)/g, ',');

// 120050 -> "KSh 1,200.50"
export function money(cents: number): string {
    const sign = cents < 0 ? '-' : '';
    const size = Math.abs(cents);
    const whole = Math.floor(size / 100);
    return `${sign}KSh ${grouped(whole)}.${String(size % 100).padStart(2, '0')}`;
}

// "1,200.50" or "1200" -> cents; undefined when it is no amount
export function cents(text: string): number | undefined {
    const found = /^(\d{1,9})(?:\.(\d{1,2}))?$/.exec(text.replace(/[ ,]/g, ''));
    if (!found) return undefined;
    return Number(found[1]) * 100 + Number((found[2] ?? '').padEnd(2, '0') || '0');
}

// 254712345678 -> "0712 345 678"
export function phone(msisdn: string | number): string {
    const found = /^254(\d{3})(\d{3})(\d{3})$/.exec(String(msisdn));
    return found ? `0${found[1]} ${found[2]} ${found[3]}` : String(msisdn);
}

// What people type for a phone number -> 254712345678; undefined when it is none.
export function msisdn(text: string): string | undefined {
    const digits = text.replace(/[ +()-]/g, '');
    const found = /^(?:254|0)?([17]\d{8})$/.exec(digits);
    return found ? `254${found[1]}` : undefined;
}

const inKenya = (iso: string | number): Date => new Date(new Date(iso).getTime() + EAT_MS);
const two = (n: number): string => String(n).padStart(2, '0');
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

export function time(iso: string | number, seconds = true): string {
    const t = inKenya(iso);
    const text = `${two(t.getUTCHours())}:${two(t.getUTCMinutes())}`;
    return seconds ? `${text}:${two(t.getUTCSeconds())}` : text;
}

export function day(iso: string | number): string {
    const t = inKenya(iso);
    return `${t.getUTCDate()} ${MONTHS[t.getUTCMonth()]}`;
}

export function dayAndTime(iso: string | number): string {
    const t = inKenya(iso);
    return `${day(iso)} ${t.getUTCFullYear()} ${time(iso)} EAT`;
}

// Kenya's time as Daraja writes it: 20260131093000
export function darajaTimestamp(ms: number): string {
    return new Date(ms + EAT_MS).toISOString().replace(/[-:T]/g, '').slice(0, 14);
}

export function duration(ms: number): string {
    if (ms < 1000) return `${Math.round(ms)} ms`;
    if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`;
    if (ms < 3600_000) return `${Math.floor(ms / 60_000)} min ${Math.round(ms % 60_000 / 1000)} s`;
    if (ms < 86400_000) return `${Math.floor(ms / 3600_000)} h ${Math.round(ms % 3600_000 / 60_000)} min`;
    return `${Math.floor(ms / 86400_000)} d ${Math.round(ms % 86400_000 / 3600_000)} h`;
}

export function bytes(n: number): string {
    if (n < 1000) return `${n} B`;
    if (n < 1_000_000) return `${(n / 1000).toFixed(1)} kB`;
    return `${(n / 1_000_000).toFixed(1)} MB`;
}

// JSON with line breaks; anything else as it is.
export function pretty(text: string): string {
    try {
        return JSON.stringify(JSON.parse(text), null, 2);
    } catch {
        return text;
    }
}
