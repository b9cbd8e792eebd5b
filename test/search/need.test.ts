import { describe, expect, it } from 'vitest';
import { needsPassages } from '../../src/search/need.ts';

describe('a message', () => {
  it.each(['Hello!', 'hi there', 'Good morning', 'Thank you very much!', 'ok, great', 'How are you?', 'Who are you?', '👍', '???', '', 'Guten Morgen', 'Vielen Dank', '¡Muchas gracias!', 'Merci beaucoup', 'Спасибо большое', 'شكرا جزيلا', '你好', '谢谢你', 'ありがとうございます'])(
    'of small talk needs no passages: %s',
    (message) => expect(needsPassages(message)).toBe(false),
  );

  it.each(['How long is the warranty?', 'thanks, and how do I descale the machine?', 'Wie lange gilt die Garantie?', '保修期多长?', 'explain the second point', 'What is this about?', 'refund', '42', 'Hallo, was kostet der Versand?'])(
    'with content needs passages: %s',
    (message) => expect(needsPassages(message)).toBe(true),
  );
});
