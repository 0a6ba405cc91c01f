// contract.mjs - reads tests/e2e/daraja-contract.json: bodies with their placeholders filled, and
// answers held against their shapes, member by member, in order, with their JSON types.
import { readFileSync } from 'node:fs';

export const table = JSON.parse(
    readFileSync(new URL('../daraja-contract.json', import.meta.url), 'utf8'));

const map = (value, change) => {
    if (Array.isArray(value)) return value.map((one) => map(one, change));
    if (value === null || typeof value !== 'object') return change(value);
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, map(one, change)]));
};

// "{url}/late" with {url: ...}; a value that is one placeholder and nothing else keeps its type.
export function filled(value, words) {
    return map(value, (one) => {
        if (typeof one !== 'string') return one;
        const whole = /^\{([\w ]+)\}$/.exec(one);
        if (whole && whole[1] in words) return words[whole[1]];
        return one.replaceAll(/\{([a-z ]+)\}/g, (all, name) => words[name] ?? all);
    });
}

// The wrong values of a field: a list, or the name of one; "@code" in a list stands for its values.
export function wrongValues(values) {
    if (typeof values === 'string') return table.wrong[values];
    return values.flatMap((one) => typeof one === 'string' && one.startsWith('@')
        ? table.wrong[one.slice(1)] : [one]);
}

function leafFault(shape, value) {
    if (typeof shape !== 'string') return value === shape ? undefined : `is not ${shape}`;
    if (shape.startsWith('=')) return value === shape.slice(1) ? undefined : `is not "${shape.slice(1)}"`;
    if (shape.startsWith('/')) {
        const good = typeof value === 'string' && new RegExp(shape.slice(1, -1)).test(value);
        return good ? undefined : `is no text like ${shape}`;
    }
    if (shape === 'number14') {
        return typeof value === 'number' && /^\d{14}$/.test(String(value)) ? undefined
            : 'is no number of 14 digits';
    }
    return typeof value === shape ? undefined : `is no ${shape}`;
}

// What of a value does not fit a shape, with its place; undefined: it fits.
export function fault(shape, value, place = '$') {
    if (typeof shape === 'string' && shape.startsWith('@')) {
        return fault(table.shapes[shape.slice(1)], value, place);
    }
    if (shape === null || typeof shape !== 'object') {
        const why = leafFault(shape, value);
        return why && `${place} ${why}: ${JSON.stringify(value)}`;
    }
    if (value === null || typeof value !== 'object' || Array.isArray(value) !== Array.isArray(shape)) {
        return `${place} has another form: ${JSON.stringify(value)}`;
    }
    if (Object.keys(shape).join() !== Object.keys(value).join()) {
        return `${place} has ${Object.keys(value)}, not ${Object.keys(shape)}`;
    }
    for (const name of Object.keys(shape)) {
        const why = fault(shape[name], value[name], `${place}.${name}`);
        if (why) return why;
    }
    return undefined;
}
