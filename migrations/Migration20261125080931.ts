import { Migration } from '@mikro-orm/migrations';

export class Migration20261125080931 extends Migration {

  override name = 'Migration20261125080931';

  override up(): void | Promise<void> {
    this.addSql(`create table "provider" ("id" uuid not null, "workspace_id" uuid not null, "key" text not null, "name" text not null, "kind" text not null, "base_url" text null, "sealed_api_key" text null, "models" jsonb null, "revision" int not null, "created_at" timestamptz not null, "updated_at" timestamptz not null, primary key ("id"));`);
    this.addSql(`alter table "provider" add constraint "provider_workspace_id_key_unique" unique ("workspace_id", "key");`);

    this.addSql(`alter table "provider" add constraint "provider_workspace_id_foreign" foreign key ("workspace_id") references "workspace" ("id") on delete cascade;`);
  }

  override down(): void | Promise<void> {
    this.addSql(`drop table if exists "provider" cascade;`);
  }

}
