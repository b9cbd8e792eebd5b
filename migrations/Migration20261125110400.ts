import { Migration } from '@mikro-orm/migrations';

export class Migration20261125110400 extends Migration {

  override name = 'Migration20261125110400';

  override up(): void | Promise<void> {
    this.addSql(`create table "interrupt" ("id" uuid not null, "workspace_id" uuid not null, "run_id" uuid not null, "key" text not null, "tool_call_id" uuid null, "kind" text not null, "prompt" text not null, "payload" jsonb not null, "options" jsonb not null, "response_schema" jsonb not null, "response" jsonb null, "created_at" timestamptz not null, "resolved_at" timestamptz null, "resolved_by_id" uuid null, "expires_at" timestamptz not null, primary key ("id"));`);
    this.addSql(`create index "interrupt_expires_at_index" on "interrupt" ("expires_at");`);
    this.addSql(`alter table "interrupt" add constraint "interrupt_run_id_key_unique" unique ("run_id", "key");`);

    this.addSql(`alter table "run" add "dry_run" boolean not null default false, add "waited_ms" double precision not null default 0;`);

    this.addSql(`alter table "tool_call" add "message_id" uuid null, add "block_index" int null, add "effect" jsonb null, add "started_at" timestamptz null, add "duration_ms" int null;`);
    // Until now every row was of a call that has had its effect.
    this.addSql(`update "tool_call" set "effect" = jsonb_build_object('value', "result");`);
    this.addSql(`alter table "tool_call" add constraint "tool_call_message_id_foreign" foreign key ("message_id") references "message" ("id") on delete cascade;`);
    this.addSql(`alter table "tool_call" alter column "run_id" drop not null;`);
    this.addSql(`create index "tool_call_message_id_index" on "tool_call" ("message_id");`);

    this.addSql(`alter table "interrupt" add constraint "interrupt_run_id_foreign" foreign key ("run_id") references "run" ("id") on delete cascade;`);
    this.addSql(`alter table "interrupt" add constraint "interrupt_tool_call_id_foreign" foreign key ("tool_call_id") references "tool_call" ("id") on delete set null;`);
    this.addSql(`alter table "interrupt" add constraint "interrupt_resolved_by_id_foreign" foreign key ("resolved_by_id") references "user" ("id") on delete set null;`);
  }

  override down(): void | Promise<void> {
    this.addSql(`drop table if exists "interrupt" cascade;`);

    this.addSql(`delete from "tool_call" where "run_id" is null or "effect" is null;`);
    this.addSql(`alter table "tool_call" drop constraint "tool_call_message_id_foreign";`);

    this.addSql(`alter table "run" drop column "dry_run", drop column "waited_ms";`);

    this.addSql(`drop index "tool_call_message_id_index";`);
    this.addSql(`alter table "tool_call" drop column "message_id", drop column "block_index", drop column "effect", drop column "started_at", drop column "duration_ms";`);
    this.addSql(`alter table "tool_call" alter column "run_id" set not null;`);
  }

}
