import { Migration } from '@mikro-orm/migrations';

/**
 * Fallback models that nobody has chosen follow the catalog: null. Until now none were tried, and "none chosen" was stored as an
 * empty list, so that every empty list becomes null. Whoever wants none says so from now on.
 */
export class Migration20261125080947 extends Migration {

  override name = 'Migration20261125080947';

  override up(): void | Promise<void> {
    this.addSql(`alter table "profile_version" alter column "fallback_model_ids" drop not null;`);
    this.addSql(`update "profile_version" set "fallback_model_ids" = null where "fallback_model_ids" = '{}';`);
  }

  override down(): void | Promise<void> {
    this.addSql(`update "profile_version" set "fallback_model_ids" = '{}' where "fallback_model_ids" is null;`);
    this.addSql(`alter table "profile_version" alter column "fallback_model_ids" set not null;`);
  }

}
