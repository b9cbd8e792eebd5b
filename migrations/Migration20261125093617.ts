import { Migration } from '@mikro-orm/migrations';

export class Migration20261125093617 extends Migration {

  override name = 'Migration20261125093617';

  override up(): void | Promise<void> {
    this.addSql(`create table "usage_entry" ("id" uuid not null, "workspace_id" uuid not null, "user_id" uuid null, "profile_id" uuid null, "session_id" uuid null, "run_id" uuid null, "attempt" int null, "kind" text not null, "model_id" text not null, "provider_id" text not null, "input_tokens" int not null, "output_tokens" int not null, "cached_tokens" int not null, "embedding_tokens" int not null, "cost_usd" double precision not null, "estimated" boolean not null, "occurred_at" timestamptz not null, primary key ("id"));`);
    this.addSql(`create index "usage_entry_workspace_id_occurred_at_index" on "usage_entry" ("workspace_id", "occurred_at");`);
    this.addSql(`alter table "usage_entry" add constraint "usage_entry_run_id_attempt_kind_model_id_unique" unique ("run_id", "attempt", "kind", "model_id");`);

    this.addSql(`alter table "usage_entry" add constraint "usage_entry_workspace_id_foreign" foreign key ("workspace_id") references "workspace" ("id") on delete cascade;`);
    // What runs used before there was a ledger, booked to the model that answered last.
    this.addSql(`insert into "usage_entry" ("id", "workspace_id", "user_id", "profile_id", "session_id", "run_id", "attempt", "kind", "model_id", "provider_id", "input_tokens", "output_tokens", "cached_tokens", "embedding_tokens", "cost_usd", "estimated", "occurred_at")
      select gen_random_uuid(), run.workspace_id, run.user_id, version.profile_id, run.session_id, run.id, run.attempt, 'CHAT', used.model_id, split_part(used.model_id, ':', 1), run.input_tokens, run.output_tokens, run.cached_tokens, run.embedding_tokens, run.cost_usd, run.usage_estimated, coalesce(run.finished_at, run.created_at)
      from run join profile_version version on version.id = run.profile_version_id
      cross join lateral (select coalesce((select model_id from model_attempt where run_id = run.id order by succeeded desc, ordinal desc limit 1), run.model_id, version.model_id, 'offline:extractive') as model_id) used
      where run.input_tokens + run.output_tokens + run.embedding_tokens > 0;`);
  }

  override down(): void | Promise<void> {
    this.addSql(`drop table if exists "usage_entry" cascade;`);
  }

}
