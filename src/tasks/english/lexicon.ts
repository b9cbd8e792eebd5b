// The English that people use about their tasks: classes of words and phrases, none of them particular to one sentence.
import { Phrases } from './words.ts';

/** Words before a command that carry none of it: "hey", "please", "can you", "i need you to", "go ahead and". */
export const prefixes = new Phrases(`
  please, kindly, just, now, ok, okay, hey, hi, hello, yo, so, well, and, then, also, alright, thanks, thank you, sorry, excuse me, um, uh, hmm, oh, actually, quickly, maybe, do
  olly, alexa, siri, google, cortana, assistant, parley, computer, jarvis, bot, good morning, good evening, good afternoon, dear
  can you, could you, would you, will you, can u, could u, can i, could i, may i, can we, could we, would you mind, would you be able to, are you able to, is it possible to, is it possible for you to, how about you, why don't you
  i want you to, i need you to, i would like you to, i'd like you to, i want to, i would like to, i'd like to, i like to, i need to, i wish to, i wanna, need to, want to, gotta, let us, let's, lets, let me, i'd love to, i would love to, i want, i need, i would like, i'd like
  go ahead and, be sure to, make sure to, make sure you, make sure that you, make sure and, remember to, don't forget to, do not forget to, dont forget to, you need to, you should, you must, you can, it is time to, help me, help me to, try to, do me a favor and, do me a favour and
  i was wondering if you could, i wonder if you could, if you could, if possible, if you can, when you can, when you get a chance
`);

/** Verbs that put something on record. They are a command about tasks only beside a noun of the domain or a date. */
export const createVerbs = new Phrases(`
  add, create, make, set, update, set up, setup, schedule, put, put down, book, plan, note, note down, note to self, note to myself, save the date, save the date for, note that, write, write down, jot, jot down, new, start, begin, insert, include, append, save, record, register, arrange, organize, organise
  enter, log, mark down, mark my calendar, update my calendar, update the calendar, modify my calendar, modify the calendar, edit my calendar, pencil in, pencil me in, pencil, make note, make a note, take note, take a note, name the new, call the new, name my new, block, block off, block out, reserve, fix, generate, produce, build, compile, compose, form, establish, input, keep, track, draft, draw up, prepare, invite, attach, place, get me a, give me a new, open a new, open new
  drop, throw, stick, slot in, stick in, pop, repeat, enable, activate, turn on, switch on, reschedule a new, flag, i'll need, need to add, need to create, need to make, want to add, want to create, want to make, sync, upload, import, store, adding, creating, making, setting, setting up, scheduling, putting, booking, planning, find a time, find time, find a slot, accept, rsvp
`);

/** Verbs among them that make many things besides tasks: alone, without a noun of the domain or a time, they say nothing. */
export const vagueCreateVerbs = new Phrases('make, start, begin, update, turn on, switch on, keep, fix, build, produce, prepare, attach, drop, throw, stick, pop, repeat, enable, activate, flag, upload, import, store, sync, draft, place, block, write, put on, get me a, input, track, compose, form, generate, accept');

/** "an item to be added", "my calendar has to be updated with". */
export const createdForms = new Phrases('to be added, be added, to be created, be created, to be updated with, be updated with, to be set, to be scheduled, to be put, to be included, to be noted, added to my, added to the, added on my, put on my, put on the, should be in my, should be on my, must be in my, must be on my, needs to be in my, needs to be on my, has to be on my, need to go on, should go on, should show, should include, should contain');

/** Phrases that ask for a reminder, whatever stands beside them. */
export const remindPhrases = new Phrases(`
  remind, remind me, reminder to, remember, remember that, notify, notify me, notification for, notifications for, alert me, alert, wake me, wake me up, wake up, get me up, wake us, ping me, nudge me, warn me, buzz me, poke me, beep me, ring me, call me for, call me to, prompt me, tell me to, get up at, get up, wake, let me know when it is, tell me when it is, let me know when it's, tell me when it's, tell me its time, tell me it's time, tell me it is time, let me know it's time, let me know it is time
  don't let me forget, do not let me forget, dont let me forget, make sure i, make sure i don't, make sure that i, ensure i, ensure that i, give me a reminder, give me an alert, send me a reminder, send me an alert, i need a reminder, i need an alarm, i want an alarm, i want a reminder, i need a new, i want a new, i would like a new, i'd like a new
  don't forget, do not forget, dont forget, be reminded, be notified, be alerted, be woken, be woken up, to be reminded, to be notified, get reminded, get notified, give me a heads up, give me a nudge, give me a ping, give me a warning, give me a call
`);

