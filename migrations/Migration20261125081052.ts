import { Migration } from '@mikro-orm/migrations';

export class Migration20261125081052 extends Migration {

  override name = 'Migration20261125081052';

  override up(): void | Promise<void> {
    this.addSql(`alter table "message" add "withdrawals" jsonb not null default '[]';`);
  }

  override down(): void | Promise<void> {
    this.addSql(`alter table "message" drop column "withdrawals";`);
  }

}
