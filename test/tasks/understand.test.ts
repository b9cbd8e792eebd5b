import { describe, expect, it } from 'vitest';
import { listName } from '../../src/tasks/english/lists.ts';
import { understand, type Understood } from '../../src/tasks/english/understand.ts';

/** What a sentence must be understood as; properties that are not named are not looked at. */
type Expected = Partial<Omit<Understood, 'spans' | 'confidence'>>;

function check(rows: readonly (readonly [string, Expected])[]): void {
  it.each(rows)('%s', (text, expected) => {
    const { confidence, spans: _, ...understood } = understand(text);
    expect(understood).toMatchObject(expected);
    expect(confidence).toBeGreaterThan(0);
    expect(confidence).toBeLessThanOrEqual(1);
  });
}

describe('a task is created by', () => {
  check([
    ['remind me to call my sister tomorrow at six pm', { operation: 'create', title: 'call my sister', dateText: 'tomorrow', timeText: 'six pm', dueText: 'tomorrow six pm', people: ['sister'] }],
    ['Remind me to submit the timesheet every friday at four', { operation: 'create', title: 'submit the timesheet', recurrence: 'every friday', dateText: 'every friday', timeText: 'four', all: false }],
    ['please remind me about the parents meeting on the twelfth of may', { operation: 'create', title: 'parents meeting', dateText: 'the twelfth of may' }],
    ['remind me in forty minutes to turn the oven off', { operation: 'create', title: 'turn the oven off', timeText: 'in forty minutes', dueText: 'in forty minutes' }],
    ['could you add olive oil to my grocery list please', { operation: 'create', title: 'olive oil', list: 'grocery list' }],
    ['add nails, screws and glue to the hardware list', { operation: 'create', title: 'nails screws and glue', list: 'hardware list' }],
    ['put sunscreen on the packing list', { operation: 'create', title: 'sunscreen', list: 'packing list' }],
    ['start a new list of films to watch', { operation: 'create', title: null, list: 'list of films to watch' }],
    ['make a list called camping gear', { operation: 'create', list: 'list called camping gear' }],
    ['add shampoo to toiletries', { operation: 'create', title: 'shampoo', list: 'toiletries' }],
    ['schedule a project review with Nadia and Henrik next tuesday at 10:30', { operation: 'create', title: 'project review with Nadia and Henrik', dateText: 'next tuesday', timeText: '10:30', people: ['Nadia', 'Henrik'] }],
    ['set up an appointment with doctor brown for the day after tomorrow', { operation: 'create', title: 'appointment with doctor brown', dateText: 'the day after tomorrow', people: ['doctor brown'] }],
    ['create a task called renew insurance due by the end of the month', { operation: 'create', title: 'renew insurance', dateText: 'by the end of the month' }],
    ['new task: order business cards #office', { operation: 'create', title: 'order business cards', tags: ['office'] }],
    ['note down dinner with aunt rosa on saturday evening', { operation: 'create', title: 'dinner with aunt rosa', dateText: 'saturday', timeText: 'evening' }],
    ['wake me up at quarter to seven', { operation: 'create', timeText: 'quarter to seven' }],
    ['set an alarm for half past five', { operation: 'create', title: null, timeText: 'half past five' }],
    ["don't let me forget the recital on thursday", { operation: 'create', title: 'recital', dateText: 'thursday' }],
    ["don't forget to pay the gardener", { operation: 'create', title: 'pay the gardener' }],
    ['i have a job interview on the nineteenth at nine can you remind me', { operation: 'create', title: 'job interview', dateText: 'the nineteenth', timeText: 'nine' }],
    ['dentist on monday at three pm', { operation: 'create', title: 'dentist', dateText: 'monday', timeText: 'three pm' }],
    ['i need you to plan a picnic for this weekend', { operation: 'create', title: 'picnic', dateText: 'this weekend' }],
    ['tomorrow morning remind me to defrost the chicken', { operation: 'create', title: 'defrost the chicken', dateText: 'tomorrow', timeText: 'morning' }],
    ['buy stamps', { operation: 'create', title: 'buy stamps' }],
    ['pay the rent on the first, high priority', { operation: 'create', title: 'pay the rent', dateText: 'the first', priority: 'HIGH' }],
    ['urgent: phone the landlord', { operation: 'create', title: 'phone the landlord', priority: 'URGENT' }],
    ['add "water the ferns" with low priority', { operation: 'create', title: 'water the ferns', priority: 'LOW' }],
    ['an item to be added to my calendar for wednesday', { operation: 'create', dateText: 'wednesday' }],
    ['tell me on sunday to ring grandpa', { operation: 'create', title: 'ring grandpa', dateText: 'sunday', people: ['grandpa'] }],
    ['book the meeting room at the library for noon on friday', { operation: 'create', dateText: 'friday', timeText: 'noon', location: 'library' }],
    ['remind me an hour before the flight on march third', { operation: 'create', title: 'flight', dateText: 'march third', timeText: 'an hour before', dueText: 'march third' }],
    ['add a weekly standup to my calendar', { operation: 'create', title: 'weekly standup', recurrence: 'weekly' }],
    ['every second thursday at eight remind me to put the bins out', { operation: 'create', title: 'put the bins out', recurrence: 'every second thursday', timeText: 'eight' }],
    ['schedule dinner on friday with sara', { operation: 'create', title: 'dinner with sara', people: ['sara'] }],
    ['have lunch with dan tomorrow at noon', { operation: 'create', title: 'lunch with dan', dateText: 'tomorrow', timeText: 'noon', people: ['dan'] }],
    ['let me know when the match starts', { operation: 'create' }],
    ['movie with olivia friday at eight', { operation: 'create', title: 'movie with olivia', dateText: 'friday', timeText: 'eight' }],
    ['make a note to buy cheese', { operation: 'create', title: 'buy cheese' }],
    ['i want to be notified about the recital', { operation: 'create', title: 'recital' }],
    ['open a new list', { operation: 'create', title: null }],
  ]);
});