/** Verbs that take something away. */
export const deleteVerbs = new Phrases(`
  delete, remove, cancel, erase, clear, clean, clear out, clean out, clear off, clean up, clear up, get rid of, drop, eliminate, discard, dismiss, disable, deactivate, unset, scrap, wipe, wipe out, cross out, cross off, strike, strike off, strike out, undo, scratch, scratch off, forget about, dispose, dispose of, trash, dump, toss, take away, take off, take out, takeout
  subtract, exclude, omit, empty, abort, call off, withdraw, rm, uncheck, unschedule, ditch, kill, purge, nix, void, disregard, stop reminding me, stop alarm, stop alarms, stop the alarm, stop my alarm, stop all alarms, stop wake, silence, snooze, turn off, switch off, shut off, turn the alarm off, destroy, axe, reset
  skip, decline, reject, never mind the, nevermind the, leave out, cut, cut out, scrub, unfollow, uninvite, quit, end, shut up, mark out, rub out, cancellation of, removal of, deletion of, deleting, removing, cancelling, canceling, clearing, erasing, abolish, terminate, exterminate, detach, unlist, stop, take down, expunge, stop the, stop my, stop all
  do not remind, don't remind, dont remind, do not wake, don't wake, dont wake, do not need, don't need, dont need, no longer need, do away with, free up, ignore, throw away, throw out, forget the, forget my, forget alarm, rid
`);

/** Verbs among them that mean nothing else, wherever in a sentence they stand. */
export const plainDeleteVerbs = new Phrases('delete, remove, erase, cancel, get rid of, eliminate, clear my, clear the, clear all, discard');

/** Verbs whose particle stands behind their object: "take milk off my list", "cross the report off". */
export const partingVerbs = new Phrases('take, cross, strike, scratch, turn, switch, get, pull, knock, tick, move, keep, put, change, throw, shut, kick');

/** The same, said of the thing: "this event to be removed", "is no longer needed". */
export const deletedForms = new Phrases(`
  deleted, removed, cancelled, canceled, erased, cleared, wiped, discarded, eliminated, dismissed, disabled, silenced, gone, taken off, taken out, taken away, no longer needed, not needed, not required, not needed anymore, not needed any more, crossed off, emptied, come off, comes off, go away, disappear, called off, got called off, got cancelled, got canceled
`);

/** Verbs that ask to see something. */
export const showVerbs = new Phrases(`
  show, show me, show us, list, list out, list down, list all, tell me, tell, give me, give, read, read me, read out, read back, check, check out, checkout, check if, check whether, see, see if, see whether, find, find out, search, search for, look, look up, look for, look at, look in, look through, display, view, review, get, get me, pull up, bring up, open, open up, go to, go over, go through, fetch, retrieve, provide, present, print, describe, enumerate, name, count, report, confirm if, confirm i, confirm my, confirm the, confirm that, verify, let me know, let me see, let me hear, inform me, more about, more information, more info, more details, details, information on, information about, can i have, may i have, could i have, can i get, can i see, may i see, what, recite, repeat my, repeat the, explain, access, load, locate, pull, run through, tell us, update me on, fill me in on, brief me, brief me on, walk me through, take me through, run me through, talk me through, remind me of how, remind me what, remind me when, remind me where, remind me who, remind me which, remind me how, i need to know, i want to know, i would like to know, i'd like to know, i want to see, i would like to see, i'd like to see, need to know, want to know, want to see, know, see see, say, any, hear, remind me about my alarms, recall, browse, find me, ask
`);

/** Words that begin a question. */
export const questionWords = new Phrases(`
  what, what's, whats, what're, which, when, when's, whens, where, where's, wheres, who, who's, whos, whom, whose, how, how's, hows, how many, how soon, why, do, does, did, is, are, am, was, were, have, has, had, will, shall, should, isn't, aren't, don't i, doesn't, didn't, any, anything, is there, are there, at what time, with whom, with who, for whom, from whom, to whom, in which, at which, on what day, on which, for what, in what, whatever, what time, time is, what is, tell me, can i, may i, would, wht, wat
`);

/** Nouns that nothing but tasks, calendars, lists and reminders are called by. */
export const coreNouns = new Phrases(`
  calendar, calendars, calender, calandar, event, events, meeting, meetings, meting, appointment, appointments, appt, reminder, reminders, remainder, remainders, alarm, alarms, list, lists, schedule, schedules, scheduled, agenda, agendas, task, tasks, todo, todos, to do, to-do, to-dos, to dos, item, items, deadline, deadlines, planner, diary, chore, chores, errand, errands
  engagement, engagements, entry, entries, woken, plans, planned, booked, catalogue, register, checklist, wake up, wakeup, alert, alerts, notification, notifications, due, overdue, commitments, itinerary, notes, notepad, note pad, memo, memos, organizer, organiser, birthday, birthdays, anniversary, assignment, assignments, wishlist, wish list
`);

