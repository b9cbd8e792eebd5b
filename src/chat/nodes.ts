// The nodes of chats: sessions, messages and runs, as far as the viewer may see them.
import { scoped } from '../accounts/scoped.ts';
import { builder, connection, onlyUuids } from '../builder.ts';
import type { Context } from '../context.ts';
import { ChatSession, Message, Run } from './entity.ts';
import { visibleSessions } from './sessions.ts';

/** A session that the viewer may see. */
export const ChatSessionNode = builder.loadableNodeRef('ChatSession', {
  id: { resolve: (session) => session.id },
  sort: (session: ChatSession) => session.id,
  load: async (ids: string[], ctx: Context) => (ctx.viewer ? ((await visibleSessions(ctx).selectAll().where('id', 'in', onlyUuids(ids)).execute()) as ChatSession[]) : []),
});
/** A message of a session that the viewer may see. */
export const MessageNode = builder.loadableNodeRef('Message', {
  id: { resolve: (message) => message.id },
  sort: (message: Message) => message.id,
  load: async (ids: string[], ctx: Context) =>
    ctx.viewer
      ? ((await scoped(ctx, Message).select().selectAll().where('id', 'in', onlyUuids(ids)).where('sessionId', 'in', visibleSessions(ctx).select('chat_session.id')).execute()) as Message[])
      : [],
});
/** A run of a session that the viewer may see. */
export const RunNode = builder.loadableNodeRef('Run', {
  id: { resolve: (run) => run.id },
  sort: (run: Run) => run.id,
  load: async (ids: string[], ctx: Context) =>
    ctx.viewer
      ? ((await scoped(ctx, Run).select().selectAll().where('id', 'in', onlyUuids(ids)).where('sessionId', 'in', visibleSessions(ctx).select('chat_session.id')).execute()) as Run[])
      : [],
});

export const MessageConnection = connection<Message>('Message', MessageNode as never, 'messages');
export const RunConnection = connection<Run>('Run', RunNode as never, 'runs');
export const ChatSessionConnection = connection<ChatSession>('ChatSession', ChatSessionNode as never, 'chat sessions');