describe('tasks are asked for by', () => {
  check([
    ['what do i have to do today', { operation: 'query', title: null, dateText: 'today' }],
    ["what's on my packing list", { operation: 'query', list: 'packing list', title: null }],
    ['do i have any meetings with laura this week', { operation: 'query', title: 'meetings with laura', dateText: 'this week', people: ['laura'] }],
    ['am i free on thursday afternoon', { operation: 'query', dateText: 'thursday', timeText: 'afternoon' }],
    ['when is my next haircut', { operation: 'query', title: 'haircut' }],
    ['show me everything on friday in my calendar', { operation: 'query', all: true, dateText: 'friday' }],
    ['list all my reminders', { operation: 'query', all: true, title: null }],
    ['how many alarms are set for tomorrow', { operation: 'query', dateText: 'tomorrow' }],
    ['which tasks are overdue', { operation: 'query', overdue: true, title: null }],
    ['show my completed tasks', { operation: 'query', status: 'DONE' }],
    ['which tasks are in progress', { operation: 'query', status: 'IN_PROGRESS' }],
    ['are there any urgent tasks', { operation: 'query', priority: 'URGENT' }],
    ['list everything tagged #garden', { operation: 'query', tags: ['garden'] }],
    ["tomorrow's schedule please", { operation: 'query', dateText: "tomorrow's" }],
    ['check if the choir rehearsal is still on wednesday', { operation: 'query', title: 'choir rehearsal', dateText: 'wednesday' }],
    ['remind me what i have planned for sunday', { operation: 'query', dateText: 'sunday' }],
    ["what's going on between two and four pm", { operation: 'query', timeText: 'between two and four pm' }],
    ['is the report done', { operation: 'query', title: 'report' }],
    ['have i got a meeting on monday', { operation: 'query', title: 'meeting', dateText: 'monday' }],
    ['let me know when the meeting is', { operation: 'query', title: 'meeting' }],
    ['calendar for today', { operation: 'query', dateText: 'today', title: null }],
    ['what does my week look like', { operation: 'query' }],
    ['is saturday free', { operation: 'query', dateText: 'saturday' }],
    ['read my to do list', { operation: 'query', list: 'to do list' }],
    ['any appointments after three pm', { operation: 'query', title: 'appointments', timeText: 'after three pm' }],
  ]);
});