/** Nouns among them of which there is something to look at. */
export const recordNouns = new Phrases('calendar, calendars, calender, schedule, agenda, planner, diary, list, lists, reminder, reminders, alarm, alarms, event, events, meetings, appointments, notes, details');

/** The phrases, and their regular plurals. */
function withPlurals(phrases: string): [string, string] {
  return [phrases, phrases.replace(/(\p{L})[ ]*(?=[,\n])/gu, '$1s')];
}

/** Events of a calendar by name. */
export const eventNouns = new Phrases(...withPlurals(`
  party, parties, lunch, dinner, breakfast, brunch, class, classes, lesson, game, match, wedding, conference, concert, holiday, vacation, trip, visit, flight, exam, test, interview, call, church, gym, practice, practise, session,
  workshop, webinar, seminar, reservation, lunch date, dinner date, birthday, anniversary, marriage, exhibition, exhibit, fair, recital, inauguration, audition, hearing, screening, retreat, outing, celebration, potluck, lecture,
  tutorial, meetup, hangout, ceremony, funeral, festival, gathering, reunion, checkup, check-up, check up, haircut, hair cut, rehearsal, presentation, review, standup, stand-up, sync, tournament, picnic, barbecue, bbq, program,
  programme, payment, bill, mortgage, graduation, shower, launch, plan, activity, activities, function, get together, playdate, dentist, doctor, conference call, project, report, essay, invite, invitation
`), `
  training, day off, takes place, take place, taking place, yoga, rent, dinner reservations, shopping, groceries, grocery, milk, eggs, bread, homework, duties, work, medicine, medication, pills
`);

/** "am i free", "do i have anything on": asked of one's own time without naming the calendar. */
export const availability = new Phrases(`
  free, busy, available, booked, anything, something, doing, up to, supposed to, next, have to, got on, plans, do i have, have i, i have, i got, i set, i make, i made, remaining, did i do, have i done, are set, is set, set for, to buy, to pick up, to get, to complete, to finish
`);

/** The same, clear even without "i" when a day or time is named: "what's going on tomorrow". */
export const happening = new Phrases(`
  going on, coming up, planned, scheduled, lined up, in store, pending, upcoming, left to do, left for, to be done, on the agenda, due, on for, happening
`);

/** The beginning of a question for one's own duties. */
export const ownDuties = new Phrases(`
  what do i need, what do i have, what did i need, what else do i need, what else do i have, what do i still need, what do i still have, what have i got, am i supposed, what should i do, what should i be, what should i buy, what should i get, what must i, what did i plan, what did i schedule, what am i doing, what i need, what i have to, what we need, what do we need, what do we have, what are we doing, what am i up to, am i free, am i busy, am i available, am i booked, do i have anything, do i have any plans, do i have plans, have i missed anything, did i miss anything, did i miss any, did i forget, have i forgotten, through my day, of my day, on my day, of my week, my day look, my week look, my weekend look, my schedule look, my morning look, my afternoon look, do i need to buy, do i have to buy, do i need to do, do i have to do, do i need to get, do i have something
`);

/** Things that an assistant does or knows which are no tasks: music, mail, weather, lights, news, facts. */
export const otherNouns = new Phrases(...withPlurals(`
  weather, rain, raining, tornado, hurricane, flood, national holiday, public holiday, rainy, snow, snowing, sunny, temperature, forecast, humid, humidity, umbrella, degrees, cold, hot, warm, storm, cloudy, wind, windy, email, emails, e-mail, mail, mails, inbox, gmail, song, songs, music, playlist, album, artist, singer, band, track, tune, radio, podcast, podcasts, audiobook, audio, volume, news, headlines, headline, article, stock, stocks, shares, traffic, train, trains, bus, taxi, cab, uber, ticket, recipe, recipes, cook, cooking, light, lights, lamp, brightness
  joke, jokes, movie, movies, theater, theatre, twitter, tweet, facebook, instagram, exchange rate, currency, dollar, dollars, euro, time zone, timezone, vacuum, cleaner, robot, coffee, coffee maker, plug, socket, restaurant, restaurants, pizza, takeaway, takeout, delivery, order, contact, contacts, social media, tweets, messages, friend requests, number for, home number, work number, photos, ingredients, refrigerator, fridge, phone number, population, capital, president, meaning, definition, define, square root, plus, minus, multiplied, divided, price, status update, news feed, facebook feed, game, games, chess, jacket, coat, boots, scarf, hat, raincoat, sandals, sneakers, pants, sweater, shorts, gloves, sunscreen, sunglasses, wear, clothes to wear, nearby, near me, near by, near here, in my area, around me, around here, in town, in the area, in this city, channel, station, fm, color, colour, what time is it, current time, day of the week, speaker, speakers, genre, celebrity, actor, shuffle, shuffling, directions, route, hotel, store, shop, bar, pub, wemo, hue, bulb, post, message
`));

