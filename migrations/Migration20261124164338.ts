import { Migration } from '@mikro-orm/migrations';

export class Migration20261124164338 extends Migration {

  override name = 'Migration20261124164338';

  override up(): void | Promise<void> {
    this.addSql(`create table "tool_call" ("id" uuid not null, "workspace_id" uuid not null, "run_id" uuid not null, "call_id" text not null, "name" text not null, "arguments" jsonb not null, "status" text not null, "result" jsonb null, "error" text null, "created_at" timestamptz not null, primary key ("id"));`);
    this.addSql(`alter table "tool_call" add constraint "tool_call_run_id_call_id_unique" unique ("run_id", "call_id");`);

    this.addSql(`alter table "tool_call" add constraint "tool_call_run_id_foreign" foreign key ("run_id") references "run" ("id") on delete cascade;`);
  }

  override down(): void | Promise<void> {
    this.addSql(`drop table if exists "tool_call" cascade;`);
  }

}
