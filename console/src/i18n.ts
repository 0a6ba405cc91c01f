// i18n.ts - the page's words. The English sentence is its own key; sw.ts has it in Swahili, and the
// type checker refuses a sentence that it lacks.
import { language } from './settings';
import { swahili } from './sw';

export type Words = keyof typeof swahili;
export const t = (words: Words): string => (language.value === 'sw' ? swahili[words] : words);
