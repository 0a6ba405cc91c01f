// document.mjs - answers held against an OpenAPI document: each has a status that the document
// knows for its operation, the media type that it says, and exactly the members of its schema.
import { check, equal } from './story.mjs';
import { validate } from './schema.mjs';

// The operation of the document that a call belongs to. A path without parameters goes first.
export function operationOf(document, method, path) {
    const bare = path.split('?')[0];
    const patterns = Object.keys(document.paths)
        .filter((pattern) => new RegExp(`^${pattern.replace(/\{[^}]+\}/g, '[^/]+')}$`).test(bare))
        .sort((a, b) => (a.match(/\{/g)?.length ?? 0) - (b.match(/\{/g)?.length ?? 0));
    const pattern = patterns.find((one) => document.paths[one][method.toLowerCase()]);
    return pattern && { pattern, operation: document.paths[pattern][method.toLowerCase()] };
}

// "GET /v1/payments" of each operation.
export function operationsOf(document) {
    return Object.entries(document.paths).flatMap(([pattern, operations]) =>
        Object.keys(operations).map((method) => ({ name: `${method.toUpperCase()} ${pattern}`,
                                                   method: method.toUpperCase(), pattern,
                                                   operation: operations[method] })));
}

// Adds "GET /v1/payments 200" to what was seen, or fails.
export function hold(document, seen, method, path, answer) {
    const found = operationOf(document, method, path);
    check(found, `${method} ${path} is not in the document`);
    const name = `${method} ${found.pattern}`;
    const response = found.operation.responses[answer.status];
    check(response, `${name}: the document has no ${answer.status} (${answer.text})`);
    seen.add(`${name} ${answer.status}`);
    const type = (answer.headers['content-type'] ?? '').split(';')[0];
    const content = response.content?.[type];
    if (response.content && answer.text !== '') {
        check(content, `${name} ${answer.status}: the document does not have ${type}`);
    }
    const nothing = answer.text === '' && response['x-may-be-empty'];
    if (content && type.endsWith('json') && !nothing) {
        const faults = validate(document, content.schema, answer.json);
        equal(faults, [], `${name} ${answer.status}: ${answer.text}`);
    }
}
