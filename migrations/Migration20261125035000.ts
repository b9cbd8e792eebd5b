import { Migration } from '@mikro-orm/migrations';

export class Migration20261125035000 extends Migration {

  override name = 'Migration20261125035000';

  override up(): void | Promise<void> {
    this.addSql(`create table "deleted_session" ("id" uuid not null, "workspace_id" uuid not null, "owner_id" uuid not null, "visibility" text not null, "deleted_at" timestamptz not null, primary key ("id"));`);
    this.addSql(`create index "deleted_session_workspace_id_index" on "deleted_session" ("workspace_id");`);
  }

  override down(): void | Promise<void> {
    this.addSql(`drop table if exists "deleted_session" cascade;`);
  }

}