/** Verbs of sending and playing: what they name, a list or a meeting, is what is sent or played. */
export const sendingVerbs = new Phrases('play, send, send out, email, e-mail, mail, reply, respond, forward, tweet, post, start playing, start play, compose, write an email, write a mail, write email, begin playing');

/** Things among them that people go to or wait for at a time: "movie with dan friday at eight". */
export const outings = new Phrases('movie, movies, theater, theatre, restaurant, train, bus, ticket, game, hotel, bar, pub, coffee, delivery, band, cinema, museum, zoo, beach, shop, store, post office');

/** Verbs of what an assistant does itself, other than tasks. */
export const otherVerbs = new Phrases(`
  order, dim, brighten, mute, unmute, increase, decrease, lower, raise, louder, quieter, shuffle, queue, pause, resume, translate, convert, calculate, define, compute, navigate, drive, sing, sell, recommend, suggest, vacuum, hoover, brew, download, stream, listen, what does, who is, who was, spell, search the web, google, rate, like this, dislike
`);

/** Verbs of duties: a bare "pay the rent on friday" or "buy milk" is worth a task. */
export const dutyVerbs = new Phrases(`
  buy, call, phone, ring, pay, pick up, collect, finish, submit, fix, repair, wash, write, review, prepare, visit, renew, water, feed, walk, meet, attend, clean, return, deliver, study, practice, practise, contact, bring, take, ask, complete, file, sign, book, text, talk to, speak to, speak with, meet with, see the, go to, get, drop off, mail, send, email, update, order, follow up, check in, register for, apply, cancel my subscription, plan, research, replace, change, install, test, print, organise, organize, mow, iron, cook, bake, read, learn, exercise, work out, do the, do my, invite, confirm with, reply to, pack, move, sell, paint, drive, present, publish, deploy, release, ship, refactor, draft, hand in, turn in, catch up
`);

/** Verbs among them that are of as many other things: without a day or time they are no duty. */
export const vagueDutyVerbs = new Phrases('change, move, take, order, present, test, bring, ask, read, draft, go to, get, write, see the, drive, sell, cook, bake, do the, learn, update, mail, send, email, ring, text, install, print, turn in, talk to, contact, plan, book, research, pick up, exercise');

/** Words of approval. */
export const approvals = new Phrases(`
  yes, yeah, yep, yeap, yup, yea, ya, sure, ok, okay, correct, correctly, correcly, right, exactly, exact, perfect, perfectly, great, good, nice, fine, fantastic, wonderful, excellent, amazing, awesome, absolutely, definitely, certainly, of course, agree, agreed, confirmed, affirmative, indeed, true, alright, brilliant, well done, good job, go ahead, do it, go for it, proceed, that's it, thats it, sounds good, looks good, please do, by all means, cool, superb, precisely, accurate, totally, approved, approve, accept, accepted, got it, you got it, you got that, you get it, strongly agree, make it so, continue, why not, works for me, what i wanted, what i meant
`);

/** Words of refusal. */
export const refusals = new Phrases(`
  no, nope, nah, not, wrong, wrongly, incorrect, incorrectly, mistake, mistaken, mistakes, don't, dont, didn't, didnt, doesn't, doesnt, isn't, isnt, wasn't, wasnt, aren't, haven't, hasn't, can't, cannot, never mind, nevermind, negative, false, error, misunderstood, misunderstand, misheard, messed up, mess, screwed up, rectify, modify, bad, stop it, stop that, cancel that, cancel it, forget it, something else, never, disagree, decline, reject, rejected, deny, abort, unsatisfied, dissatisfied, improper, inaccurate, else, n't, goddammit, shit, dammit, damn, correct this, correct it, correct that, check the command, check the answer, check your answer, check your command, check again, check it again, try again, do it again, redo
`);

