// schema.mjs - the part of JSON Schema that our OpenAPI document uses, checked strictly: a keyword
// that is not known here is an error, so that nothing is believed without having been looked at.
const KNOWN = new Set(['$ref', 'type', 'description', 'required', 'properties', 'items', 'enum',
                       'const', 'pattern', 'minimum', 'maximum', 'default', 'minProperties',
                       'additionalProperties', 'minLength', 'maxLength', 'format', 'oneOf']);

// RFC 3339 in UTC with milliseconds, as all our own APIs tell times.
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

function typeOf(value) {
    if (value === null) return 'null';
    if (Array.isArray(value)) return 'array';
    if (Number.isInteger(value)) return 'integer';
    return typeof value;
}

// Adds to `faults` what is wrong with the value, each with its place.
export function validate(document, schema, value, place = '$', faults = []) {
    if (schema.$ref) {
        const name = schema.$ref.replace('#/components/schemas/', '');
        return validate(document, document.components.schemas[name], value, place, faults);
    }
    for (const keyword of Object.keys(schema)) {
        if (!KNOWN.has(keyword)) faults.push(`${place}: keyword ${keyword} is not checked here`);
    }
    if (schema.oneOf) {
        const each = schema.oneOf.map((one) => validate(document, one, value, place));
        const fits = each.filter((found) => found.length === 0).length;
        if (fits > 1) faults.push(`${place}: fits ${fits} of oneOf`);
        if (fits === 0) faults.push(...each.sort((a, b) => a.length - b.length)[0]);
        return faults;
    }
    const type = typeOf(value);
    const types = schema.type === undefined ? undefined : [schema.type].flat();
    if (types && !types.includes(type) && !(type === 'integer' && types.includes('number'))) {
        faults.push(`${place}: is ${type}, should be ${types.join(' or ')}`);
        return faults;
    }
    if (schema.enum && !schema.enum.includes(value)) {
        faults.push(`${place}: ${JSON.stringify(value)} is not one of ${schema.enum.join(', ')}`);
    }
    if ('const' in schema && value !== schema.const) {
        faults.push(`${place}: should be ${schema.const}`);
    }
    if (typeof value === 'number' && !(value >= (schema.minimum ?? -Infinity) &&
                                       value <= (schema.maximum ?? Infinity))) {
        faults.push(`${place}: ${value} is not from ${schema.minimum} to ${schema.maximum}`);
    }
    if (type === 'string' && schema.pattern && !new RegExp(schema.pattern).test(value)) {
        faults.push(`${place}: ${JSON.stringify(value)} does not fit ${schema.pattern}`);
    }
    if (type === 'string' && schema.format === 'date-time' && !TIME.test(value)) {
        faults.push(`${place}: ${JSON.stringify(value)} is no time`);
    }
    if (type === 'object') {
        for (const name of schema.required ?? []) {
            if (!(name in value)) faults.push(`${place}.${name}: is missing`);
        }
        for (const [name, member] of Object.entries(value)) {
            const inside = schema.properties?.[name];
            if (inside) {
                validate(document, inside, member, `${place}.${name}`, faults);
            } else if (schema.properties) {
                faults.push(`${place}.${name}: is not in the document`);
            }
        }
    }
    if (type === 'array' && schema.items) {
        value.forEach((item, i) => validate(document, schema.items, item, `${place}[${i}]`, faults));
    }
    return faults;
}
