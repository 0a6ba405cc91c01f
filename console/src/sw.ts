export const swahili: Record<string,string> = {};