/** Words that may stand around approval and refusal and say nothing else. */
export const feedbackFiller = new Phrases(`
  's, oops, whoa, ah, aha, requested, request, requesting, check, modify, goddammit, goddamn, hell, stop, kindly, change, fix, review, verify, revise, really, actually, he, she, they, want, needed, need, expected, expecting, supposed, output, outcome, words, word, statement, sentence, query, instead, different, other, another, thing, correctness, any, no, yet, either, even, only, still, reply, responded, hearing, talking, about, referring, provide, provided, act, acted, execute, executed, perform, performed, carried, following, followed, clearly,   i, you, you've, youve, you're, your, i'm, am, have, has, had, was, were, is, it, it's, its, that, that's, thats, this, the, a, an, to, of, in, me, my, for, think, thing, things, understood, understand, understanding, interpreted, interpret, instructions, instruction, command, commands, response, responses, answer, answers, request, task, got, get, gotten, gets, did, done, do, doing, does, well, so, very, really, just, please, thanks, thank, sorry, but, and, uhh, uh, uhm, um, oh, hmm, wait, hey, strongly, job, olly, olly's, said, say, saying, asked, ask, asking, wanted, want, looking, searching, what, information, info, manner, all, way, must, be, sure, make, because, sound, sounds, with, up, told, gave, give, given, name, quite, too, again, are, as, at, by, from, will, repeat, now, meant, mean, one, out, work, works, yours, would, like, totally, completely, not, into, leading, made, there, some, something, right, date, action, what's, whats, i've, interpretation, interpreting, heard, hear, reply, result, perfectly, here, we, let, let's, then, on, delete it, delete them, delete that, remove it, remove them, remove that, add it, add them, save it, clear it, clear them, erase it, create it, set it, move it, schedule it, kidding, believe, guess, afraid
`);

/** Relations and offices that name a person, or several. */
export const relations = new Set('mom mum mother dad father brother sister wife husband son daughter uncle aunt cousin grandma grandpa grandmother grandfather nephew niece boss manager colleague coworker friend girlfriend boyfriend fiance fiancee partner neighbor neighbour teacher landlord client team ceo dentist doctor kids parents family mommy daddy roommate secretary assistant lawyer accountant stepmother stepfather granddaughter grandson godmother godfather twin spouse in-laws inlaws supervisor director president chairman cfo cto coo vp therapist physician pediatrician psychiatrist plumber electrician tutor coach trainer babysitter nanny buddy bestie professor employee employer customer staff'.split(' ').flatMap((name) => [name, `${name}s`]));

/** Forms of address before a name. */
export const honorifics = new Set('mr mrs ms miss dr doctor prof professor sir madam mister uncle aunt'.split(' '));

/** Words that end a name, a place or a list: prepositions, conjunctions, pronouns, verbs of the frame. */
export const functionWords = new Set(`
  a an the my our your his her their its this that these those some any all every each i you he she it we they me him us them to of in on at by for with from into onto off out about as is are was were be been am do does did have has had will would can could should shall may might must
  and or but if so than then when where which who whom what how why because while before after during until till since between up down over under again please not no nor only just also too very there here now today tomorrow tonight next last per via 's
`.trim().split(/\s+/));

/** Some given names that are common in English text; other names are told by the words beside them. */
export const givenNames = new Set(`
  james john robert michael william david richard joseph thomas charles christopher daniel matthew anthony mark donald steven steve paul andrew joshua kenneth kevin brian george edward ronald timothy jason jeffrey jeff ryan jacob gary nicholas eric jonathan stephen larry justin scott brandon benjamin samuel sam gregory frank alexander alex patrick raymond jack dennis jerry tyler aaron jose adam henry nathan douglas zachary peter kyle walter ethan jeremy harold keith christian roger noah gerald carl terry sean austin arthur lawrence jesse dylan bryan joe jordan billy bruce albert willie gabriel logan alan juan wayne roy ralph randy eugene vincent russell elijah louis bobby philip phil johnny jim jimmy tom tim bob rob mike dave dan matt chris nick ben tony greg pat fred ted ken larry al luke max oliver leo ahmed ali omar rahul raj
  mary patricia jennifer linda elizabeth barbara susan jessica sarah karen lisa nancy betty margaret sandra ashley kimberly emily donna michelle dorothy carol amanda melissa deborah stephanie rebecca sharon laura cynthia kathleen amy angela shirley anna brenda pamela emma nicole helen samantha katherine christine debra rachel carolyn janet catherine maria heather diane ruth julie olivia joyce virginia victoria kelly lauren christina joan evelyn judith megan andrea cheryl hannah jacqueline martha gloria teresa ann sara madison frances kathryn janice jean abigail alice julia judy sophia grace denise amber doris marilyn danielle beverly isabella theresa diana natalie brittany charlotte marie kayla alexis lori kate jenny jen sue sally jane kim beth liz katie debbie sheila fatima layla priya
`.trim().split(/\s+/));
