// Messages that say nothing but small talk: "good morning", "who are you?", "谢谢".
import { words } from './tokenise.ts';

/** Whether every word of a message is a greeting, thanks or the like; also of a message without words. */
export function isSmallTalk(message: string): boolean {
  return words(message).every(({ term }) => smallTalk.has(term));
}

const smallTalk: ReadonlySet<string> = new Set(words(`
hello hi hey hiya howdy yo greetings welcome good morning afternoon evening night day bye goodbye cheers later soon tomorrow see talk
thank thanks thx ty please pls sorry ok okay k yes yeah yep no nope sure fine great nice cool awesome perfect excellent super wow
lol haha hmm oh ah well much lot so very really again got it all how are is are am was do does doing going you your your're u i i'm
im me my we us to a an the and that this there here what what's whats up who whose s m re ll d t for be been help can could would
hallo moin servus tag guten gute morgen abend nacht danke dank vielen schön schon sehr bitte tschüss tschüs ciao wie geht gehts es dir
ihnen euch ja nein gut prima klasse alles klar bis bald später und auch
hola buenas buenos días dias tardes noches gracias muchas muchos mucho adiós adios hasta luego qué que tal cómo como estás estas está sí si por favor
bonjour bonsoir salut coucou merci beaucoup bien au revoir ça ca va comment allez vous vas tu oui non s'il te plaît plait et bonne nuit journée
grazie mille prego buongiorno buonasera arrivederci olá ola oi obrigado obrigada bom dia boa tarde noite tchau sim não nao
привет здравствуйте здравствуй спасибо большое пожалуйста пока до свидания доброе утро добрый день вечер да нет хорошо как дела
مرحبا السلام عليكم وعليكم شكرا جزيلا صباح الخير مساء النور نعم لا كيف حالك
你好 您好 谢谢 谢谢你 谢谢您 多谢 再见 早上好 下午好 晚上好 晚安 好的 好 是 是的 不 不是 对 没问题 你好吗 不客气 请问 哈哈
こんにちは こんばんは おはよう おはようございます ありがとう ありがとうございます さようなら はい いいえ すみません 안녕하세요 감사합니다 네 아니요
`).map(({ term }) => term));