describe('a task is taken away by', () => {
  check([
    ['delete the piano lesson on tuesday', { operation: 'delete', title: 'piano lesson', dateText: 'tuesday', all: false }],
    ['cancel all my meetings for next week', { operation: 'delete', title: 'meetings', all: true, dateText: 'next week' }],
    ['please take butter off my shopping list', { operation: 'delete', title: 'butter', list: 'shopping list' }],
    ['get the eggs off my list', { operation: 'delete', title: 'eggs' }],
    ['get rid of the old reminder about the boiler', { operation: 'delete' }],
    ['clear my calendar for the rest of the week', { operation: 'delete', title: null, all: true, dateText: 'the rest of the week' }],
    ['remove envelopes from stationery', { operation: 'delete', title: 'envelopes', list: 'stationery' }],
    ['turn off my six am alarm', { operation: 'delete', timeText: 'six am' }],
    ['find my next event and delete it', { operation: 'delete' }],
    ["i don't need the reminder about the plumber any more", { operation: 'delete', title: 'plumber' }],
    ['i want the yoga event to be removed from my calendar', { operation: 'delete' }],
    ['erase everything on saturday', { operation: 'delete', all: true, title: null, dateText: 'saturday' }],
    ['i already bought eggs take them off the list', { operation: 'delete', title: 'eggs' }],
    ["i won't be going to the wedding", { operation: 'delete', title: 'wedding' }],
    ['delete all my done tasks', { operation: 'delete', all: true, status: 'DONE', title: null }],
    ["cancel susan's farewell party", { operation: 'delete', title: "susan's farewell party", people: ['susan'] }],
  ]);
});

describe('a task is changed by', () => {
  check([
    ['mark the tax return as done', { operation: 'update', title: 'tax return', change: { status: 'DONE' } }],
    ['please mark water the ferns as completed', { operation: 'update', title: 'water the ferns', change: { status: 'DONE' } }],
    ['i finished the quarterly report', { operation: 'update', title: 'quarterly report', change: { status: 'DONE' } }],
    ["I'm done with the ironing", { operation: 'update', title: 'ironing', change: { status: 'DONE' } }],
    ['the invoice for acme is done', { operation: 'update', title: 'invoice for acme', change: { status: 'DONE' } }],
    ['check off buy stamps', { operation: 'update', title: 'buy stamps', change: { status: 'DONE' } }],
    ['set the slides to in progress', { operation: 'update', title: 'slides', change: { status: 'IN_PROGRESS' } }],
    ["i'm working on the budget", { operation: 'update', title: 'budget', change: { status: 'IN_PROGRESS' } }],
    ['mark the picnic as cancelled', { operation: 'update', title: 'picnic', change: { status: 'CANCELLED' } }],
    ['reopen the boiler task', { operation: 'update', title: 'boiler', change: { status: 'OPEN' } }],
    ['rename gym to swimming', { operation: 'update', title: 'gym', change: { title: 'swimming' } }],
    ['Rename "call Bob" to "Call Robert"', { operation: 'update', title: 'call Bob', change: { title: 'Call Robert' } }],
    ['move the demo from monday to tuesday at 3pm', { operation: 'update', title: 'demo', dateText: 'monday', change: { dueText: 'tuesday at 3pm' } }],
    ['postpone the call with the bank until next week', { operation: 'update', title: 'call with the bank', change: { dueText: 'next week' } }],
    ['delay the oven check until five pm', { operation: 'update', title: 'oven check', change: { dueText: 'five pm' } }],
    ['change the due date of the essay to december first', { operation: 'update', title: 'essay', change: { dueText: 'december first' } }],
    ['reschedule the viewing', { operation: 'update', title: 'viewing', change: {} }],
    ['make the tax return urgent', { operation: 'update', title: 'tax return', change: { priority: 'URGENT' } }],
    ['set the priority of the audit to low', { operation: 'update', title: 'audit', change: { priority: 'LOW' } }],
    ['tag the report with #work #q4', { operation: 'update', title: 'report', change: { tags: ['work', 'q4'] } }],
    ['tag water the ferns with #garden', { operation: 'update', title: 'water the ferns', change: { tags: ['garden'] } }],
    ['mark everything on my shopping list as done', { operation: 'update', list: 'shopping list', all: true, change: { status: 'DONE' } }],
  ]);
});

describe('an answer is', () => {
  check([
    ['yes', { operation: 'confirm' }],
    ['Yes, please do!', { operation: 'confirm' }],
    ["that's right", { operation: 'confirm' }],
    ['go ahead', { operation: 'confirm' }],
    ['perfect, you understood me', { operation: 'confirm' }],
    ['no', { operation: 'reject' }],
    ['nope, not that one', { operation: 'reject' }],
    ["that's not what i asked for", { operation: 'reject' }],
    ['never mind', { operation: 'reject' }],
    ['cancel that', { operation: 'reject' }],
    ["i think you've got it wrong", { operation: 'reject' }],
  ]);
});

