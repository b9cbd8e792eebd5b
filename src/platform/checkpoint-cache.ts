// The newest checkpoint of each thread in the cache, for whoever takes a run over or answers what it asks. The rows decide
// each time which checkpoint is the newest and what was written beside it since; only the body of just that one is taken
// from the cache, so that a stale entry is never served.
import { BaseCheckpointSaver, type ChannelVersions, type Checkpoint, type CheckpointListOptions, type CheckpointMetadata, type CheckpointTuple, type PendingWrite } from '@langchain/langgraph-checkpoint';
import { cacheKind, type Cache } from './cache.ts';

/** A checkpoint as its row and its blobs hold it. */
interface Body {
  readonly id: string;
  readonly parentId: string | null;
  readonly checkpoint: Omit<Checkpoint, 'channel_values'>;
  /** By channel: the serializer's type and its text, or the bytes as base64. */
  readonly values: Readonly<Record<string, readonly [type: string, text: string]>>;
  readonly metadata: readonly [type: string, text: string];
}

/** The newest checkpoints, by thread. */
const checkpoints = cacheKind<Body>({ name: 'checkpoint', version: 1, ttlSeconds: 1800, maxEntries: 1000, maxBytes: 32 * 1024 ** 2 });

/** Before this version of their format checkpoints are completed with rows of others when they are read. */
const selfContained = 4;

type Config = Parameters<BaseCheckpointSaver['getTuple']>[0];
type Query = (text: string, values: unknown[]) => Promise<{ rows: unknown[] }>;

/** A row of the newest checkpoint for each pending write beside it; one without a write when there is none. */
interface NewestRow {
  readonly id: string;
  readonly task_id: string | null;
  readonly channel: string;
  readonly type: string;
  readonly blob: Uint8Array;
}

/** Writes through to the cache what `saver` writes to the tables of `schema`, which `query` reads. */
export class CachedSaver extends BaseCheckpointSaver {
  private readonly saver: BaseCheckpointSaver;
  private readonly cache: Cache;
  private readonly query: Query;
  private readonly newest: string;

  constructor(saver: BaseCheckpointSaver, cache: Cache, query: Query, schema: string) {
    super(saver.serde);
    this.saver = saver;
    this.cache = cache;
    this.query = query;
    this.newest = `
      select newest.checkpoint_id as id, task_id, channel, type, blob from (
        select thread_id, checkpoint_ns, checkpoint_id from ${schema}.checkpoints where thread_id = $1 and checkpoint_ns = ''
        order by checkpoint_id desc limit 1) newest
      left join ${schema}.checkpoint_writes using (thread_id, checkpoint_ns, checkpoint_id)
      order by task_id, idx`;
  }

  async getTuple(config: Config): Promise<CheckpointTuple | undefined> {
    const { thread_id: thread, checkpoint_ns: namespace = '', checkpoint_id: asked } = config.configurable ?? {};
    if (asked || namespace !== '') return await this.saver.getTuple(config);
    const rows = (await this.query(this.newest, [thread])).rows as NewestRow[];
    const [first] = rows;
    if (!first) return undefined;
    const body = await this.cache.get(checkpoints, thread);
    if (body?.id !== first.id) return await this.saver.getTuple(config);
    const of = (id: string) => ({ configurable: { thread_id: thread, checkpoint_ns: '', checkpoint_id: id } });
    return {
      config: of(body.id),
      checkpoint: { ...body.checkpoint, channel_values: Object.fromEntries(await Promise.all(Object.entries(body.values).map(async ([channel, value]) => [channel, await this.load(value)]))) },
      metadata: await this.load(body.metadata),
      ...(body.parentId !== null && { parentConfig: of(body.parentId) }),
      pendingWrites: await Promise.all(rows.filter(({ task_id }) => task_id !== null).map(async (row) => [row.task_id as string, row.channel, await this.serde.loadsTyped(row.type, row.blob)] as [string, string, unknown])),
    };
  }

  async put(config: Config, checkpoint: Checkpoint, metadata: CheckpointMetadata, versions: ChannelVersions): Promise<Config> {
    const { thread_id: thread, checkpoint_ns: namespace = '', checkpoint_id: parentId = null } = config.configurable ?? {};
    // What it is now: the run goes on with its state while this is written.
    const dumping = namespace === '' && checkpoint.v >= selfContained ? this.dump(checkpoint, metadata, parentId) : null;
    const next = await this.saver.put(config, checkpoint, metadata, versions);
    const body = await dumping;
    // Nobody waits for Redis: whoever reads before it is there reads the rows.
    if (body) void this.cache.set(checkpoints, thread, body, { ttlSeconds: checkpoints.ttlSeconds });
    return next;
  }

  putWrites(config: Config, writes: PendingWrite[], taskId: string): Promise<void> {
    return this.saver.putWrites(config, writes, taskId);
  }

  async *list(config: Config, options?: CheckpointListOptions): AsyncGenerator<CheckpointTuple> {
    yield* this.saver.list(config, options);
  }

  async deleteThread(thread: string): Promise<void> {
    await this.saver.deleteThread(thread);
    void this.cache.delete(checkpoints, thread);
  }

  /** Of values only those whose channel has a version, as of others there are no rows. */
  private async dump({ channel_values: values, ...checkpoint }: Checkpoint, metadata: CheckpointMetadata, parentId: string | null): Promise<Body> {
    const channels = Object.keys(values).filter((channel) => channel in checkpoint.channel_versions);
    const [dumpedMetadata, ...dumped] = await Promise.all([metadata, ...channels.map((channel) => values[channel])].map((value) => this.dumpValue(value)));
    return { id: checkpoint.id, parentId, checkpoint, values: Object.fromEntries(channels.map((channel, index) => [channel, dumped[index]!])), metadata: dumpedMetadata! };
  }

  private async dumpValue(value: unknown): Promise<[string, string]> {
    const [type, bytes] = await this.serde.dumpsTyped(value);
    return [type, Buffer.from(bytes).toString(type === 'json' ? 'utf8' : 'base64')];
  }

  private load([type, text]: readonly [string, string]): Promise<any> {
    return this.serde.loadsTyped(type, type === 'json' ? text : new Uint8Array(Buffer.from(text, 'base64')));
  }
}
