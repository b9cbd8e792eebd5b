import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { answerLimits, composeAnswer, type Passage } from '../../src/models/answer.ts';
import { wordCount } from '../../src/text/counts.ts';

const bridge: Passage[] = [
  { n: 1, text: '# The bridge\nThe iron bridge was built by Anna Roth in 1890. It is 200 metres long. Who paid for the bridge? The town did.' },
  { n: 2, text: 'The harbour was built in 1920 [4] after the flood. Ships from Oslo land there.' },
];
const quotes = (question: string, passages = bridge): string[] =>
  composeAnswer(question, passages).sentences.map(({ n, start, end }) => passages.find((passage) => passage.n === n)?.text.slice(start, end) ?? '');

describe('an answer by quotation', () => {
  test('begins with the sentence that says most of what was asked', () => {
    expect(quotes('Who built the iron bridge?')[0]).toBe('The iron bridge was built by Anna Roth in 1890.');
    expect(quotes('From where do ships come?')[0]).toBe('Ships from Oslo land there.');
  });

  test('quotes to the character and numbers each quotation by its passage', () => {
    const { text, sentences } = composeAnswer('When was the bridge built?', bridge);
    expect(text).toBe(sentences.map(({ n, start, end }) => `${bridge[n - 1]?.text.slice(start, end)} [${n}]`).join(' '));
    expect(sentences[0]?.n).toBe(1);
  });

  test('never quotes a bracketed number, which would read as a citation', () => {
    const { text } = composeAnswer('When was the harbour built after the flood?', bridge);
    expect(text).toContain('The harbour was built in 1920 [2]');
    expect(text).not.toContain('[4]');
  });

  test('quotes a sentence once when passages overlap', () => {
    const twice = [{ n: 1, text: 'The lamp needs oil.' }, { n: 2, text: 'The lamp needs oil.' }];
    expect(composeAnswer('What does the lamp need?', twice).text).toBe('The lamp needs oil. [1]');
  });

  test('says plainly, without a number, that the documents hold no answer', () => {
    for (const [question, passages] of [
      ['What is the boiling point of mercury?', bridge], ['Who built the bridge?', []],
    ] as const) {
      expect(composeAnswer(question, passages)).toEqual({ text: 'The documents hold no answer to this question.', sentences: [] });
    }
    expect(composeAnswer('Wie heißt die Hauptstadt von Peru und wie viele Menschen leben dort heute eigentlich?', bridge).text)
      .toBe('Die Dokumente enthalten keine Antwort auf diese Frage.');
  });

  test('says what it is there for when nothing is asked', () => {
    const invitation = 'I answer questions from the documents, in their own words. What would you like to know?';
    for (const message of ['Good morning!', 'Thanks', '???', '']) expect(composeAnswer(message, []), message).toEqual({ text: invitation, sentences: [] });
    expect(composeAnswer('谢谢', [{ n: 1, text: '黑豹队排名第六。贾里德有136次擒杀。' }]).text).toBe('我根据文档原文回答问题。您想了解什么？');
  });

  test('tells what a document is about by its first sentences', () => {
    for (const question of ['What is this document about?', 'Summarize the text, please', 'Worum geht es in diesem Dokument?', '这份文档讲了什么？']) {
      expect(quotes(question).slice(0, 2)).toEqual(['The bridge', 'The iron bridge was built by Anna Roth in 1890.']);
    }
  });

  test('works in languages with and without spaces', () => {
    const passages = [{ n: 1, text: '黑豹队排名第六。贾里德有136次擒杀。' }, { n: 2, text: 'Die Brücke wurde 1890 von Anna Roth gebaut. Sie ist lang.' }];
    expect(quotes('贾里德有多少次擒杀？', passages)[0]).toBe('贾里德有136次擒杀。');
    expect(quotes('Wer baute die Brücken?', passages)[0]).toBe('Die Brücke wurde 1890 von Anna Roth gebaut.');
  });

  test('cuts an endless sentence at words around what was asked', () => {
    const text = `${'so it went on and on '.repeat(100)}until the comet struck the lighthouse ${'and on it went then '.repeat(100)}`;
    const [quote = ''] = quotes('What struck the lighthouse?', [{ n: 1, text }]);
    expect(quote).toContain('comet struck the lighthouse');
    expect(wordCount(quote)).toBeLessThan(answerLimits.words);
    expect(text.includes(quote)).toBe(true);
  });

  test('keeps within its limits whatever it is given', () => {
    const passage = fc.oneof(fc.string({ unit: 'binary', maxLength: 300 }), fc.lorem({ maxCount: 30 }));
    fc.assert(fc.property(fc.array(passage, { maxLength: 6 }), passage, (texts, question) => {
      const passages = texts.map((text, index) => ({ n: index + 1, text }));
      const { text, sentences } = composeAnswer(question, passages);
      expect(sentences.length).toBeLessThanOrEqual(answerLimits.sentences);
      expect(wordCount(text)).toBeLessThanOrEqual(answerLimits.words + 3);
      for (const { n, start, end } of sentences) expect(text).toContain(`${texts[n - 1]?.slice(start, end)} [${n}]`);
    }), { numRuns: 300 });
  });
});