describe('nothing is done about tasks for', () => {
  check([
    ['what is the weather like in oslo tomorrow', { operation: 'none', change: null }],
    ['play some jazz', { operation: 'none' }],
    ['send an email to carla about the meeting', { operation: 'none' }],
    ['how tall is the eiffel tower', { operation: 'none' }],
    ['turn off the lights in the kitchen', { operation: 'none' }],
    ['tell me a joke', { operation: 'none' }],
    ['what does the contract say about termination', { operation: 'none' }],
    ['list the latest headlines', { operation: 'none' }],
    ['what events are near me this evening', { operation: 'none' }],
    ['hello there', { operation: 'none' }],
    ["what is today's date", { operation: 'none' }],
    ['', { operation: 'none', title: null, tags: [], people: [] }],
    ['   \n\t ', { operation: 'none' }],
    ['?!… ---', { operation: 'none' }],
    ['🎉🎉 👩‍👩‍👧', { operation: 'none' }],
    ['明日の会議を教えて', { operation: 'none' }],
    ['Erinnere mich morgen an den Zahnarzt', { operation: 'none' }],
    ['ما هي مهامي اليوم', { operation: 'none' }],
    ['\u0000\uD800 \uFFFF', { operation: 'none' }],
  ]);
});

describe('what people type into a task list is understood', () => {
  check([
    ['buy milk tomorrow 5pm #errands !high', { operation: 'create', title: 'buy milk', dateText: 'tomorrow', timeText: '5pm', tags: ['errands'], priority: 'HIGH' }],
    ['fix the login bug p1', { operation: 'create', title: 'fix the login bug', priority: 'URGENT' }],
    ['high priority: fix the login bug by tomorrow', { operation: 'create', title: 'fix the login bug', priority: 'HIGH', dateText: 'tomorrow' }],
    ['todo: fix the sink', { operation: 'create', title: 'fix the sink', list: null }],
    ['note to self: check the tyre pressure', { operation: 'create', title: 'check the tyre pressure' }],
    ['call mom @ 5pm', { operation: 'create', title: 'call mom', timeText: '5pm', people: ['mom'] }],
    ['dentist appt next tue 3pm', { operation: 'create', title: 'dentist appt', dateText: 'next tue', timeText: '3pm' }],
    ['send the report to Anna by friday', { operation: 'create', title: 'send the report to Anna', dateText: 'friday', people: ['Anna'] }],
    ['take out the trash every thursday evening', { operation: 'create', title: 'take out the trash', recurrence: 'every thursday' }],
    ['complete the tax form by friday', { operation: 'create', title: 'complete the tax form', dateText: 'friday' }],
    ['drinks with the team on friday at six', { operation: 'create', title: 'drinks with the team' }],
    ['homework due tomorrow', { operation: 'create', title: 'homework', dateText: 'tomorrow' }],
    ['complete the report', { operation: 'update', title: 'report', change: { status: 'DONE' } }],
    ['done with the report', { operation: 'update', title: 'report', change: { status: 'DONE' } }],
    ['move dentist to fri 3pm', { operation: 'update', title: 'dentist', change: { dueText: 'fri 3pm' } }],
    ['move dentist to sat 3pm', { operation: 'update', title: 'dentist', change: { dueText: 'sat 3pm' } }],
    ['move the meeting with bob from 3 to 4', { operation: 'update', title: 'meeting with bob', change: { dueText: '4' } }],
    ['snooze the bills task for 2 hours', { operation: 'update', title: 'bills', change: { shift: { unit: 'minute', amount: 120 } } }],
    ["what's next", { operation: 'query', title: null }],
    ["what's on today?", { operation: 'query', title: null, dateText: 'today' }],
    ['what am i doing tonight', { operation: 'query', title: null, timeText: 'tonight' }],
    ['overdue tasks', { operation: 'query', overdue: true, title: null }],
    ['to do list for today', { operation: 'query', list: 'to do list', dateText: 'today' }],
    ['find the task about the invoice', { operation: 'query', title: 'invoice' }],
    ['delete the task feed the dragon', { operation: 'delete', title: 'feed the dragon' }],
    ['mark the task buy milk as done', { operation: 'update', title: 'buy milk' }],
    ['clear completed', { operation: 'delete' }],
    ['erase my next calendar event', { operation: 'delete', all: false }],
    ['👍', { operation: 'confirm' }],
    ['👎', { operation: 'reject' }],
    ['y', { operation: 'confirm' }],
    ['yes please delete it', { operation: 'confirm' }],
    ['i said friday, not monday', { operation: 'reject' }],
  ]);
});

