// Questions about a text as a whole: "What is this document about?", "Worum geht es?". Their words stand in no passage, or
// in all of them; the answer is in how the text begins.
import { tokenize } from './tokenise.ts';

/** Whether all index terms of a question ask, or name the text itself; also of a question without any. */
export function asksAboutTheWhole(question: string): boolean {
  return tokenize(question).every(({ term }) => askingWords.has(term));
}

/** Whether an index term asks, or names the text itself, rather than a thing in it. */
export function isAskingWord(term: string): boolean {
  return askingWords.has(term);
}

const askingWords: ReadonlySet<string> = new Set(
  tokenize(`
    about summarize summary summarise overview document documents text file paper article report passage page content contents
    main topic subject say tell describe explain give show key point points idea ideas please briefly short
    dokument text datei inhalt worum geht zusammenfassung fasse zusammen thema es in diesem diese dieses dieser dem der das die den ist sagt steht um bitte
    mir wer wie wann wo warum wieso wohin woher wozu wem wen wessen welche welcher welches welchen welchem viel viele
    texte fichier résumé résume sujet de quoi parle ce le la du est que dit quel quelle quels quelles qui quand où comment
    pourquoi combien documento texto archivo resumen resume trata qué el del este esta tema sobre cuál cuáles es quién cuándo
    dónde cómo cuánto cuántos cuántas por ما ماذا من متى أين كيف كم لماذا هل هو هي أي عن الوثيقة المستند النص ملخص يتحدث
    这个 个文 文件 文档 这份 份文 这篇 篇文 文章 讲了 了什 什么 总结 概括 摘要 主要 内容 关于 档讲 件讲 章讲 么内 要内 多少 哪个
    哪些 哪里 哪一 为什 怎么 怎样 是谁 谁是 何时 如何 是什 几个`).map((token) => token.term),
);
