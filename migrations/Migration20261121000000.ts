import { Migration } from '@mikro-orm/migrations';

export class Migration20261121000000 extends Migration {

  override name = 'Migration20261121000000';

  override up(): void | Promise<void> {
    this.addSql(`create table "user" ("id" uuid not null, "email" text not null, "name" text not null, "password_hash" text not null, "last_workspace_id" uuid null, "created_at" timestamptz not null, "updated_at" timestamptz not null, primary key ("id"));`);
    this.addSql(`alter table "user" add constraint "user_email_unique" unique ("email");`);

    this.addSql(`create table "auth_session" ("id" uuid not null, "user_id" uuid not null, "workspace_id" uuid not null, "user_agent" text null, "generation" int not null, "created_at" timestamptz not null, "last_seen_at" timestamptz not null, "expires_at" timestamptz not null, "revoked_at" timestamptz null, primary key ("id"));`);
    this.addSql(`create index "auth_session_user_id_index" on "auth_session" ("user_id");`);

    this.addSql(`create table "workspace" ("id" uuid not null, "name" text not null, "slug" text not null, "default_profile_id" uuid null, "embedding_model_id" text not null, "created_at" timestamptz not null, primary key ("id"));`);
    this.addSql(`alter table "workspace" add constraint "workspace_slug_unique" unique ("slug");`);

    this.addSql(`create table "profile" ("id" uuid not null, "workspace_id" uuid not null, "slug" text not null, "name" text not null, "description" text null, "current_version" int not null, "created_at" timestamptz not null, "updated_at" timestamptz not null, "archived_at" timestamptz null, primary key ("id"));`);
    this.addSql(`alter table "profile" add constraint "profile_workspace_id_slug_unique" unique ("workspace_id", "slug");`);

    this.addSql(`create table "profile_version" ("id" uuid not null, "workspace_id" uuid not null, "profile_id" uuid not null, "number" int not null, "created_by_id" uuid null, "change_note" text null, "system_prompt" text not null, "model_id" text null, "fallback_model_ids" text[] not null, "temperature" double precision not null, "max_output_tokens" int not null, "retrieval" jsonb not null, "tool_names" text[] not null, "graph" jsonb not null, "cache_answers" boolean not null, "created_at" timestamptz not null, primary key ("id"));`);
    this.addSql(`create index "profile_version_workspace_id_index" on "profile_version" ("workspace_id");`);
    this.addSql(`alter table "profile_version" add constraint "profile_version_profile_id_number_unique" unique ("profile_id", "number");`);

    this.addSql(`create table "member" ("workspace_id" uuid not null, "user_id" uuid not null, "role" text not null, "joined_at" timestamptz not null, primary key ("workspace_id", "user_id"));`);
    this.addSql(`create index "member_user_id_index" on "member" ("user_id");`);

    this.addSql(`create table "document" ("id" uuid not null, "workspace_id" uuid not null, "name" text not null, "media_type" text not null, "size_bytes" int not null, "checksum" text not null, "status" text not null, "error" jsonb null, "metadata" jsonb not null, "tags" text[] not null, "uploaded_by_id" uuid null, "latest_version" int not null, "published_version_id" uuid null, "created_at" timestamptz not null, "updated_at" timestamptz not null, primary key ("id"));`);
    this.addSql(`create index "document_published_version_id_index" on "document" ("published_version_id");`);
    this.addSql(`create index "document_workspace_id_checksum_index" on "document" ("workspace_id", "checksum");`);

    this.addSql(`create table "profile_document" ("profile_id" uuid not null, "document_id" uuid not null, "workspace_id" uuid not null, "attached_at" timestamptz not null, primary key ("profile_id", "document_id"));`);
    this.addSql(`create index "profile_document_document_id_index" on "profile_document" ("document_id");`);

    this.addSql(`create table "document_file" ("id" uuid not null, "workspace_id" uuid not null, "created_at" timestamptz not null, primary key ("id"));`);
    this.addSql(`create index "document_file_workspace_id_index" on "document_file" ("workspace_id");`);

    this.addSql(`create table "document_version" ("id" uuid not null, "workspace_id" uuid not null, "document_id" uuid not null, "number" int not null, "file_id" uuid null, "checksum" text not null, "size_bytes" int not null, "text_length" int not null default 0, "chunk_count" int not null default 0, "term_count" int not null default 0, "reused_chunk_count" int not null default 0, "embedding_model_id" text not null, "created_at" timestamptz not null, primary key ("id"));`);
    this.addSql(`create index "document_version_workspace_id_index" on "document_version" ("workspace_id");`);
    this.addSql(`create index "document_version_file_id_index" on "document_version" ("file_id");`);
    this.addSql(`alter table "document_version" add constraint "document_version_document_id_number_unique" unique ("document_id", "number");`);

    this.addSql(`create table "ingestion_job" ("id" uuid not null, "workspace_id" uuid not null, "document_id" uuid not null, "version_id" uuid not null, "status" text not null, "stage" text not null, "completed_units" int not null default 0, "total_units" int null, "attempt" int not null default 0, "error" jsonb null, "queued_at" timestamptz not null, "started_at" timestamptz null, "finished_at" timestamptz null, primary key ("id"));`);
    this.addSql(`create index "ingestion_job_workspace_id_index" on "ingestion_job" ("workspace_id");`);
    this.addSql(`create index "ingestion_job_document_id_index" on "ingestion_job" ("document_id");`);

    this.addSql(`create table "document_text" ("version_id" uuid not null, "start_offset" int not null, "workspace_id" uuid not null, "end_offset" int not null, "text" text not null, primary key ("version_id", "start_offset"));`);

    this.addSql(`create table "document_part" ("file_id" uuid not null, "part" int not null, "workspace_id" uuid not null, "bytes" bytea not null, primary key ("file_id", "part"));`);

    this.addSql(`create table "document_chunk" ("id" uuid not null, "workspace_id" uuid not null, "document_id" uuid not null, "version_id" uuid not null, "ordinal" int not null, "text" text not null, "token_count" int not null, "term_count" int not null, "page" int null, "heading_path" text[] not null, "start_offset" int not null, "end_offset" int not null, "checksum" text not null, primary key ("id"));`);
    this.addSql(`create index "document_chunk_workspace_id_index" on "document_chunk" ("workspace_id");`);
    this.addSql(`create index "document_chunk_document_id_index" on "document_chunk" ("document_id");`);
    this.addSql(`alter table "document_chunk" add constraint "document_chunk_version_id_ordinal_unique" unique ("version_id", "ordinal");`);

    this.addSql(`create table "posting" ("chunk_id" uuid not null, "term" text not null, "workspace_id" uuid not null, "frequency" int not null, primary key ("chunk_id", "term"));`);
    this.addSql(`create index "posting_workspace_id_term_index" on "posting" ("workspace_id", "term");`);

    this.addSql(`create table "chat_session" ("id" uuid not null, "workspace_id" uuid not null, "owner_id" uuid not null, "profile_id" uuid not null, "title" text null, "visibility" text not null, "summary" text null, "selected_leaf_id" uuid null, "last_sequence" int not null default 0, "cleared_sequence" int not null default 0, "idempotency_key" text null, "created_at" timestamptz not null, "updated_at" timestamptz not null, primary key ("id"));`);
    this.addSql(`create index "chat_session_workspace_id_index" on "chat_session" ("workspace_id");`);
    this.addSql(`create index "chat_session_profile_id_index" on "chat_session" ("profile_id");`);
    this.addSql(`alter table "chat_session" add constraint "chat_session_workspace_id_owner_id_idempotency_key_unique" unique ("workspace_id", "owner_id", "idempotency_key");`);

    this.addSql(`create table "run" ("id" uuid not null, "workspace_id" uuid not null, "session_id" uuid not null, "user_id" uuid not null, "profile_version_id" uuid not null, "input_message_id" uuid null, "output_message_id" uuid null, "status" text not null, "attempt" int not null default 1, "idempotency_key" text not null, "request_hash" text not null, "start_sequence" int not null, "model_id" text null, "retrieval" jsonb not null, "time_zone" text not null, "enqueued" boolean not null default false, "rollback" boolean not null default false, "cached" boolean not null default false, "degraded" text[] not null, "error" jsonb null, "input_tokens" int not null default 0, "output_tokens" int not null default 0, "embedding_tokens" int not null default 0, "cached_tokens" int not null default 0, "cost_usd" double precision not null default 0, "usage_estimated" boolean not null default false, "cancel_requested_at" timestamptz null, "lease_owner" text null, "lease_until" timestamptz null, "created_at" timestamptz not null, "started_at" timestamptz null, "finished_at" timestamptz null, "first_token_ms" int null, primary key ("id"));`);
    this.addSql(`create index "run_workspace_id_index" on "run" ("workspace_id");`);
    this.addSql(`create index "run_session_id_index" on "run" ("session_id");`);
    this.addSql(`create index "run_status_lease_until_index" on "run" ("status", "lease_until");`);
    this.addSql(`alter table "run" add constraint "run_workspace_id_user_id_idempotency_key_unique" unique ("workspace_id", "user_id", "idempotency_key");`);

    this.addSql(`create table "run_step" ("run_id" uuid not null, "ordinal" int not null, "workspace_id" uuid not null, "node" text not null, "status" text not null, "started_at" timestamptz not null, "duration_ms" int null, "error" text null, primary key ("run_id", "ordinal"));`);

    this.addSql(`create table "model_attempt" ("run_id" uuid not null, "ordinal" int not null, "workspace_id" uuid not null, "model_id" text not null, "attempt" int not null, "succeeded" boolean not null, "error_code" text null, "duration_ms" int not null, "is_fallback" boolean not null, primary key ("run_id", "ordinal"));`);

    this.addSql(`create table "message" ("id" uuid not null, "workspace_id" uuid not null, "session_id" uuid not null, "parent_id" uuid null, "role" text not null, "status" text not null, "author_id" uuid null, "run_id" uuid null, "rating" text null, "rating_comment" text null, "created_at" timestamptz not null, "edited_at" timestamptz null, primary key ("id"));`);
    this.addSql(`create index "message_workspace_id_index" on "message" ("workspace_id");`);
    this.addSql(`create index "message_session_id_index" on "message" ("session_id");`);
    this.addSql(`create index "message_parent_id_index" on "message" ("parent_id");`);
    this.addSql(`create index "message_run_id_index" on "message" ("run_id");`);

    this.addSql(`create table "message_block" ("message_id" uuid not null, "index" int not null, "workspace_id" uuid not null, "kind" text not null, "text" text not null, primary key ("message_id", "index"));`);

    this.addSql(`create table "citation" ("message_id" uuid not null, "ordinal" int not null, "workspace_id" uuid not null, "index" int not null, "chunk_id" uuid null, "document_id" uuid null, "document_name" text not null, "document_version" int not null, "page" int null, "heading_path" text[] not null, "start_offset" int not null, "end_offset" int not null, "quote" text not null, "answer_start" int not null, "answer_end" int not null, primary key ("message_id", "ordinal"));`);
    this.addSql(`create index "citation_chunk_id_index" on "citation" ("chunk_id");`);
    this.addSql(`create index "citation_document_id_index" on "citation" ("document_id");`);

    this.addSql(`create table "chat_event" ("session_id" uuid not null, "sequence" int not null, "workspace_id" uuid not null, "type" text not null, "payload" jsonb not null, "message_id" uuid null, "block_index" int null, "text_offset" int null, "occurred_at" timestamptz not null, primary key ("session_id", "sequence"));`);

    this.addSql(`alter table "auth_session" add constraint "auth_session_user_id_foreign" foreign key ("user_id") references "user" ("id") on delete cascade;`);

    this.addSql(`alter table "profile" add constraint "profile_workspace_id_foreign" foreign key ("workspace_id") references "workspace" ("id") on delete cascade;`);

    this.addSql(`alter table "profile_version" add constraint "profile_version_profile_id_foreign" foreign key ("profile_id") references "profile" ("id") on delete cascade;`);
    this.addSql(`alter table "profile_version" add constraint "profile_version_created_by_id_foreign" foreign key ("created_by_id") references "user" ("id") on delete set null;`);

    this.addSql(`alter table "member" add constraint "member_workspace_id_foreign" foreign key ("workspace_id") references "workspace" ("id") on update cascade on delete cascade;`);
    this.addSql(`alter table "member" add constraint "member_user_id_foreign" foreign key ("user_id") references "user" ("id") on update cascade on delete cascade;`);

    this.addSql(`alter table "document" add constraint "document_workspace_id_foreign" foreign key ("workspace_id") references "workspace" ("id") on delete cascade;`);
    this.addSql(`alter table "document" add constraint "document_uploaded_by_id_foreign" foreign key ("uploaded_by_id") references "user" ("id") on delete set null;`);

    this.addSql(`alter table "profile_document" add constraint "profile_document_profile_id_foreign" foreign key ("profile_id") references "profile" ("id") on update cascade on delete cascade;`);
    this.addSql(`alter table "profile_document" add constraint "profile_document_document_id_foreign" foreign key ("document_id") references "document" ("id") on update cascade on delete cascade;`);

    this.addSql(`alter table "document_file" add constraint "document_file_workspace_id_foreign" foreign key ("workspace_id") references "workspace" ("id") on delete cascade;`);

    this.addSql(`alter table "document_version" add constraint "document_version_document_id_foreign" foreign key ("document_id") references "document" ("id") on delete cascade;`);
    this.addSql(`alter table "document_version" add constraint "document_version_file_id_foreign" foreign key ("file_id") references "document_file" ("id") on delete set null;`);

    this.addSql(`alter table "ingestion_job" add constraint "ingestion_job_document_id_foreign" foreign key ("document_id") references "document" ("id") on delete cascade;`);
    this.addSql(`alter table "ingestion_job" add constraint "ingestion_job_version_id_foreign" foreign key ("version_id") references "document_version" ("id") on delete cascade;`);

    this.addSql(`alter table "document_text" add constraint "document_text_version_id_foreign" foreign key ("version_id") references "document_version" ("id") on delete cascade;`);

    this.addSql(`alter table "document_part" add constraint "document_part_file_id_foreign" foreign key ("file_id") references "document_file" ("id") on delete cascade;`);

    this.addSql(`alter table "document_chunk" add constraint "document_chunk_document_id_foreign" foreign key ("document_id") references "document" ("id") on delete cascade;`);
    this.addSql(`alter table "document_chunk" add constraint "document_chunk_version_id_foreign" foreign key ("version_id") references "document_version" ("id") on delete cascade;`);

    this.addSql(`alter table "posting" add constraint "posting_chunk_id_foreign" foreign key ("chunk_id") references "document_chunk" ("id") on delete cascade;`);

    this.addSql(`alter table "chat_session" add constraint "chat_session_workspace_id_foreign" foreign key ("workspace_id") references "workspace" ("id") on delete cascade;`);
    this.addSql(`alter table "chat_session" add constraint "chat_session_owner_id_foreign" foreign key ("owner_id") references "user" ("id") on delete cascade;`);
    this.addSql(`alter table "chat_session" add constraint "chat_session_profile_id_foreign" foreign key ("profile_id") references "profile" ("id") on delete cascade;`);

    this.addSql(`alter table "run" add constraint "run_session_id_foreign" foreign key ("session_id") references "chat_session" ("id") on delete cascade;`);
    this.addSql(`alter table "run" add constraint "run_user_id_foreign" foreign key ("user_id") references "user" ("id") on delete cascade;`);
    this.addSql(`alter table "run" add constraint "run_profile_version_id_foreign" foreign key ("profile_version_id") references "profile_version" ("id");`);

    this.addSql(`alter table "run_step" add constraint "run_step_run_id_foreign" foreign key ("run_id") references "run" ("id") on delete cascade;`);

    this.addSql(`alter table "model_attempt" add constraint "model_attempt_run_id_foreign" foreign key ("run_id") references "run" ("id") on delete cascade;`);

    this.addSql(`alter table "message" add constraint "message_session_id_foreign" foreign key ("session_id") references "chat_session" ("id") on delete cascade;`);
    this.addSql(`alter table "message" add constraint "message_parent_id_foreign" foreign key ("parent_id") references "message" ("id") on delete cascade;`);
    this.addSql(`alter table "message" add constraint "message_author_id_foreign" foreign key ("author_id") references "user" ("id") on delete set null;`);

    this.addSql(`alter table "message_block" add constraint "message_block_message_id_foreign" foreign key ("message_id") references "message" ("id") on delete cascade;`);

    this.addSql(`alter table "citation" add constraint "citation_message_id_foreign" foreign key ("message_id") references "message" ("id") on delete cascade;`);
    this.addSql(`alter table "citation" add constraint "citation_chunk_id_foreign" foreign key ("chunk_id") references "document_chunk" ("id") on delete set null;`);
    this.addSql(`alter table "citation" add constraint "citation_document_id_foreign" foreign key ("document_id") references "document" ("id") on delete set null;`);

    this.addSql(`alter table "chat_event" add constraint "chat_event_session_id_foreign" foreign key ("session_id") references "chat_session" ("id") on delete cascade;`);
  }