describe('what looks like the one is the other:', () => {
  check([
    ['i want to go to the opera on friday', { operation: 'create', dateText: 'friday' }],
    ['i want to do the laundry at eight, create a reminder', { operation: 'create' }],
    ['can i get a reminder for my meeting tomorrow', { operation: 'create', title: 'meeting' }],
    ['when i have a meeting at five remind me an hour before', { operation: 'create' }],
    ['could you have the alarm go off at six', { operation: 'create', timeText: 'six' }],
    ['how about adding a lunch with tom on friday', { operation: 'create', title: 'lunch with tom' }],
    ["i don't want to miss the recital on monday", { operation: 'create' }],
    ['i have a meeting at noon, do i', { operation: 'query', title: 'meeting' }],
    ['i forgot when my haircut is', { operation: 'query', title: 'haircut' }],
    ['remind me of my schedule for today', { operation: 'query', dateText: 'today' }],
    ['check if friday is free', { operation: 'query', dateText: 'friday' }],
    ['have my meetings been moved', { operation: 'query' }],
    ['please do not remind me about the event', { operation: 'delete' }],
    ["i can't make it to the rehearsal on monday", { operation: 'delete', title: 'rehearsal', dateText: 'monday' }],
    ["i don't need to call bob anymore", { operation: 'delete', title: 'call bob', people: ['bob'] }],
    ['is there a way to clear my calendar', { operation: 'delete', all: true }],
    ['make my friday clear', { operation: 'delete', title: null, dateText: 'friday' }],
    ['would you mind deleting the picnic', { operation: 'delete', title: 'picnic' }],
    ['i want to do yoga on monday', { operation: 'create', title: 'yoga' }],
    ['could you have the milk removed from my list', { operation: 'delete' }],
    ['do not save the event', { operation: 'delete' }],
    ["you don't need to remind me about lunch", { operation: 'delete' }],
    ['i do not want to be reminded of lunch', { operation: 'delete' }],
    ['there will be no meeting on friday', { operation: 'delete', title: 'meeting' }],
    ['we should cancel the meeting', { operation: 'delete', title: 'meeting' }],
    ['alarm stop', { operation: 'delete' }],
    ['check my calendar and delete the meeting with tom', { operation: 'delete', title: 'meeting with tom' }],
    ['check my calendar and schedule a meeting with amy', { operation: 'create', title: 'meeting with amy' }],
    ['open a reminder about the managers meeting', { operation: 'create' }],
    ['open the grocery list', { operation: 'query', list: 'grocery list' }],
    ['i need the grocery list', { operation: 'query', list: 'grocery list' }],
    ['i need a grocery list', { operation: 'create', list: 'grocery list' }],
    ['tell everyone about the meeting at five', { operation: 'create' }],
    ['tell me about the meeting at five', { operation: 'query', title: 'meeting', timeText: 'five' }],
    ['plan for tomorrow', { operation: 'query', dateText: 'tomorrow' }],
    ['plan a party for tomorrow', { operation: 'create', title: 'party', dateText: 'tomorrow' }],
    ['tell me before the rehearsal starts', { operation: 'create' }],
    ['drop the picnic into my calendar', { operation: 'create' }],
    ['drop the picnic', { operation: 'delete', title: 'picnic' }],
    ['the picnic should be in my calendar', { operation: 'create' }],
    ['tell me once again', { operation: 'none' }],
    ['tell me when the car is ready', { operation: 'none' }],
    ['when is jim coming', { operation: 'query' }],
    ['have i missed anything', { operation: 'query', title: null }],
    ['what does my friday look like', { operation: 'query', title: null, dateText: 'friday' }],
    ['write a poem about autumn', { operation: 'none' }],
    ['what is the difference between the two plans', { operation: 'none' }],
    ['explain how the notice period works', { operation: 'none' }],
  ]);
});

