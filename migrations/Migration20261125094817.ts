import { Migration } from '@mikro-orm/migrations';

export class Migration20261125094817 extends Migration {

  override name = 'Migration20261125094817';

  override up(): void | Promise<void> {
    this.addSql(`alter table "workspace" add "embedding_error" text null;`);
    this.addSql(`alter table "document_version" add "embedding_revision" int not null default 0, add "other_vectors_since" timestamptz null;`);
  }

  override down(): void | Promise<void> {
    this.addSql(`alter table "document_version" drop column "embedding_revision", drop column "other_vectors_since";`);
    this.addSql(`alter table "workspace" drop column "embedding_error";`);
  }

}
