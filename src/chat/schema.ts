// How chats are asked: sessions, messages, runs and the stream, each in a file of its own.
import './session-schema.ts';
import './message-schema.ts';
import './run-schema.ts';
import './stream-schema.ts';