describe('people, lists and times are told by the words around them:', () => {
  check([
    ["buy a present for carla's birthday", { people: ['carla'] }],
    ['set a reminder for carlas birthday', { people: ['carlas'] }],
    ['have lunch with mike hartwell on friday', { people: ['mike hartwell'] }],
    ['call anna asap', { people: ['anna'], priority: 'URGENT' }],
    ['schedule the staff meeting for monday', { people: [] }],
    ['a meeting with the cfo at nine', { people: ['the cfo'] }],
    ['delete the list camping gear', { operation: 'delete', list: 'list camping gear' }],
    ['what is on the shopping and chores list', { operation: 'query', list: 'shopping and chores list', title: null }],
    ['add dune to my must see list', { operation: 'create', list: 'must see list', title: 'dune' }],
    ['create a list named weekend jobs', { operation: 'create', list: 'list named weekend jobs', title: null }],
    ['add a new item to list', { operation: 'create', list: null }],
    ['add gloves to my pick up list', { operation: 'create', title: 'gloves', list: 'pick up list' }],
    ['pay the bill on the fifteenth of every month', { recurrence: 'the fifteenth of every month', title: 'pay the bill' }],
    ['lunch at twelve noon on friday', { timeText: 'twelve noon', dateText: 'friday' }],
    ['send it by the end of the day', { timeText: 'by the end of the day', dateText: 'by the end of the day' }],
    ['show my agenda for the week', { dateText: 'the week', operation: 'query' }],
  ]);
});

describe('slips of the pen in the words that decide are read, and kept where they stand in the text:', () => {
  check([
    ['cancle my swimming on thrusday', { operation: 'delete', title: 'swimming', dateText: 'thrusday' }],
    ['shedule an apointment with amy for tomorow', { operation: 'create', title: 'apointment with amy', dateText: 'tomorow', people: ['amy'] }],
    ['remnid me to water the fern', { operation: 'create', title: 'water the fern' }],
    ['what is on my calender for the remainder of the week', { operation: 'query', dateText: 'the remainder of the week' }],
    ['rewind the song', { operation: 'none' }],
  ]);
});

describe('the spans', () => {
  it('stand in the text where they say, also behind emoji and curly apostrophes', () => {
    const text = '🎂 remind me about Zoë’s party on Friday at 7:30 pm #family — high priority';
    const { spans, people, tags, dateText, timeText } = understand(text);
    for (const span of spans) expect(text.slice(span.start, span.end)).toBe(span.text);
    expect({ people, tags, dateText, timeText }).toEqual({ people: ['Zoë'], tags: ['family'], dateText: 'Friday', timeText: '7:30 pm' });
    expect(spans.map(({ property }) => property)).toEqual(expect.arrayContaining(['title', 'dateText', 'timeText', 'people', 'tags', 'priority']));
    expect([...spans].sort((a, b) => a.start - b.start || a.end - b.end)).toEqual(spans);
  });

  it('keep a title that a time stands in the middle of in both its parts', () => {
    const { title, spans } = understand('remind me to call ivan on monday about the lease');
    expect(title).toBe('call ivan about the lease');
    expect(spans.filter(({ property }) => property === 'title').map(({ text }) => text)).toEqual(['call ivan', 'about the lease']);
  });

  it('of the new day of a task are apart from those of the day by which it is found', () => {
    const { spans } = understand("move friday's gym to saturday");
    expect(spans.filter(({ property }) => property === 'dateText' || property === 'newDue').map(({ property, text }) => [property, text])).toEqual([['dateText', "friday's"], ['newDue', 'saturday']]);
  });
});

it('a list has a bare name', () => {
  expect(['grocery list', 'list of books', 'list called camping gear', 'to do list', 'Groceries', 'list for the party'].map(listName)).toEqual(['grocery', 'books', 'camping gear', 'to do', 'groceries', 'party']);
});

it('100 KB of anything take about as long as 100 KB of anything else', () => {
  const seeds = [
    'a', 'every ', 'list of ', 'twenty ', "'s ", '#', 'with john and ', 'monday and ', ' ', "a'", 'a:', 'and delete it ', 'no ', 'yes ', 'to do ', 'the next ', '😀', '\n', 'half past ', 'move x to friday ', 'mark done ', '1:', '1.', '-', 'please ',
    'between three and ', "john's ", 'on a list ', 'high priority ', 'take it ', 'remind me to ', 'do i have ', '"', '\uD800',
  ];
  // Processor time, of which other programs take none; the best of several, because collecting garbage only adds.
  const timed = (seed: string): number => {
    const text = seed.repeat(Math.ceil(100_000 / seed.length));
    const times = Array.from({ length: 5 }, () => {
      const start = process.cpuUsage();
      understand(text);
      return process.cpuUsage(start).user / 1000;
    });
    return Math.min(...times);
  };
  const ordinary = Math.max(...Array.from({ length: 3 }, () => timed('remind me to water the ferns on monday at five pm, and delete the list of books. ')), 2);
  const slow = seeds.map((seed) => ({ seed, ratio: timed(seed) / ordinary })).filter(({ ratio }) => ratio > 10);
  expect(slow).toEqual([]);
}, 120_000);