  override down(): void | Promise<void> {
    this.addSql(`alter table "auth_session" drop constraint "auth_session_user_id_foreign";`);
    this.addSql(`alter table "profile_version" drop constraint "profile_version_created_by_id_foreign";`);
    this.addSql(`alter table "member" drop constraint "member_user_id_foreign";`);
    this.addSql(`alter table "document" drop constraint "document_uploaded_by_id_foreign";`);
    this.addSql(`alter table "chat_session" drop constraint "chat_session_owner_id_foreign";`);
    this.addSql(`alter table "run" drop constraint "run_user_id_foreign";`);
    this.addSql(`alter table "message" drop constraint "message_author_id_foreign";`);
    this.addSql(`alter table "profile" drop constraint "profile_workspace_id_foreign";`);
    this.addSql(`alter table "member" drop constraint "member_workspace_id_foreign";`);
    this.addSql(`alter table "document" drop constraint "document_workspace_id_foreign";`);
    this.addSql(`alter table "chat_session" drop constraint "chat_session_workspace_id_foreign";`);
    this.addSql(`alter table "profile_version" drop constraint "profile_version_profile_id_foreign";`);
    this.addSql(`alter table "profile_document" drop constraint "profile_document_profile_id_foreign";`);
    this.addSql(`alter table "chat_session" drop constraint "chat_session_profile_id_foreign";`);
    this.addSql(`alter table "run" drop constraint "run_profile_version_id_foreign";`);
    this.addSql(`alter table "profile_document" drop constraint "profile_document_document_id_foreign";`);
    this.addSql(`alter table "document_file" drop constraint "document_file_workspace_id_foreign";`);
    this.addSql(`alter table "document_version" drop constraint "document_version_document_id_foreign";`);
    this.addSql(`alter table "document_version" drop constraint "document_version_file_id_foreign";`);
    this.addSql(`alter table "ingestion_job" drop constraint "ingestion_job_document_id_foreign";`);
    this.addSql(`alter table "document_chunk" drop constraint "document_chunk_document_id_foreign";`);
    this.addSql(`alter table "citation" drop constraint "citation_document_id_foreign";`);
    this.addSql(`alter table "ingestion_job" drop constraint "ingestion_job_version_id_foreign";`);
    this.addSql(`alter table "document_text" drop constraint "document_text_version_id_foreign";`);
    this.addSql(`alter table "document_part" drop constraint "document_part_file_id_foreign";`);
    this.addSql(`alter table "document_chunk" drop constraint "document_chunk_version_id_foreign";`);
    this.addSql(`alter table "posting" drop constraint "posting_chunk_id_foreign";`);
    this.addSql(`alter table "citation" drop constraint "citation_chunk_id_foreign";`);
    this.addSql(`alter table "run" drop constraint "run_session_id_foreign";`);
    this.addSql(`alter table "message" drop constraint "message_session_id_foreign";`);
    this.addSql(`alter table "chat_event" drop constraint "chat_event_session_id_foreign";`);
    this.addSql(`alter table "run_step" drop constraint "run_step_run_id_foreign";`);
    this.addSql(`alter table "model_attempt" drop constraint "model_attempt_run_id_foreign";`);
    this.addSql(`alter table "message" drop constraint "message_parent_id_foreign";`);
    this.addSql(`alter table "message_block" drop constraint "message_block_message_id_foreign";`);
    this.addSql(`alter table "citation" drop constraint "citation_message_id_foreign";`);

    this.addSql(`drop table if exists "user" cascade;`);
    this.addSql(`drop table if exists "auth_session" cascade;`);
    this.addSql(`drop table if exists "workspace" cascade;`);
    this.addSql(`drop table if exists "profile" cascade;`);
    this.addSql(`drop table if exists "profile_version" cascade;`);
    this.addSql(`drop table if exists "member" cascade;`);
    this.addSql(`drop table if exists "document" cascade;`);
    this.addSql(`drop table if exists "profile_document" cascade;`);
    this.addSql(`drop table if exists "document_file" cascade;`);
    this.addSql(`drop table if exists "document_version" cascade;`);
    this.addSql(`drop table if exists "ingestion_job" cascade;`);
    this.addSql(`drop table if exists "document_text" cascade;`);
    this.addSql(`drop table if exists "document_part" cascade;`);
    this.addSql(`drop table if exists "document_chunk" cascade;`);
    this.addSql(`drop table if exists "posting" cascade;`);
    this.addSql(`drop table if exists "chat_session" cascade;`);
    this.addSql(`drop table if exists "run" cascade;`);
    this.addSql(`drop table if exists "run_step" cascade;`);
    this.addSql(`drop table if exists "model_attempt" cascade;`);
    this.addSql(`drop table if exists "message" cascade;`);
    this.addSql(`drop table if exists "message_block" cascade;`);
    this.addSql(`drop table if exists "citation" cascade;`);
    this.addSql(`drop table if exists "chat_event" cascade;`);
  }

}
