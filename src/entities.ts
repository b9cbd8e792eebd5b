// Every table, for the ORM and the migrations.
import { AuthSession, Member, User, Workspace } from './accounts/entity.ts';
import { ChatEvent, ChatSession, Citation, DeletedSession, Interrupt, Message, MessageBlock, ModelAttempt, Run, RunStep, ToolCall } from './chat/entity.ts';
import {
  Document, DocumentChunk, DocumentFile, DocumentPart, DocumentText, DocumentVersion, IngestionJob, Posting, ProfileDocument,
} from './documents/entity.ts';
import { Profile, ProfileVersion } from './profiles/entity.ts';
import { Provider } from './providers/entity.ts';
import { DeletedTask, Task } from './tasks/entity.ts';
import { UsageEntry } from './usage/entity.ts';

export const entities = [
  User, Workspace, Member, AuthSession,
  Provider,
  UsageEntry,
  Profile, ProfileVersion,
  Document, DocumentFile, DocumentVersion, DocumentPart, DocumentText, DocumentChunk, Posting, IngestionJob, ProfileDocument,
  Task, DeletedTask,
  ChatSession, DeletedSession, Message, MessageBlock, Citation, Run, RunStep, ModelAttempt, ToolCall, Interrupt, ChatEvent,
];
