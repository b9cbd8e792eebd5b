// Every protocol that models are spoken to in: one file each, and one line here.
export { anthropic } from './anthropic.ts';
export { gemini } from './gemini.ts';
export { offline } from './offline.ts';
export { openai, openaiCompatible } from './openai.ts';
