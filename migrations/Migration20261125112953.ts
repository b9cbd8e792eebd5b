import { Migration } from '@mikro-orm/migrations';

export class Migration20261125112953 extends Migration {

  override name = 'Migration20261125112953';

  override up(): void | Promise<void> {
    this.addSql(`create table "task" ("id" uuid not null, "workspace_id" uuid not null, "owner_id" uuid not null, "title" text not null, "notes" text null, "status" text not null, "priority" text not null, "due_at" timestamptz null, "tags" text[] not null, "completed_at" timestamptz null, "last_run_id" uuid null, "idempotency_key" text null, "request_hash" text not null, "created_at" timestamptz not null, "updated_at" timestamptz not null, primary key ("id"));`);
    this.addSql(`create index "task_owner_id_index" on "task" ("owner_id");`);
    this.addSql(`create index "task_workspace_id_updated_at_index" on "task" ("workspace_id", "updated_at");`);
    this.addSql(`alter table "task" add constraint "task_workspace_id_owner_id_idempotency_key_unique" unique ("workspace_id", "owner_id", "idempotency_key");`);

    this.addSql(`create table "deleted_task" ("id" uuid not null, "workspace_id" uuid not null, "owner_id" uuid not null, "run_id" uuid null, "deleted_at" timestamptz not null, primary key ("id"));`);
    this.addSql(`create index "deleted_task_owner_id_index" on "deleted_task" ("owner_id");`);
    this.addSql(`create index "deleted_task_workspace_id_deleted_at_index" on "deleted_task" ("workspace_id", "deleted_at");`);

    this.addSql(`alter table "task" add constraint "task_workspace_id_foreign" foreign key ("workspace_id") references "workspace" ("id") on delete cascade;`);
    this.addSql(`alter table "task" add constraint "task_owner_id_foreign" foreign key ("owner_id") references "user" ("id") on delete cascade;`);

    this.addSql(`alter table "deleted_task" add constraint "deleted_task_workspace_id_foreign" foreign key ("workspace_id") references "workspace" ("id") on delete cascade;`);
    this.addSql(`alter table "deleted_task" add constraint "deleted_task_owner_id_foreign" foreign key ("owner_id") references "user" ("id") on delete cascade;`);
  }

  override down(): void | Promise<void> {
    this.addSql(`drop table if exists "task" cascade;`);
    this.addSql(`drop table if exists "deleted_task" cascade;`);
  }

}
